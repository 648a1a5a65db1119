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
from choragus.actors.cell import Cell
from choragus.actors.effect import Runner
from choragus.actors.errors import ActorStopped, SystemStopped
from choragus.actors.event import Events, Failed
from choragus.actors.host import SLOW
from choragus.actors.kernel import Kernel
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import DEFAULT, Mailbox
from choragus.actors.ref import Ref
from choragus.actors.scheduler import SLICE
from choragus.actors.status import Failure
from choragus.actors.watchdog import Watchdog
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .collapse import collapsed
from .directive import Decider
from .errors import SpecFault, not_entered
from .event import GaveUp
from .handle import SupervisorRef
from .insight import Insight
from .ledger import Ledger
from .region import RegionNode
from .shelter import sheltered
from .signals import orderly_signals
from .slot import DYNAMIC
from .spec import Child, DynamicSupervisor, Region, Spec, Supervisor, as_specs
from .strategy import OneForOne, Restart, Strategy
from .supervisor import Node

Durable = type[Actor[Never]] | Region

WATCHDOG = Watchdog()
"""The default: what blocks the event loop for a second is reported."""


class System(Insight):
    """Actors under supervision, from `async with` to its end.

    Without a path everything lives in memory. With one, the durable `actors` live in that SQLite file: opening it
    again goes on with whatever was unfinished. Leaving the block shuts down in order: the host is refused, durable
    actors finish their turn, effects get their deadline, supervisors stop their children in reverse, everything is
    flushed. When the top of the tree gives up, the block's body is cancelled and SystemFailed is raised.

    Args:
        path: the database file, made when it is missing. None: in memory.
        tree: supervisors or children, below the root.
        strategy: the root's. By default it restarts what stands directly below it, also a supervisor that gave up or
            a spawned actor, once in 5 s; the second time the system ends.
        actors: the types of durable actors, or regions that say how they are supervised.
        runners: who runs the effects of durable actors, by name.
        resources: what durable actors find as `self.resources`; never stored.
        held: keys whose durable actors are not woken; what they have waiting stays.
        store: a store of your own instead of a path.
        signals: whether SIGINT and SIGTERM end the system in order; a second one ends the process at once.
        clock: wall time, seconds since the epoch.
        shutdown: seconds that durable actors and effects have to finish at the end.
        watchdog: when a handler that blocks the event loop is reported; None: never.
        slow: seconds, waiting included, from which on a volatile actor's handler is reported as SlowHandler once it
            has ended; `math.inf` for never.

    Raises:
        RuntimeError: when entered under trio.
        FileInUse: when a live process owns the file.
        NotChoragusFile: when the file is something else.
        NewerSchema: when the file was written by a newer choragus.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        tree: Spec | Iterable[Spec] = (),
        *,
        strategy: Strategy = OneForOne(),  # noqa: B008  # a frozen value
        actors: Iterable[Durable] = (),
        runners: Mapping[str, Runner] | None = None,
        resources: object = None,
        held: Iterable[str] = (),
        store: Store | None = None,
        signals: bool = False,
        clock: Callable[[], float] = time.time,
        shutdown: float = 5.0,
        watchdog: Watchdog | None = WATCHDOG,
        slow: float = SLOW,
    ) -> None:
        if not isinstance(slow, int | float) or not slow > 0:
            raise ValueError(f"slow={slow!r} of a System: give seconds above 0, or math.inf for never")
        self._path = path
        self._store = store
        if not isinstance(shutdown, int | float) or not shutdown >= 0:
            raise ValueError(f"shutdown={shutdown!r} of a System: give seconds, 0 or more")
        if not isinstance(watchdog, Watchdog | None):
            raise TypeError(f"watchdog={watchdog!r} of a System: give a Watchdog(threshold=...), or None for none")
        if not callable(clock):
            raise TypeError(f"clock={clock!r} of a System: give a function, such as time.time")
        if not isinstance(path, str | Path | None):
            raise TypeError(f"path={path!r} of a System: give the path of a file; a tree is System(tree=...)")
        children = (tree,) if isinstance(tree, Supervisor | DynamicSupervisor | Child) else as_specs(tree)
        self._tree = Supervisor(name="root", strategy=strategy, children=children)
        self._regions = _regions(actors)
        self._runners = dict(runners or {})
        self._resources = resources
        self._held = frozenset(held)
        self._signals = signals
        self._clock = clock
        self._shutdown = shutdown
        self._watchdog = watchdog
        self._slow = slow
        self._spawned = 0
        self._last_spec: Child[Never] | None = None
        self._failures: list[Failure] = []
        self._ledger = Ledger(clock)
        self._signal: int | None = None
        self._running: Kernel | None = None

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("a System is entered once: make another")
        _check_asyncio()
        kernel = self._running = Kernel(self._clock, self._kernel_died)
        kernel.slow = self._slow
        kernel.scheduler.slice = min(SLICE, self._slow)  # a cell looks for slow handlers when its time is over
        kernel.events.subscribe(self._ledger.note, Failed)
        kernel.events.subscribe(self._ledger.note, GaveUp)
        self._top = Node(kernel, self, "", self._tree)
        self._stack = ExitStack()
        self._scope = self._stack.enter_context(anyio.CancelScope())
        try:
            await self._start(kernel)
        except BaseException as error:
            await self._leave(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        swallow = await self._leave(error)
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt from None
        if self._signal is not None:
            raise SystemExit(128 + self._signal) from None
        return swallow

    async def _leave(self, error: BaseException | None) -> bool | None:
        """Shut down, whatever happens meanwhile, and raise what the system failed with."""
        try:
            await sheltered(self._stop())
        except BaseException as late:
            self._stack.__exit__(type(late), late, late.__traceback__)
            raise
        swallow = self._stack.__exit__(None if error is None else type(error), error, None)
        if self._failures:
            raise collapsed(self._failures) from (error if isinstance(error, Exception) else None)
        return swallow

    @property
    def events(self) -> Events:
        """The stream of failures, restarts, dead letters, dropped and parked messages; see docs/mailboxes.md."""
        return self.kernel.events

    @property
    def kernel(self) -> Kernel:
        """The kernel, for runtimes built upon the system.

        Raises:
            RuntimeError: before the system is entered.
        """
        if self._running is None:
            raise not_entered()
        return self._running

    def hold(self, keys: Iterable[str]) -> None:
        """Do not wake the durable actors of these keys either; before the system is entered."""
        self._held |= set(keys)

    def ref(self, actor: type[Actor[M]], key: str) -> Ref[M]:
        """The durable actor of that type and key.

        Raises:
            LookupError: when the type is not among the system's `actors`.
        """
        return self.kernel.durable_ref(actor, key)

    async def spawn(
        self,
        actor: type[Actor[M]],
        *args: object,
        name: str = "",
        restart: Restart = Restart.PERMANENT,
        shutdown: float = 5.0,
        startup: float = 60.0,
        mailbox: int | Mailbox = DEFAULT,
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
        self._spawned += 1
        spec = self._last_spec
        plain = not (args or kwargs or name)
        same = spec is not None and spec.actor is actor and spec.restart is restart and spec.mailbox is mailbox
        if spec is None or not (plain and same and spec.shutdown == shutdown and spec.startup == startup):
            spec = Child(
                actor,
                name=name or _name_of(actor),
                args=args,
                kwargs=kwargs,
                restart=restart,
                shutdown=shutdown,
                startup=startup,
                mailbox=mailbox,
            )
            self._last_spec = spec if plain else None
        try:
            name = name or f"{spec.name}-{self._spawned}"
            slot, starting = self._root.place(spec, name, origin=DYNAMIC)
            if starting is not None:
                await starting
        except ActorStopped as error:
            raise SystemStopped(f"the system has stopped; {_name_of(actor)} cannot be spawned") from error
        assert isinstance(slot.running, Cell)
        return LocalRef(slot.running)

    def find(self, actor: type[Actor[M]], path: str) -> Ref[M]:
        """The ref of a volatile actor by its path in the tree, for example `intake/fetcher`.

        Raises:
            ActorStopped: when no actor of that class stands there.
        """
        cell = _a_cell(self._root.find(path), path)
        if cell.own_table is not actor.__choragus_table__:
            raise ActorStopped(f"{path} (as a {actor.__name__})")
        return LocalRef(cell)

    def supervisor(self, path: str = "") -> SupervisorRef:
        """The supervisor at a path in the tree, to start, stop and count its children by; the root without a path.

        Raises:
            ActorStopped: when no supervisor stands there.
        """
        kernel = self.kernel
        found = self._root.find(path) if path else self._root
        if kernel.stopped or not isinstance(found, Node):
            raise ActorStopped(path)
        return SupervisorRef(found)

    def child_failed(self, child: Node, failure: Failure) -> None:
        """The top of the tree gave up: the system ends."""
        self._fail(failure)

    def child_ended(self, child: Node) -> None:
        """The top of the tree ended: so does the system. The root has no significant children, so this is never."""
        self._scope.cancel()

    @property
    def deciders(self) -> tuple[Decider, ...]:
        """Above the root nobody decides."""
        return ()

    def _kernel_died(self, error: BaseException) -> None:
        self._fail(Failure("kernel", error))

    def _fail(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._scope.cancel()

    async def _start(self, kernel: Kernel) -> None:
        if self._watchdog is not None:
            kernel.watch(self._watchdog)
        if self._store is not None or self._path is not None or self._regions:
            await sheltered(self._open(kernel))
        await self._root.start()
        await kernel.resume()
        if self._signals:
            self._stack.enter_context(orderly_signals(self._signalled))

    async def _open(self, kernel: Kernel) -> None:
        store = await self._open_store()
        regions = {spec.durable.type_name: (spec.durable, RegionNode(kernel, spec)) for spec in self._regions}
        try:
            await kernel.open(store, regions, self._runners, resources=self._resources, held=self._held)
        except BaseException:
            await store.close()
            raise

    async def _open_store(self) -> Store:
        if self._store is not None:
            return self._store
        return MemoryStore() if self._path is None else await SqliteStore.open(self._path)

    async def _stop(self) -> None:
        if not self.kernel.has_died:
            await self.kernel.quiesce(self._shutdown)
        await self._root.stop()
        await self.kernel.close()

    def _signalled(self, number: int) -> None:
        self._signal = number
        self.kernel.loop.call_soon_threadsafe(self._scope.cancel)


def _name_of(actor: object) -> str:
    if not callable(actor) or isinstance(actor, Actor):
        raise SpecFault(f"{actor!r} is no actor class: give the class, and its arguments behind it")
    return getattr(actor, "__name__", "") or type(actor).__name__


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


def _a_cell(found: object, path: str) -> Cell:
    if not isinstance(found, Cell):
        raise ActorStopped(path)
    return found
