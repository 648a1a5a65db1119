"""A running supervisor: carries decisions out, one at a time, and has no task while there is nothing to do."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from choragus.actors.cell import Cell
from choragus.actors.errors import ActorStopped
from choragus.actors.kernel import Kernel
from choragus.actors.status import Failure, Status

from .errors import AlreadyStarted, Escalated, StartFailed
from .spec import Child, Restart, Supervisor
from .strategy import Escalate, Forget, RestartChild, decide

STOP = 5.0
"""Seconds for a child without a shutdown time of its own."""

REMEMBERED = 1000
"""Restarts and failures that are kept, at most."""


class Above(Protocol):
    """Who a supervisor reports to."""

    def child_failed(self, child: Node, failure: Failure) -> None:
        """Take note that the supervisor has given up; its children are stopped."""
        ...


Running: TypeAlias = "Cell | Node"
Job = Callable[[], Awaitable[None]]


class Node:
    """One supervisor of the tree. Stopped, it may be started again: its static children then keep their refs."""

    def __init__(self, kernel: Kernel, above: Above, path: str, spec: Supervisor) -> None:
        self.path = path
        self.spec = spec
        self.status = Status.STARTING
        self._kernel = kernel
        self._above = above
        self._static: dict[str, Running] = {}
        self._specs: dict[str, Child | Supervisor] = {}
        self._children: dict[str, Running] = {}
        self._restarts: list[float] = []
        self._failures: deque[tuple[float, Failure]] = deque(maxlen=REMEMBERED)
        self._jobs: deque[Job] = deque()
        self._working: asyncio.Task[None] | None = None
        self._delays: set[asyncio.TimerHandle] = set()
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the children in order; when one fails, stop those before it in reverse.

        Children that fail meanwhile are decided upon when all are up, as OTP does.

        Raises:
            StartFailed: naming the child, with its failure as the cause.
            ActorStopped: when the supervisor is stopped meanwhile.
        """
        self.status = Status.STARTING
        self._specs = {}
        self._children = {}
        self._restarts = []
        self._failures.clear()
        for spec in self.spec.children:
            try:
                self._static[spec.name] = await self._start_child(spec, self._static.get(spec.name))
            except Exception as error:
                if self._is_ending:
                    raise ActorStopped(self.path) from error
                await self.stop()
                if isinstance(error, StartFailed):
                    raise
                raise StartFailed(self._path(spec.name)) from error
            if self._is_ending:
                raise ActorStopped(self.path)
        self.status = Status.RUNNING
        self._go_on()

    async def spawn(self, spec: Child | Supervisor) -> Running:
        """Start one more child.

        Raises:
            AlreadyStarted: when its name is alive.
            ActorStopped: when the supervisor has stopped, or stops meanwhile.
        """
        if self._is_ending:
            raise ActorStopped(self.path or "the system")
        living = self._children.get(spec.name)
        if living is not None and living.status is not Status.STOPPED:
            raise AlreadyStarted(f"{self._path(spec.name)} is alive already: use another name, or stop it first")
        return await self._start_child(spec, None)

    async def stop(self) -> None:
        """Stop the children one by one in reverse start order, each within its own deadline.

        Called again meanwhile, it waits for the first call; a caller that is cancelled leaves it stopping.
        """
        if self.status is not Status.STOPPED:
            await asyncio.shield(self._begin_end())

    def find(self, path: str) -> Running | None:
        """The running child at a path below this supervisor."""
        name, _, rest = path.partition("/")
        child = self._children.get(name)
        if not rest:
            return child
        return child.find(rest) if isinstance(child, Node) else None

    def child_failed(self, child: Running, failure: Failure) -> None:
        """A child failed and waits for a decision."""
        self._failures.append((self._kernel.loop.time(), failure))
        self._later(lambda: self._decide(child))

    @property
    def _is_ending(self) -> bool:
        return self.status in (Status.STOPPING, Status.STOPPED)

    def _begin_end(self) -> asyncio.Task[None]:
        """From here on nothing is decided any more."""
        if self._ending is None:
            self.status = Status.STOPPING
            for delay in self._delays:
                delay.cancel()
            self._delays.clear()
            self._jobs.clear()
            self._ending = self._kernel.loop.create_task(self._end(), name=f"choragus:{self.path or 'root'}:stop")
        return self._ending

    async def _end(self) -> None:
        if self._working is not None:
            self._working.cancel()
        for name, child in reversed(tuple(self._children.items())):
            await self._stop_child(child, self._specs[name])
        self.status = Status.STOPPED
        self._ending = None

    # Decisions: jobs, done one after the other.

    async def _decide(self, child: Running) -> None:
        name = child.path.rpartition("/")[2]
        if self._children.get(name) is not child:
            return
        spec = self._specs[name]
        restart = spec.restart if isinstance(spec, Child) else Restart.PERMANENT
        now = self._kernel.loop.time()
        match decide(self.spec.strategy, restart, self._restarts, now, random.random()):
            case RestartChild(after):
                self._restarts = [*self._restarts[-REMEMBERED:], now]
                if after:
                    self._delay(after, lambda: self._restart(child))
                else:
                    await self._restart(child)
            case Forget():
                del self._children[name], self._specs[name]
                await self._stop_child(child, spec)
            case Escalate(reason):
                self._give_up(reason)

    async def _restart(self, child: Running) -> None:
        try:
            await (child.start() if isinstance(child, Node) else child.restart())
        except Exception as error:
            if not self._is_ending:
                self.child_failed(child, Failure(child.path, error))

    def _give_up(self, reason: str) -> None:
        """Stop, and then tell the one above; unless it stops this supervisor meanwhile."""
        since = self._kernel.loop.time() - self.spec.strategy.within
        causes = [failure for at, failure in self._failures if at >= since] or [self._failures[-1][1]]
        escalated = Failure(self.path, Escalated(self.path, reason, causes))
        # The first callback: whoever waits for the end hears of it after the one above.
        self._begin_end().add_done_callback(lambda ending: self._escalate(ending, escalated))

    def _escalate(self, ending: asyncio.Task[None], failure: Failure) -> None:
        if not ending.cancelled() and (error := ending.exception()) is not None:
            self._kernel.fail(error)
        else:
            self._above.child_failed(self, failure)

    async def _start_child(self, spec: Child | Supervisor, again: Running | None) -> Running:
        child = again or self._make(spec)
        self._specs[spec.name] = spec
        self._children.pop(spec.name, None)  # a name used again stands at the end of the order
        self._children[spec.name] = child
        try:
            await child.start()
        except BaseException as error:
            partly_up = isinstance(child, Node) and not isinstance(error, Exception)  # a stop will find it here
            if self._children.get(spec.name) is child and not partly_up:
                del self._specs[spec.name], self._children[spec.name]
            if isinstance(child, Cell):  # nobody else will: its mail is refused, and who waits for room is told
                await child.stop(STOP)
            raise
        return child

    def _make(self, spec: Child | Supervisor) -> Running:
        path = self._path(spec.name)
        if isinstance(spec, Supervisor):
            return Node(self._kernel, self, path, spec)
        return Cell(self._kernel, self, path, lambda: spec.actor(*spec.args, **spec.kwargs), spec.mailbox)

    async def _stop_child(self, child: Running, spec: Child | Supervisor) -> None:
        if isinstance(child, Node):
            await child.stop()
        else:
            await child.stop(spec.shutdown if isinstance(spec, Child) else STOP)

    def _path(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def _delay(self, after: float, job: Job) -> None:
        def due() -> None:
            self._delays.discard(handle)
            self._later(job)

        handle = self._kernel.loop.call_later(after, due)
        self._delays.add(handle)

    def _later(self, job: Job) -> None:
        """Do this when what was asked before is done."""
        if not self._is_ending:
            self._jobs.append(job)
            self._go_on()

    def _go_on(self) -> None:
        if self._jobs and self.status is Status.RUNNING and (self._working is None or self._working.done()):
            self._working = self._kernel.loop.create_task(self._work(), name=f"choragus:{self.path or 'root'}")
            self._working.add_done_callback(self._worked)

    async def _work(self) -> None:
        while self._jobs:
            await self._jobs.popleft()()

    def _worked(self, task: asyncio.Task[None]) -> None:
        """A decision itself failed: that is a fault of ours, and the system cannot go on."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._kernel.fail(error)
