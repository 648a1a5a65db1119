"""What a supervisor has to do, one thing after the other, now or after a delay."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from choragus.actors.kernel import Kernel

Job = Callable[[], Awaitable[None]]


class Jobs:
    """Does jobs in order, from `open` to `close`; there is a task only while there is something to do."""

    def __init__(self, kernel: Kernel, path: str) -> None:
        self._kernel = kernel
        self._name = f"choragus:{path or 'root'}"
        self._waiting: deque[Job] = deque()
        self._delays: set[asyncio.TimerHandle] = set()
        self._working: asyncio.Task[None] | None = None
        self._is_open = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done, or waits to be."""
        return self._is_open and not self._waiting and (self._working is None or self._working.done())

    def add(self, job: Job) -> None:
        """Do this when what was asked before is done."""
        self._waiting.append(job)
        self._go_on()

    def add_later(self, after: float, job: Job) -> None:
        """Add the job in so many seconds, unless all is closed before."""

        def due() -> None:
            self._delays.discard(handle)
            self.add(job)

        handle = self._kernel.loop.call_later(after, due)
        self._delays.add(handle)

    def open(self) -> None:
        """Do what waits, and what will come."""
        self._is_open = True
        self._go_on()

    def close(self) -> None:
        """Forget what waits, also what is delayed."""
        self._is_open = False
        for delay in self._delays:
            delay.cancel()
        self._delays.clear()
        self._waiting.clear()

    def cancel(self) -> None:
        """Break off the job in hand."""
        if self._working is not None:
            self._working.cancel()

    def _go_on(self) -> None:
        if self._waiting and self._is_open and (self._working is None or self._working.done()):
            self._working = self._kernel.scheduler.task(self._work(), self._name)
            self._working.add_done_callback(self._worked)

    async def _work(self) -> None:
        while self._waiting:
            await self._waiting.popleft()()
            if self._waiting:  # a start that fails at once is tried again: whatever else is ready comes between
                await asyncio.sleep(0)

    def _worked(self, task: asyncio.Task[None]) -> None:
        """A decision itself failed: that is a fault of ours, and the system cannot go on."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._kernel.fail(error)
