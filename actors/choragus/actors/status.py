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


@attrs.frozen
class Failure:
    """What a parent is told: which incarnation failed, with what, on which message (empty: on none)."""

    path: str
    error: BaseException
    message: str = ""
