"""Many deadlines on one timer of the event loop.

Asking the loop for a timer costs more than the ask that it guards. Nearly all deadlines share a few timeouts (30 s for
asks, 60 s for turns), and with one timeout the first set is the first due: so each timeout has a queue, whose front is
all that needs a look, and the loop has one timer for the earliest front.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

ROOM = 64
"""How long a queue may become before the ones that were cancelled are taken out of its middle."""


def now_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The loop's clock, without the call in between when it is the usual one."""
    return time.monotonic if getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time else loop.time


class Due(Protocol):
    """What waits for its deadline, in one of the queues."""

    at: float

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        ...

    def pass_(self) -> None:
        """The time has come."""
        ...


class Deadline:
    """Something to be done later, unless it is cancelled first."""

    __slots__ = ("_action", "_args", "at")

    def __init__(self, at: float, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self.at = at
        self._action: Callable[..., object] | None = action
        self._args = args

    @property
    def is_open(self) -> bool:
        """Whether it has neither passed nor been cancelled."""
        return self._action is not None

    def cancel(self) -> None:
        """Never mind; fine at any time."""
        self._action = None
        self._args = ()

    def pass_(self) -> None:
        """Do it, once."""
        action, args = self._action, self._args
        self.cancel()
        if action is not None:
            action(*args)


class Deadlines:
    """The deadlines of one event loop, in seconds of its clock. One passes at its time or a little later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = now_of(loop)
        self._queues: dict[float, deque[Due]] = {}
        self._sizes: dict[float, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")

    def after(self, seconds: float, action: Callable[..., object], *args: object) -> Deadline:
        """Do this in so many seconds."""
        deadline = Deadline(0.0, action, args)
        self.add(seconds, deadline)
        return deadline

    def add(self, seconds: float, due: Due) -> None:
        """Have this pass in so many seconds, unless it is no longer open."""
        at = due.at = self._now() + seconds
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        while queue and not queue[0].is_open:
            queue.popleft()
        queue.append(due)
        if len(queue) > self._sizes.get(seconds, ROOM):
            self._thin_out(seconds, queue)
        if at < self._timer_at:
            self._set_timer(at)

    def _thin_out(self, seconds: float, queue: deque[Due]) -> None:
        """One that stays open for long must not keep those behind it, which were cancelled, in memory."""
        still = [deadline for deadline in queue if deadline.is_open]
        queue.clear()
        queue.extend(still)
        self._sizes[seconds] = max(ROOM, 2 * len(still))

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        self._timer, self._timer_at = None, float("inf")
        try:
            for seconds, queue in tuple(self._queues.items()):
                while queue and (not queue[0].is_open or queue[0].at <= now):
                    queue.popleft().pass_()
                if not queue:
                    del self._queues[seconds]
                    self._sizes.pop(seconds, None)
        finally:  # one action that fails must not silence the deadlines behind it
            fronts = [queue[0].at for queue in self._queues.values() if queue]
            if fronts and min(fronts) < self._timer_at:
                self._set_timer(min(fronts))
