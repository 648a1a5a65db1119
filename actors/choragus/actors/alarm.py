"""An alarm clock for the next thing that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings once at the earliest of the times that it was set to.

    Args:
        clock: wall time in seconds since the epoch.
        ring: called on the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float], ring: Callable[[], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at = float("inf")
        self._off = False

    def set(self, due: float) -> None:
        """Ring at `due`, if nothing rings earlier."""
        if due >= self._at or self._off:
            return
        self._clear()
        self._at = due
        self._handle = self._loop.call_later(max(0.0, due - self._clock()), self._rings)

    def look(self) -> None:
        """Ring at once when the clock was set forward past the time."""
        if self._handle is not None and self._clock() >= self._at:
            self._clear()
            self._rings()

    def off(self) -> None:
        """Never ring again."""
        self._off = True
        self._clear()

    def _rings(self) -> None:
        self._handle = None
        self._at = float("inf")
        self._ring()

    def _clear(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
