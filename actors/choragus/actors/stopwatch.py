"""Seconds that a thread may be held to account for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Clock = Callable[[], float]


class Stopwatch:
    """Measures laps, and leaves out the time in which nothing ran: the process was stopped, the machine slept.

    Whoever waits 0.25 s and wakes after an hour cannot know why, unless the thread that is watched has computed all the
    while. So a lap counts as the time that passed, at most as the larger of `most` and of what that thread computed.

    Args:
        now: monotonic seconds.
        computed: seconds that the watched thread has computed; see `computed_by`.
    """

    def __init__(self, now: Clock, computed: Clock) -> None:
        self._now = now
        self._computed = computed
        self._last = now(), computed()

    def lap(self, most: float) -> float:
        """Seconds since the last lap, at most `most` unless the thread computed for longer."""
        (then, before), self._last = self._last, (self._now(), self._computed())
        now, computed = self._last
        return min(now - then, max(most, computed - before))


def computed_by(thread: int) -> Clock:
    """Seconds that a living thread has computed, readable from any thread; always 0 on macOS and Windows."""
    if sys.platform == "win32" or sys.platform == "darwin":
        return lambda: 0.0
    clock = time.pthread_getcpuclockid(thread)

    def computed() -> float:
        try:
            return time.clock_gettime(clock)
        except OSError:  # the thread has ended
            return 0.0

    return computed
