"""A group of equal workers under one supervisor, and the ref that spreads messages over them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Never

import attrs

from choragus.actors.actor import Actor, M, table_of
from choragus.actors.errors import ActorStopped
from choragus.actors.event import Events
from choragus.actors.peek import is_idle, is_open
from choragus.actors.ref import Ref
from choragus.actors.router import Routee, Router, check_routing
from choragus.actors.routing import RoundRobin, Routing

from .errors import AlreadyPresent, AlreadyStarted, NotFound, SpecFault
from .handle import ChildInfo, SupervisorRef
from .slot import Slot
from .spec import Child, Spec, Supervisor
from .state import ChildState
from .supervisor import Node

FIRST_LOOK, LONGEST_LOOK = 0.001, 0.05
"""Seconds between two looks whether a worker that is let go has finished."""


def _no_children(children: object) -> tuple[Spec, ...]:
    if children:
        raise SpecFault("a pool makes its own children: say how many with size=")
    return ()


@attrs.frozen(kw_only=True)
class Pool(Supervisor, Generic[M]):
    """A supervisor with `size` workers of one kind; `System.pool()` gives the ref that routes to them.

    `Pool(Fetcher, name="fetchers", size=8)` starts `fetchers/Fetcher-1` to `-8`. When one fails, the strategy decides;
    while it restarts it keeps its place and its mail. One that is stopped for good is passed over.

    Args:
        worker: the actor's class, or a Child with its arguments, restart type, shutdown and mailbox; its name with
            a number is theirs.
        size: how many workers to start with.
        routing: who gets what; each in turn by default. LeastLoaded suits work of unequal length.

    All else as of Supervisor. When the supervisor is itself restarted, it starts `size` workers again.
    """

    worker: type[Actor[M]] | Child[M] = attrs.field(kw_only=False)
    size: int = 1
    routing: Routing[M] = attrs.field(factory=RoundRobin)
    children: tuple[Spec, ...] = attrs.field(default=(), converter=_no_children)

    def __attrs_post_init__(self) -> None:
        check_size(f"pool {self.name!r}", self.size)
        try:
            check_routing(self.routing)
        except TypeError as error:
            raise SpecFault(f"pool {self.name!r}: {error}") from error
        object.__setattr__(self, "children", tuple(self.child(number + 1) for number in range(self.size)))
        super().__attrs_post_init__()

    def child(self, number: int) -> Child[M]:
        """The spec of one worker; numbers begin at 1."""
        worker = self.worker
        if isinstance(worker, Child):
            return attrs.evolve(worker, name=f"{worker.name}-{number}")
        return Child(worker, name=f"{getattr(worker, '__name__', 'worker')}-{number}")


class PoolRef(Router[M]):
    """Routes to the workers of a pool; the same over restarts, of theirs and of their supervisor."""

    __slots__ = ("__weakref__", "_known", "_leaving", "_node", "_pool", "_resizing", "_seen")

    def __init__(self, node: Node, pool: Pool[M]) -> None:
        self._node = node
        self._pool = pool
        self._routing = pool.routing
        self._path = node.path
        self._turn = 0
        self._known: tuple[Routee[M], ...] = ()
        self._seen: tuple[int, Slot | None] = (0, None)
        self._leaving: set[str] = set()
        self._resizing = asyncio.Lock()

    @property
    def node(self) -> Node:
        """The pool's supervisor."""
        return self._node

    @property
    def events(self) -> Events:
        """The event stream of its system."""
        return self._node.kernel.events

    async def resize(self, size: int) -> None:
        """Have so many workers, and return when they are up, or gone.

        Those that go are the last ones: they get nothing new from here on, have their `shutdown` seconds to handle what
        waits in their mailboxes, and are then stopped; what still waits then is refused, as at any stop. A caller that
        is cancelled leaves the workers that are through as they are, and those that are not in the pool. One
        resize is done after the other. Do not await it in a worker of the pool.

        Raises:
            ValueError: when the size is less than 1.
            ActorStopped: when the pool has stopped.
        """
        check_size(self._path, size)
        async with self._resizing:
            supervisor = SupervisorRef(self._node)
            wanted = {spec.name: spec for spec in (self._pool.child(number + 1) for number in range(size))}
            there = {child.name: child for child in supervisor.children()}
            extra = [child for name, child in there.items() if name not in wanted]
            self._leaving = {child.name for child in extra}
            self._forget()
            try:
                for name, spec in wanted.items():
                    if name not in there or there[name].state is ChildState.STOPPED:
                        await _start(supervisor, spec)
                await asyncio.gather(*(self._let_go(supervisor, child) for child in extra))
            finally:
                self._leaving = set()
                self._forget()

    async def _let_go(self, supervisor: SupervisorRef, child: ChildInfo) -> None:
        if isinstance(child.ref, Ref):
            await self._finished(child.ref, self._pool.child(1).shutdown)
        try:
            await supervisor.stop_child(child.name)
            supervisor.delete_child(child.name)
        except NotFound:  # a temporary one leaves nothing
            return

    async def _finished(self, ref: Ref[Never], patience: float) -> None:
        """Wait until its actor has nothing left to do, or so many seconds."""
        loop = self._node.kernel.loop
        end, pause = loop.time() + patience, FIRST_LOOK
        while is_open(ref) and not is_idle(ref) and loop.time() < end:
            await asyncio.sleep(min(pause, end - loop.time()))
            pause = min(2 * pause, LONGEST_LOOK)

    def _group(self) -> Sequence[Routee[M]]:
        """The workers; looked up anew when the supervisor's children are others than before.

        A child that is added is always the last, in a place of its own.
        """
        slots = self._node.slots
        seen = (len(slots), next(reversed(slots.values()), None))
        if seen != self._seen:
            children = () if self._node.is_ending else SupervisorRef(self._node).children()
            self._known = tuple(self._workers(children))
            self._seen = seen
            if any(child.state is ChildState.STARTING for child in children):
                self._forget()
        return self._known

    def _workers(self, children: Iterable[ChildInfo]) -> Iterator[Routee[M]]:
        """Those that get messages; one that is new does when it is up, for it may fail to come up."""
        for child in children:
            starts = child.state is ChildState.STARTING
            if not starts and child.name not in self._leaving and isinstance(child.ref, Ref):
                yield Routee(child.ref, child.ref.path)

    def _forget(self) -> None:
        self._seen = (-1, None)


def check_size(what: str, size: object) -> None:
    """Refuse what is no number of workers.

    Raises:
        SpecFault: a ValueError, naming it.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise SpecFault(f"{what}: size={size!r} must be a whole number, 1 or more")


async def _start(supervisor: SupervisorRef, spec: Child[Never]) -> None:
    try:
        await supervisor.start_child(spec)
    except AlreadyStarted:
        return
    except AlreadyPresent:  # it was stopped on request
        await supervisor.restart_child(spec.name)


def pool_at(found: object, path: str, actor: type[Actor[M]]) -> PoolRef[M]:
    """The ref of the pool that stands there, to be sent what such an actor takes.

    Raises:
        ActorStopped: when there is no such pool.
    """
    if isinstance(found, Node) and isinstance(found.spec, Pool):
        ref: PoolRef[M] = PoolRef(found, found.spec)
        if all(ref.takes(message) for message in table_of(actor)):
            return ref
    raise ActorStopped(f"{path} (as a pool of {actor.__name__})")
