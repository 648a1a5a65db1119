"""The system: a supervision tree, its kernel, and the store behind its durable actors."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Never, Self

import anyio

from choragus.actors.actor import Actor, M
from choragus.actors.cell import Cell, Failure
from choragus.actors.effect import Runner
from choragus.actors.errors import ActorStopped, SystemStopped
from choragus.actors.event import Events
from choragus.actors.kernel import Kernel
from choragus.actors.ref import LocalRef, Ref
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .errors import Escalated, SpecFault, SystemFailed
from .region import RegionNode
from .signals import orderly_signals
from .spec import MAILBOX, Child, Region, Restart, Supervisor
from .supervisor import STOP, Node

Durable = type[Actor[Never]] | Region


class System:
    """Actors under supervision, from `async with` to its end.

    Without a path everything lives in memory. With one, the durable `actors` live in that SQLite file: opening it
    again goes on with whatever was unfinished. Leaving the block shuts down in order: the host is refused, durable
    actors finish their turn, effects get their deadline, supervisors stop their children in reverse, everything is
    flushed. When the top of the tree gives up, the block's body is cancelled and SystemFailed is raised.

    Args:
        path: the database file, made when it is missing. None: in memory.
        tree: supervisors or children, below the root.
        actors: the types of durable actors, or regions that say how they are supervised.
        runners: who runs the effects of durable actors, by name.
        resources: what durable actors find as `self.resources`; never stored.
        held: keys whose durable actors are not woken; what they have waiting stays.
        store: a store of your own instead of a path.
        signals: whether SIGINT and SIGTERM end the system in order; a second one ends the process at once.
        clock: wall time, seconds since the epoch.
        shutdown: seconds that durable actors and effects have to finish at the end.

    Raises:
        RuntimeError: when entered under trio.
        FileInUse: when a live process owns the file.
        NotChoragusFile: when the file is something else.
        NewerSchema: when the file was written by a newer choragus.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        tree: Supervisor | Child | Iterable[Supervisor | Child] = (),
        *,
        actors: Iterable[Durable] = (),
        runners: Mapping[str, Runner] | None = None,
        resources: object = None,
        held: Iterable[str] = (),
        store: Store | None = None,
        signals: bool = False,
        clock: Callable[[], float] = time.time,
        shutdown: float = 5.0,
    ) -> None:
        self._path = path
        self._store = store
        self._children = (tree,) if isinstance(tree, Supervisor | Child) else tuple(tree)
        self._regions = _regions(actors)
        self._runners = dict(runners or {})
        self._resources = resources
        self._held = frozenset(held)
        self._signals = signals
        self._clock = clock
        self._shutdown = shutdown
        self._spawned = 0
        self._failures: list[Failure] = []
        self._signal: int | None = None
        self._entered = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a System is entered once: make another")
        _check_asyncio()
        self._entered = True
        self._kernel = Kernel(self._clock, self._kernel_died)
        self._root = Node(self._kernel, self, "", Supervisor(name="root", children=self._children))
        self._stack = ExitStack()
        self._scope = self._stack.enter_context(anyio.CancelScope())
        try:
            await self._start()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._root.stop()
                await self._kernel.close(clean=not self._failures)
            self._stack.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with anyio.CancelScope(shield=True):
            await self._stop()
        swallow = self._stack.__exit__(kind, error, trace)
        if self._failures:
            raise _system_failed(self._failures) from (error if isinstance(error, Exception) else None)
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self._signal is not None:
            raise SystemExit(128 + self._signal)
        return swallow

    @property
    def events(self) -> Events:
        """The stream of failures, restarts, dead letters and parked messages."""
        return self._kernel.events

    @property
    def kernel(self) -> Kernel:
        """The kernel, for runtimes built upon the system."""
        return self._kernel

    def ref(self, actor: type[Actor[M]], key: str) -> Ref[M]:
        """The durable actor of that type and key.

        Raises:
            LookupError: when the type is not among the system's `actors`.
        """
        return self._kernel.durable_ref(actor, key)

    async def spawn(
        self,
        actor: type[Actor[M]],
        *args: object,
        name: str = "",
        restart: Restart = Restart.PERMANENT,
        shutdown: float = STOP,
        mailbox: int = MAILBOX,
        **kwargs: object,
    ) -> Ref[M]:
        """Start a volatile actor under the root and give back its ref once its `on_start` is through.

        Args:
            args, kwargs: for the actor's `__init__`, of every incarnation.
            name: unique under the root; made up from the class when empty.

        Raises:
            AlreadyStarted: when the name is alive.
            SystemStopped: when the system has ended.
        """
        if self._kernel.stopped:
            raise SystemStopped(f"the system has stopped; {actor.__name__} cannot be spawned")
        self._spawned += 1
        spec = Child(
            actor,
            name=name or f"{actor.__name__}-{self._spawned}",
            args=args,
            kwargs=kwargs,
            restart=restart,
            shutdown=shutdown,
            mailbox=mailbox,
        )
        cell = await self._root.spawn(spec)
        return LocalRef(_a_cell(cell, spec.name), self._kernel)

    def find(self, actor: type[Actor[M]], path: str) -> Ref[M]:
        """The ref of a volatile actor by its path in the tree, for example `intake/fetcher`.

        Raises:
            ActorStopped: when no actor of that class stands there.
        """
        cell = _a_cell(self._root.find(path), path)
        if cell.table is not actor.__choragus_table__:
            raise ActorStopped(f"{path} (as a {actor.__name__})")
        return LocalRef(cell, self._kernel)

    def child_failed(self, child: Node, failure: Failure) -> None:
        """The top of the tree gave up: the system ends."""
        self._fail(failure)

    def _kernel_died(self, error: BaseException) -> None:
        self._kernel.stopped = True
        self._fail(Failure("kernel", error))

    def _fail(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._scope.cancel()

    async def _start(self) -> None:
        store = await self._open_store()
        if store is not None:
            regions = {spec.durable.type_name: (spec.durable, RegionNode(self._kernel, spec)) for spec in self._regions}
            try:
                await self._kernel.open(store, regions, self._runners, resources=self._resources, held=self._held)
            except BaseException:
                await store.close()
                raise
        await self._root.start()
        if store is not None:
            await self._kernel.resume()
        if self._signals:
            self._stack.enter_context(orderly_signals(self._signalled))

    async def _open_store(self) -> Store | None:
        if self._store is not None:
            return self._store
        if self._path is not None:
            return await SqliteStore.open(self._path)
        return MemoryStore() if self._regions else None

    async def _stop(self) -> None:
        died = self._kernel.stopped
        if not died:
            await self._kernel.quiesce(self._shutdown)
        await self._root.stop()
        await self._kernel.close(clean=not died)

    def _signalled(self, number: int) -> None:
        self._signal = number
        asyncio.get_running_loop().call_soon_threadsafe(self._scope.cancel)


def _check_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise RuntimeError("choragus runs on asyncio, not on trio: use anyio.run(main, backend='asyncio')") from error


def _regions(actors: Iterable[Durable]) -> tuple[Region, ...]:
    regions = tuple(one if isinstance(one, Region) else Region(one) for one in actors)
    seen: dict[str, Region] = {}
    for region in regions:
        other = seen.setdefault(region.durable.type_name, region)
        if other is not region:
            raise SpecFault(
                f"{region.actor.__name__} and {other.actor.__name__} are both stored as {region.durable.type_name!r}: "
                "give each its own name, once"
            )
    return regions


def _a_cell(found: Cell | Node | None, path: str) -> Cell:
    if not isinstance(found, Cell):
        raise ActorStopped(path)
    return found


def _system_failed(failures: list[Failure]) -> SystemFailed:
    causes = [cause for failure in failures for cause in _causes(failure)]
    errors: list[Exception] = []
    for cause in causes:
        error = cause.error
        if not isinstance(error, Exception):
            error = RuntimeError(f"{cause.path} was ended by {error!r}")
            error.__cause__ = cause.error
        error.add_note(f"in {cause.path or 'the system'}" + (f", on {cause.message}" if cause.message else ""))
        errors.append(error)
    paths = tuple(cause.path for cause in causes)
    group = SystemFailed(f"the system ended: {', '.join(dict.fromkeys(paths))}", errors)
    group.paths = paths
    return group


def _causes(failure: Failure) -> list[Failure]:
    """The failures at the leaves: what an escalation was about."""
    if not isinstance(failure.error, Escalated):
        return [failure]
    return [cause for inner in failure.error.failures for cause in _causes(inner)] or [failure]
