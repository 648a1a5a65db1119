"""The last failures of a system's actors, by path."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from choragus.actors.event import Event, Failed

from .event import GaveUp
from .report import FailureReport, Gist, gist, report

EACH = 5
"""Failures that are kept of one actor."""

ACTORS = 1000
"""Actors whose failures are kept; beyond it those that failed longest ago are forgotten."""


class Ledger:
    """Listens to the system's events, and keeps what failed; an actor that never did costs nothing.

    Args:
        clock: wall time, seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: dict[str, deque[Gist]] = {}

    def note(self, event: Event) -> None:
        """Take down a failure."""
        if isinstance(event, Failed):
            self._add(gist(event.actor, self._clock(), event.error, event.message))
        elif isinstance(event, GaveUp):
            gave_up = f"gave up: {event.reason}"
            self._add((event.actor, self._clock(), "", gave_up, None))

    def of(self, path: str) -> tuple[FailureReport, ...]:
        """That actor's last failures, the latest first."""
        return tuple(report(failure) for failure in reversed(self._of.get(path, ())))

    def _add(self, failure: Gist) -> None:
        path = failure[0]
        kept = self._of.pop(path, None) or deque(maxlen=EACH)
        kept.append(failure)
        self._of[path] = kept
        if len(self._of) > ACTORS:
            del self._of[next(iter(self._of))]
