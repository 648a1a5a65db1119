"""A running supervisor: carries decisions out, one at a time, and has no task while there is nothing to do."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from choragus.actors.cell import Cell, Failure, Status
from choragus.actors.kernel import Kernel

from .errors import AlreadyStarted, Escalated, StartFailed
from .spec import Child, Restart, Supervisor
from .strategy import Escalate, Forget, RestartChild, decide

STOP = 5.0
"""Seconds for a child without a shutdown time of its own."""


class Above(Protocol):
    """Who a supervisor reports to."""

    def child_failed(self, child: Node, failure: Failure) -> None:
        """Take note that the supervisor has given up; its children are stopped."""
        ...


Running: TypeAlias = "Cell | Node"
Job = Callable[[], Awaitable[None]]


class Node:
    """One supervisor of the tree."""

    def __init__(self, kernel: Kernel, above: Above, path: str, spec: Supervisor) -> None:
        self.path = path
        self.spec = spec
        self.status = Status.STARTING
        self._kernel = kernel
        self._above = above
        self._specs: dict[str, Child | Supervisor] = {}
        self._children: dict[str, Cell | Node] = {}
        self._restarts: list[float] = []
        self._failures: deque[Failure] = deque(maxlen=8)
        self._jobs: deque[Job] = deque()
        self._working: asyncio.Task[None] | None = None
        self._delays: set[asyncio.TimerHandle] = set()

    async def start(self) -> None:
        """Start the children in order; when one fails, stop those before it in reverse.

        Raises:
            StartFailed: naming the child, with its failure as the cause.
        """
        self.status = Status.STARTING
        self._specs = {}
        self._children = {}
        self._restarts = []
        self._failures.clear()
        for spec in self.spec.children:
            try:
                await self._start_child(spec)
            except Exception as error:
                await self.stop()
                raise error if isinstance(error, StartFailed) else StartFailed(self._path(spec.name)) from error
        self.status = Status.RUNNING

    async def spawn(self, spec: Child | Supervisor) -> Cell | Node:
        """Start one more child.

        Raises:
            AlreadyStarted: when its name is alive.
        """
        living = self._children.get(spec.name)
        if living is not None and living.status is not Status.STOPPED:
            raise AlreadyStarted(f"{self._path(spec.name)} is alive already: use another name, or stop it first")
        return await self._start_child(spec)

    async def stop(self) -> None:
        """Stop the children one by one in reverse start order, each within its own deadline."""
        if self.status is Status.STOPPED:
            return
        self.status = Status.STOPPING
        for delay in self._delays:
            delay.cancel()
        self._jobs.clear()
        if self._working is not None and self._working is not asyncio.current_task():
            self._working.cancel()
        for name, child in reversed(tuple(self._children.items())):
            if isinstance(child, Node):
                await child.stop()
            else:
                await child.stop(self._shutdown(name))
        self.status = Status.STOPPED

    def find(self, path: str) -> Cell | Node | None:
        """The running child at a path below this supervisor."""
        name, _, rest = path.partition("/")
        child = self._children.get(name)
        return child.find(rest) if rest and isinstance(child, Node) else None if rest else child

    def child_failed(self, child: Running, failure: Failure) -> None:
        """A child failed and waits for a decision."""
        self._failures.append(failure)
        self._later(lambda: self._decide(child, failure))

    async def _decide(self, child: Running, failure: Failure) -> None:
        name = child.path.rpartition("/")[2]
        if self._children.get(name) is not child:
            return
        spec = self._specs[name]
        restart = spec.restart if isinstance(spec, Child) else Restart.PERMANENT
        now = self._kernel.loop.time()
        match decide(self.spec.strategy, restart, self._restarts, now, random.random()):
            case RestartChild(after):
                self._restarts = [*self._restarts[-1000:], now]
                if after:
                    self._delay(after, lambda: self._restart(child))
                else:
                    await self._restart(child)
            case Forget():
                del self._children[name], self._specs[name]
                await self._stop_child(child)
            case Escalate(reason):
                await self._give_up(reason)

    async def _restart(self, child: Running) -> None:
        try:
            if isinstance(child, Node):
                await child.start()
            else:
                await child.restart()
        except Exception as error:
            self.child_failed(child, Failure(child.path, error))

    async def _give_up(self, reason: str) -> None:
        await self.stop()
        self._above.child_failed(self, Failure(self.path, Escalated(self.path, reason, self._failures)))

    async def _start_child(self, spec: Child | Supervisor) -> Cell | Node:
        path = self._path(spec.name)
        if isinstance(spec, Supervisor):
            child: Cell | Node = Node(self._kernel, self, path, spec)
        else:
            child = Cell(self._kernel, self, path, lambda: spec.actor(*spec.args, **spec.kwargs), spec.mailbox)
        self._specs[spec.name] = spec
        self._children[spec.name] = child
        try:
            await child.start()
        except BaseException:
            del self._specs[spec.name], self._children[spec.name]
            raise
        return child

    async def _stop_child(self, child: Running) -> None:
        if isinstance(child, Node):
            await child.stop()
        else:
            await child.stop(STOP)

    def _shutdown(self, name: str) -> float:
        spec = self._specs[name]
        return spec.shutdown if isinstance(spec, Child) else STOP

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
        if self.status in (Status.STOPPING, Status.STOPPED):
            return
        self._jobs.append(job)
        if self._working is None or self._working.done():
            self._working = self._kernel.loop.create_task(self._work(), name=f"choragus:{self.path or 'root'}")
            self._working.add_done_callback(self._worked)

    async def _work(self) -> None:
        while self._jobs:
            await self._jobs.popleft()()

    def _worked(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._above.child_failed(self, Failure(self.path, error))
