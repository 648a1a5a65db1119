"""Where a cell stands, and what its supervisor is told when it fails."""

from __future__ import annotations

from enum import Enum

import attrs

GRACE = 1.0
"""Seconds that a cancelled handler has before it is cut off as a zombie."""


class Status(Enum):
    """Where a cell stands."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


# By name: with Python 3.11 an enumeration takes ten times as long to say who its member is, and every start, failure
# and stop asks for many.
STARTING = Status.STARTING
RUNNING = Status.RUNNING
FAILED = Status.FAILED
STOPPING = Status.STOPPING
STOPPED = Status.STOPPED

LIVE = (STARTING, RUNNING)
"""Those in which a durable actor handles its mail."""


class Reason(Enum):
    """How an actor came to its end; OTP's exit reasons."""

    NORMAL = "normal"
    """It ended by itself."""
    SHUTDOWN = "shutdown"
    """Its supervisor, or a request to it, stopped it."""
    KILLED = "killed"
    """It did not stop in time: it was cancelled, and cut off when that did not help."""
    FAILED = "failed"
    """It failed, and was not started again."""


@attrs.frozen
class Exit:
    """The end of an actor; `error` is what it failed with, and None unless it failed."""

    reason: Reason
    error: BaseException | None = None


@attrs.frozen
class Failure:
    """What a parent is told: which incarnation failed, with what, on which message (empty: on none)."""

    path: str
    error: BaseException
    message: str = ""
