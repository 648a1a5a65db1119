"""The core of a system: its loop, clock, scheduler and events, and what volatile actors ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Never, TypeVar

from .cell import Cell
from .deadline import Deadlines, now_of
from .event import Events
from .host import SLOW
from .local_ref import AdapterRef, LocalRef
from .place import Seat
from .process import Processes
from .ref import Ref
from .registry import Registry
from .scheduler import Scheduler
from .topic import Topics
from .trace import Trace
from .watchdog import Watchdog, WatchdogThread

T = TypeVar("T")
V = TypeVar("V")


class Core:
    """All that volatile actors need.

    Args:
        fatal: told once when a loop of the kernel dies; the system ends.
    """

    def __init__(self, fatal: Callable[[BaseException], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = now_of(self.loop)
        self.events = Events()
        self.scheduler = Scheduler(self.loop, self.fail)
        self.deadlines = Deadlines(self.loop)
        self.trace = Trace()
        self.record = self.trace.record
        self.names = Registry()
        self.topics = Topics()
        self.processes = Processes()
        self.slow = SLOW
        self.stopped = False
        self._fatal = fatal
        self._died: asyncio.Future[None] = self.loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchdog: WatchdogThread | None = None

    @property
    def has_died(self) -> bool:
        """Whether a loop of the kernel has failed, so that nothing more can be written or promised."""
        return self._died.done()

    def fail(self, error: BaseException) -> None:
        """The kernel cannot go on: everybody who waits is told, and the system ends."""
        self.stopped = True
        if not self._died.done():
            self._died.set_result(None)
        self._end_waits()
        self._fatal(error)

    def watch(self, watchdog: Watchdog) -> None:
        """Report from now on what blocks the loop; nothing in a simulation, where time does not pass by itself."""
        if not getattr(self.loop, "is_simulated", False):
            self._watchdog = WatchdogThread(watchdog, self.loop, self.scheduler.running, self.events)

    def keep(self, work: Awaitable[None]) -> None:
        """Run a loop as long as the system runs; when it fails, the system ends."""
        # A task that is cancelled before it begins must not leave the coroutine of another behind.
        coroutine = work if isinstance(work, Coroutine) else _await(work)
        task = self.loop.create_task(coroutine, name="choragus:kernel")
        self._tasks.add(task)
        task.add_done_callback(self._loop_ended)

    # What volatile actors ask of the system.

    def ref_to(self, seat: Seat) -> Ref[Never]:
        """The ref of the actor in that cell."""
        assert isinstance(seat, Cell)
        return LocalRef(seat)

    def adapter(self, seat: Seat, translate: Callable[[T], object]) -> Ref[T]:
        """A ref whose messages are translated by the actor in that cell."""
        assert isinstance(seat, Cell)
        return AdapterRef(seat, translate)

    def seat_of(self, ref: Ref[Never]) -> Seat:
        """The cell behind a ref.

        Raises:
            TypeError: when it has none: links are between volatile actors.
        """
        if not isinstance(ref, LocalRef):
            raise TypeError(f"{ref.path} is no volatile actor: only those can be linked")
        return ref.cell

    def beside(self, seat: Seat, work: Coroutine[object, None, V], name: str) -> asyncio.Task[V]:
        """Run this in a task of its own, on behalf of that actor."""
        return self.scheduler.task(work, name, seat)

    def _end_waits(self) -> None:
        """Nobody will be answered any more."""

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)


async def _await(work: Awaitable[None]) -> None:
    await work
