"""An event loop without a world: time jumps, the order comes from a seed, and nothing outside is reached."""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from types import CoroutineType, FrameType
from typing import Never, TypeVar

from .errors import Deadlock, NotSimulated, Overrun
from .order import Order

T = TypeVar("T")

EPOCH = 1_600_000_000.0
"""The wall time at which every simulation begins: 13 September 2020."""

STEPS = 1_000_000
"""Callbacks that a simulation may take."""

SPIN = 10_000
"""Callbacks at one instant after which time goes on all the same: something spins, as a busy loop does."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks in an order that the seed decides, and jumps to the next timer when none is ready.

    `time()` begins at 0 and moves by jumps only: a sleep of 3,600 s is free. The same seed gives the same run, as long
    as the code under test draws on nothing else that differs (the real clock, addresses, the hash seed of strings).
    Seed 0 is asyncio's own order. Threads, sockets, processes and signals raise NotSimulated; `run_in_executor` (and so
    `asyncio.to_thread`) calls the function on the loop. Not for code that needs a real database file.

    Args:
        seed: which interleaving.
        steps: callbacks after which Overrun is raised.
    """

    is_simulated = True
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int
    _thread_id: int | None

    def __init__(self, seed: int = 0, *, steps: int = STEPS) -> None:
        super().__init__()
        self.seed = seed
        self.failures: list[BaseException] = []
        self._order = Order(seed)
        self._now = 0.0
        self._steps = 0
        self._limit = steps
        self._at_once = 0
        self._quiet: deque[asyncio.Future[None]] = deque()
        self.set_exception_handler(_note)

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def quiet(self) -> asyncio.Future[None]:
        """A future that is done when nothing else can happen at this instant."""
        future: asyncio.Future[None] = self.create_future()
        self._quiet.append(future)
        return future

    def grant(self, steps: int) -> None:
        """Allow so many more steps from here."""
        self._limit = self._steps + steps

    def waiting(self) -> list[str]:
        """Which unfinished task waits where, by name."""
        return sorted(_where(task) for task in asyncio.all_tasks(self) if not task.done())

    # One step.

    def _run_once(self) -> None:
        """Called by `run_forever`, over and over."""
        self._come_due()
        if not self._ready:
            self._move_on()
            return
        index = self._order.choose(self._ready)
        handle = self._ready[index]
        del self._ready[index]
        if handle.cancelled():
            return
        self._steps += 1
        self._at_once += 1
        if self._steps > self._limit:
            raise Overrun(self._now, self._limit, self.waiting())
        if self._at_once > SPIN:
            self._jump()
        handle._run()

    def _come_due(self) -> None:
        due: list[asyncio.TimerHandle] = []
        while self._scheduled and (self._scheduled[0].cancelled() or self._scheduled[0].when() <= self._now):
            timer = heapq.heappop(self._scheduled)
            setattr(timer, "_scheduled", False)  # noqa: B010  # as BaseEventLoop does; the stub does not show it
            if timer.cancelled():
                self._timer_cancelled_count -= 1
            else:
                due.append(timer)
        if due:
            due = self._order.shuffled(due) if due[0].when() == due[-1].when() else due
            self._ready.extend(due)

    def _move_on(self) -> None:
        """Nothing is ready: tell who waits for that, else let time pass."""
        while self._quiet:
            quiet = self._quiet.popleft()
            if not quiet.done():
                quiet.set_result(None)
                return
        if not self._jump():
            raise Deadlock(self._now, self.waiting())

    def _jump(self) -> bool:
        """Go to the next timer, if there is one."""
        self._at_once = 0
        if self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())
        return bool(self._scheduled)

    # What the world would do.

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        if self._thread_id not in (None, threading.get_ident()):
            raise NotSimulated("another thread calls into a simulated loop: its moment would not be the seed's")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Call the function on the loop, in a step of its own; what it raises, SystemExit too, is the future's."""
        outcome: asyncio.Future[T] = self.create_future()

        def call() -> None:
            try:
                outcome.set_result(func(*args))
            except BaseException as error:
                outcome.set_exception(error if not isinstance(error, StopIteration) else RuntimeError(repr(error)))

        async def step() -> None:
            if not outcome.cancelled():
                call()

        self.create_task(step(), name="simulated thread")
        return outcome

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def _process_events(self, event_list: object) -> None:
        """There are none."""


def _outside(name: str) -> Callable[..., Never]:
    def refuse(*args: object, **keywords: object) -> Never:
        """Refused, with NotSimulated."""
        raise NotSimulated(f"loop.{name}() reaches outside the simulation: put a fake in its place, or use a real loop")

    return refuse


for _name in [
    "add_reader",
    "add_writer",
    "remove_reader",
    "remove_writer",
    "add_signal_handler",
    "remove_signal_handler",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "connect_accepted_socket",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
]:
    setattr(SimulatedLoop, _name, _outside(_name))


def clock() -> float:
    """The wall time of the simulation that runs, in seconds since the epoch: `System(..., clock=clock)`.

    Raises:
        RuntimeError: when no simulation runs.
    """
    return EPOCH + running().time()


async def settled() -> None:
    """Wait until nothing else can happen without time passing.

    Raises:
        RuntimeError: when no simulation runs.
    """
    await running().quiet()


def running() -> SimulatedLoop:
    """The simulated loop that runs.

    Raises:
        RuntimeError: when there is none.
    """
    loop = asyncio._get_running_loop()
    if not isinstance(loop, SimulatedLoop):
        raise RuntimeError("no simulation runs here: use simulate(main) or @simulated()")
    return loop


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    if isinstance(error, BaseException) and isinstance(loop, SimulatedLoop):
        loop.failures.append(error)
    else:
        loop.default_exception_handler(context)


def _where(task: asyncio.Task[object]) -> str:
    inner: object = task.get_coro()
    frame: FrameType | None = None
    while isinstance(inner, CoroutineType):
        frame, inner = inner.cr_frame or frame, inner.cr_await
    if frame is None:
        return f"{task.get_name()}: {task.get_coro()!r}"
    code = frame.f_code
    return f"{task.get_name()} in {code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
