"""What supervisors tell the system's event stream about themselves; what befalls actors is told by their cells."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import attrs

from choragus.actors.event import Chronicled
from choragus.actors.status import Failure


@attrs.frozen
class GaveUp(Chronicled):
    """A supervisor gave up: it stops its children, and the one above decides about it; above the root the system ends.

    `actor` is its path, empty for the root; `failures` are the children's failures that led to it, oldest first.
    """

    LEVEL = logging.WARNING

    reason: str
    failures: tuple[Failure, ...]

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`supervisor.gave_up`."""
        return "supervisor.gave_up", {"reason": self.reason, "children": [failure.path for failure in self.failures]}

    def __str__(self) -> str:
        return f"{self.actor or 'the root'} gave up: {self.reason}"


@attrs.frozen
class SupervisorRestarted(Chronicled):
    """A supervisor runs again, with the children of its spec."""

    incarnation: int

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`supervisor.restarted`."""
        return "supervisor.restarted", {"incarnation": self.incarnation}


@attrs.frozen
class SupervisorEnded(Chronicled):
    """A supervisor shuts itself down, normally, because a significant child ended: `child`, by its path."""

    child: str

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`supervisor.ended`."""
        return "supervisor.ended", {"child": self.child}
