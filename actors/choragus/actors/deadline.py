"""Many deadlines on one timer of the event loop.

Asking the loop for a timer costs more than the ask that it guards. Nearly all deadlines share a few timeouts (30 s for
asks, 60 s for turns), and with one timeout the first set is the first due: so each timeout has a queue, whose front is
all that needs a look, and the loop has one timer for the earliest front.
"""

from __future__ import annotations

import asyncio
import heapq
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
    """What waits for its deadline."""

    at: float

    def done(self) -> bool:
        """Whether it waits no more."""
        ...

    def pass_(self, seconds: float) -> None:
        """The time has come, so many seconds after it was set."""
        ...


class Deadline:
    """Something to be done later, unless it is cancelled first."""

    __slots__ = ("_action", "_args", "at")

    def __init__(self, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self.at = 0.0
        self._action: Callable[..., object] | None = action
        self._args = args

    def done(self) -> bool:
        """Whether it has passed or been cancelled."""
        return self._action is None

    def cancel(self) -> None:
        """Never mind; fine at any time."""
        self._action = None
        self._args = ()

    def pass_(self, seconds: float) -> None:
        """Do it, once."""
        action, args = self._action, self._args
        self.cancel()
        if action is not None:
            action(*args)


class _Queue:
    """Those of one timeout, the first due first."""

    __slots__ = ("seconds", "size", "waiting")

    def __init__(self, seconds: float) -> None:
        self.waiting: deque[Due] = deque()
        self.size = ROOM
        self.seconds = seconds


class Deadlines:
    """The deadlines of one event loop, in seconds of its clock. One passes at its time or a little later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = now_of(loop)
        self._queues: dict[float, _Queue] = {}
        self._fronts: list[tuple[float, int, _Queue]] = []  # a heap: every queue once, at its front's time or before
        self._count = 0
        self._size = ROOM
        self._rings = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")

    def after(self, seconds: float, action: Callable[..., object], *args: object) -> Deadline:
        """Do this in so many seconds."""
        deadline = Deadline(action, args)
        self.add(seconds, deadline)
        return deadline

    def add(self, seconds: float, due: Due) -> None:
        """Have this pass in so many seconds, unless it is done before."""
        at = due.at = self._now() + seconds
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._new_queue(seconds, at)
        waiting = queue.waiting
        if waiting and waiting[0].done():
            waiting.popleft()
        waiting.append(due)
        if len(waiting) > queue.size:
            _thin_out(queue)
        if at < self._timer_at:
            self._set_timer(at)

    def _new_queue(self, seconds: float, at: float) -> _Queue:
        if len(self._queues) >= self._size and not self._rings:
            self._thin_out()
        queue = self._queues[seconds] = _Queue(seconds)
        self._push(at, queue)
        return queue

    def _push(self, at: float, queue: _Queue) -> None:
        self._count += 1
        heapq.heappush(self._fronts, (at, self._count, queue))

    def _thin_out(self) -> None:
        """Timeouts of which nothing waits are forgotten; a caller may well use another one each time."""
        for queue in self._queues.values():
            _thin_out(queue)
        self._queues = {seconds: queue for seconds, queue in self._queues.items() if queue.waiting}
        self._fronts = [front for front in self._fronts if front[2].waiting]
        heapq.heapify(self._fronts)
        self._size = max(ROOM, 2 * len(self._queues))

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        self._timer, self._timer_at = None, float("inf")
        self._rings = True
        due: list[tuple[float, int, _Queue]] = []  # not what is set meanwhile: the loop turns before that
        while self._fronts and self._fronts[0][0] <= now:
            due.append(heapq.heappop(self._fronts))
        due.reverse()
        try:
            while due:
                self._pass(due.pop()[2], now)
        finally:  # one action that fails must not silence the deadlines behind it
            self._rings = False
            for front in due:
                heapq.heappush(self._fronts, front)
            if self._fronts and self._fronts[0][0] < self._timer_at:
                self._set_timer(self._fronts[0][0])

    def _pass(self, queue: _Queue, now: float) -> None:
        waiting = queue.waiting
        try:
            while waiting and (waiting[0].done() or waiting[0].at <= now):
                waiting.popleft().pass_(queue.seconds)
        finally:
            if waiting:
                self._push(waiting[0].at, queue)
            else:
                del self._queues[queue.seconds]


def _thin_out(queue: _Queue) -> None:
    """One that stays open for long must not keep those behind it, which are done, in memory."""
    still = [due for due in queue.waiting if not due.done()]
    queue.waiting.clear()
    queue.waiting.extend(still)
    queue.size = max(ROOM, 2 * len(still))
