"""Where a child stands with its supervisor."""

from __future__ import annotations

from enum import Enum


class ChildState(Enum):
    """Where a child stands with its supervisor."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """It failed, or goes down and up with a sibling; also while a backoff lasts."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """There is a spec, but no process."""


# By name: see `choragus.actors.status`.
STARTING = ChildState.STARTING
RUNNING = ChildState.RUNNING
RESTARTING = ChildState.RESTARTING
STOPPING = ChildState.STOPPING
STOPPED = ChildState.STOPPED
