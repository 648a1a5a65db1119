"""Ready actors, and the few worker tasks that run them.

An idle actor has no task. A cell with mail stands once in the ready queue; workers take cells in a row. Before a worker
runs a cell while more are ready it wakes a spare one, so that a handler that waits blocks nobody. After a budget of
messages, or some time, a worker lets the event loop run. A worker that was cancelled is never used again, nor is one
whose context variables a handler has changed: so none reaches the next message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Protocol, TypeVar

from .abandon import abandon
from .deadline import now_of
from .inside import SPEAKER, Speaker

T = TypeVar("T")

BUDGET = 256
"""Messages that a cell handles in a row before others have their turn, and a worker before the loop has its."""

SLICE = 0.01
"""Seconds after which a worker lets the loop run, however few messages were handled: handlers may block."""

TAINTED = 1 << 30
"""Given back for a worker that is to handle nothing more."""

SPARE = 64
"""Workers that wait for work; more than these end when there is none."""


class Runnable(Speaker, Protocol):
    """What stands in the ready queue."""

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two messages."""
        ...

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:
        """Handle what is waiting now, at most a budget of it; give back how many messages that were, and the whole
        budget when it is `until` or later.

        Ends early when the context is no longer `clean`, or the worker was cancelled, and then gives back TAINTED.
        """
        ...


class Scheduler:
    """Runs ready cells on a pool of workers of one event loop.

    Args:
        fatal: told when a worker dies of something else than its cancellation.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fatal: Callable[[BaseException], None]) -> None:
        self.ready: deque[Runnable] = deque()
        self._loop = loop
        self._fatal = fatal
        self._context = _surroundings()
        self._parked: list[asyncio.Future[None]] = []
        self._workers: dict[asyncio.Task[None], list[Runnable | None]] = {}
        self._waking = False
        self._pausing = 0
        self._closed = False
        self._now = now_of(loop)
        self.slice = SLICE
        self.until = 0.0  # when whoever is at work has been so for long enough

    def activate(self, cell: Runnable) -> None:
        """Put a cell into the ready queue; the caller makes sure that it is not there yet."""
        self.ready.append(cell)
        if not self._waking:
            self._wake()

    def task(self, work: Coroutine[object, None, T], name: str, speaker: Speaker | None = None) -> asyncio.Task[T]:
        """Run this beside the workers, with none of the caller's context variables, on behalf of that actor."""
        context = self._context.copy()
        if speaker is not None:
            context.run(SPEAKER.set, speaker)
        return self._loop.create_task(work, name=name, context=context)

    def apart(self, function: Callable[[], T], speaker: Speaker) -> T:
        """Call this at once, with none of the caller's context variables, on behalf of that actor."""
        context = self._context.copy()
        context.run(SPEAKER.set, speaker)
        return context.run(function)

    def running(self, task: asyncio.Task[object]) -> tuple[str, str] | None:
        """The path of the actor that a worker runs and the type name of its message, empty between two messages.

        None for a task that runs no actor. May be called from any thread.
        """
        held = self._workers.get(task)  # type: ignore[arg-type]  # any task may be looked up
        cell = None if held is None else held[0]
        return None if cell is None else (cell.path, cell.handling)

    async def close(self) -> None:
        """End every worker, also those in the middle of a handler; a second is given to those that resist."""
        self._closed = True
        workers = set(self._workers)
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers, timeout=1.0)
            abandon(workers)

    def _wake(self) -> None:
        if self._closed:
            return
        self._waking = True
        while self._parked:
            parked = self._parked.pop()
            if not parked.done():
                parked.set_result(None)
                return
        # A context of its own: the one that happens to wake it may be inside a turn.
        held: list[Runnable | None] = [None]
        worker = self.task(self._work(held), "choragus:worker")
        self._workers[worker] = held
        worker.add_done_callback(self._ended)

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.pop(worker, None)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._fatal(error)
        self._waking = False  # it may have been the one that was being woken
        if self.ready:
            self._wake()

    async def _work(self, held: list[Runnable | None]) -> None:
        """Take cells in a row, park when none is ready. `held` says which one is in hand."""
        ready = self.ready
        me = asyncio.current_task()
        assert me is not None
        while not self._closed:
            self._waking = False
            self.until = self._now() + self.slice
            used = 0
            while ready and not self._pausing:
                cell = ready.popleft()
                if ready and not self._waking:
                    self._wake()
                held[0] = cell
                SPEAKER.set(cell)
                used += await cell.drain(me, copy_context())
                if used >= BUDGET:
                    if used >= TAINTED:
                        return
                    used = 0
                    if ready:
                        await self._pause()
            held[0] = None
            if not (self._waking or self._pausing):
                # Whoever was answered may have the next message at once: stay for one more turn of the loop.
                self._waking = True
                try:
                    await asyncio.sleep(0)
                finally:
                    self._waking = False
                if ready:
                    continue
            if len(self._parked) >= SPARE:
                return
            waiter = self._loop.create_future()
            self._parked.append(waiter)
            await waiter

    async def _pause(self) -> None:
        """Let the loop run. Meanwhile nobody else goes on with what is ready, or the loop would wait for them all."""
        self._pausing += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._pausing -= 1
        self.until = self._now() + self.slice


def _surroundings() -> Context:
    """The context variables of now, without decimal's: its value is changed in place, so it cannot be shared."""
    context = Context()
    for variable, value in copy_context().items():
        if variable.name != "decimal_context":
            context.run(variable.set, value)
    return context


def has_changed(clean: Context) -> bool:
    """Whether context variables are no longer those of `clean`; yes, when they cannot be compared.

    Contexts are compared by the equality of their values, at once when nothing was set. Where there are others than
    ours, each is looked at: an equal value of another handler is another value.
    """
    try:
        now = copy_context()
        return now != clean or (len(clean) > 1 and any(now[var] is not value for var, value in clean.items()))
    except Exception:
        return True
