"""What supervisors tell the system's event stream about themselves; what befalls actors is told by their cells."""

from __future__ import annotations

import logging

import attrs

from choragus.actors.event import Event
from choragus.actors.status import Failure


@attrs.frozen
class GaveUp(Event):
    """A supervisor gave up: it stops its children, and the one above decides about it; above the root the system ends.

    `actor` is its path, empty for the root; `failures` are the children's failures that led to it, oldest first.
    """

    LEVEL = logging.WARNING

    reason: str
    failures: tuple[Failure, ...]

    def __str__(self) -> str:
        return f"{self.actor or 'the root'} gave up: {self.reason}"


@attrs.frozen
class SupervisorRestarted(Event):
    """A supervisor runs again, with the children of its spec."""

    incarnation: int


@attrs.frozen
class SupervisorEnded(Event):
    """A supervisor shuts itself down, normally, because a significant child ended: `child`, by its path."""

    child: str
