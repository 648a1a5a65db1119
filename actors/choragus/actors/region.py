"""What a durable cell and the supervisor of its type know of each other."""

from __future__ import annotations

from typing import Protocol

from .status import Failure


class DurableChild(Protocol):
    """A durable actor that failed. `faults` counts the failures in a row that had nothing to do with a message."""

    faults: int

    def restart(self) -> None:
        """A new incarnation, from the state of the last completed turn."""
        ...

    def suspend(self, error: BaseException) -> None:
        """Give the actor up until the next opening."""
        ...


class Region(Protocol):
    """Who decides about the failures of durable actors of one type."""

    path: str
    attempts: int

    def delay(self, attempts: int) -> float:
        """Seconds before the next try at a message that failed that often."""
        ...

    def durable_failed(self, child: DurableChild, failure: Failure) -> None:
        """Take note; the child waits for `restart` or `suspend`. Never blocks."""
        ...
