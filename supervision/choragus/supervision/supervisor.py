"""A running supervisor: carries decisions out, one at a time, and has no task while there is nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Protocol

from choragus.actors.cell import Cell
from choragus.actors.errors import ActorStopped, Ignore
from choragus.actors.kernel import Kernel
from choragus.actors.local_ref import LocalRef
from choragus.actors.status import Failure, Status

from .directive import Decider
from .errors import AlreadyPresent, AlreadyStarted, EndedNormally, Escalated, StartFailed
from .history import Histories
from .mender import Begin, Mender
from .slot import Begun, Once, Origin, Running, Slot
from .spec import Child, DynamicSupervisor, Group, Spec, check_significance
from .state import RESTARTING, RUNNING, STARTING, STOPPED, STOPPING
from .strategy import CRASH, NORMAL, TEMPORARY, Restart

ENDS, ENDED = Status.STOPPING, Status.STOPPED


class Above(Protocol):
    """Who a supervisor reports to."""

    def child_failed(self, child: Node, failure: Failure) -> None:
        """Take note that the supervisor has given up; its children are stopped."""
        ...

    def child_ended(self, child: Node) -> None:
        """Take note that the supervisor has shut itself down, normally; its children are stopped."""
        ...

    @property
    def deciders(self) -> Sequence[Decider]:
        """Who decides about errors, the innermost first."""
        ...


class Node:
    """One supervisor of the tree. Stopped, it may be started again: its static children then keep their refs."""

    def __init__(self, kernel: Kernel, above: Above, path: str, spec: Group) -> None:
        self.path = path
        self.spec = spec
        self.status = Status.STARTING
        self.incarnation = 0
        self.slots: dict[str, Slot] = {}
        self.kernel = kernel
        self._above = above
        self.deciders = tuple(one for one in (spec.strategy.decider, *above.deciders) if one)
        self.histories = Histories(0.0 if spec.strategy.backoff is None else spec.strategy.backoff.calm)
        self._mender = Mender(self)
        self._ending: asyncio.Task[None] | None = None

    @property
    def is_ending(self) -> bool:
        """Whether it takes no requests any more."""
        status = self.status
        return status is ENDED or status is ENDS

    async def start(self) -> None:
        """Start the children in order; when one fails, stop those before it in reverse.

        Children that fail meanwhile are decided upon when all are up, as OTP does.

        Raises:
            StartFailed: naming the child, with its failure as the cause.
            ActorStopped: when the supervisor is stopped meanwhile.
        """
        self.status = Status.STARTING
        self.incarnation += 1
        self._mender.forget()
        self.slots = {slot.name: slot for slot in self._first_slots()}
        self.histories.begin(self.slots)
        for slot in tuple(self.slots.values()):
            if slot.state is not STARTING:  # stopped on request
                continue
            try:
                await self.launch(slot)
            except Exception as error:
                if self.is_ending:
                    raise ActorStopped(self.path) from error
                await self.stop()
                if isinstance(error, StartFailed):
                    raise
                raise StartFailed(slot.running.path) from error
            if self.is_ending:
                raise ActorStopped(self.path)
        self.status = Status.RUNNING
        self._mender.jobs.open()

    async def add(self, spec: Spec, name: str, *, origin: Origin) -> Slot:
        """Start one more child, after all others, under that name.

        Raises:
            SpecFault: when it is significant, and this supervisor never shuts down by itself.
            AlreadyStarted: when its name is alive.
            AlreadyPresent: when its name is that of a stopped child whose spec is kept.
            ActorStopped: when the supervisor has stopped, or stops meanwhile.
        """
        slot, starting = self.place(spec, name, origin=origin)
        if starting is not None:
            await starting
        return slot

    def place(self, spec: Spec, name: str, *, origin: Origin) -> tuple[Slot, Coroutine[object, None, None] | None]:
        """As `add`, and what is left to be awaited until the child is up: None when it is."""
        if self.is_ending:
            raise ActorStopped(self.path or "the system")
        if spec.significant:
            check_significance(self.spec.name, self.spec.auto_shutdown, spec)
        if name in self.slots:
            self._make_way(name)
        slot = self.slots[name] = Slot(spec, self._make(spec, name), origin)
        begun = slot.attempt()
        if begun is None:
            slot.state = RUNNING
            return slot, None
        return slot, self._come_up(slot, Begun(begun))

    async def _come_up(self, slot: Slot, begin: Begin) -> None:
        try:
            await self.launch(slot, begin)
        except BaseException as error:
            partly_up = isinstance(slot.running, Node) and not isinstance(error, Exception)  # a stop finds it here
            if self.slots.get(slot.name) is slot and not partly_up:
                del self.slots[slot.name]
            if isinstance(slot.running, Cell):  # nobody else will: its mail is refused, who waits for room is told
                await slot.stop()
            raise

    def _make_way(self, name: str) -> None:
        """Refuse a name that is taken; whoever is told of an end may be quicker than who waits for it."""
        known = self.slots[name]
        running = known.running
        if known.state is STOPPING and running.status is Status.STOPPED:
            self.vacate(known)
            if name not in self.slots:
                return
        if known.state is STOPPED:
            raise AlreadyPresent(running.path)
        raise AlreadyStarted(running.path, LocalRef(running) if isinstance(running, Cell) else None)

    async def launch(self, slot: Slot, begin: Begin | None = None) -> None:
        """Start what stands there; one that ignores its start counts as started. What else it raises is raised.

        Args:
            begin: what starts it, when that is not to be begun by this.
        """
        anew = slot.state is RESTARTING
        try:
            starting = (begin or slot.begin)()
            if starting is not None:
                await starting
                slot.up(anew=anew)
        except Ignore:
            await slot.stop()
            self.vacate(slot)
        else:
            slot.state = RUNNING
            slot.plan = None

    def end_child(self, slot: Slot) -> Awaitable[None] | None:
        """Stop a child on request, also one about to be restarted. None: it has stopped. Else await what is given
        back; a caller that is cancelled leaves it stopping.
        """
        slot.plan = None
        if slot.state is STOPPED:
            return None
        slot.state = STOPPING
        if slot.stop_at_once():
            self.vacate(slot)
            return None
        return asyncio.shield(self.kernel.loop.create_task(self.stop_and_vacate(slot)))

    def vacate(self, slot: Slot) -> None:
        """There is no process any more: drop the spec, or keep it."""
        slot.state = STOPPED
        slot.plan = None
        name = slot.name
        if self.slots.get(name) is not slot:
            return
        if slot.leaves_nothing:
            del self.slots[name]
            self.histories.gone(name)
        else:
            self.histories.stopped(name)

    async def stop(self) -> None:
        """Stop the children one by one in reverse start order, each within its own deadline; dynamic ones at once.

        Called again meanwhile, it waits for the first call; a caller that is cancelled leaves it stopping.
        """
        if self.status is not Status.STOPPED:
            await asyncio.shield(self._begin_end())

    def find(self, path: str) -> Cell | Node | None:
        """The running child at a path below this supervisor."""
        name, _, rest = path.partition("/")
        slot = self.slots.get(name)
        child = None if slot is None or slot.state is STOPPED else slot.running
        if isinstance(child, Node) and rest:
            return child.find(rest)
        return child if isinstance(child, Cell | Node) and not rest else None

    # Reports from below.

    def child_failed(self, child: Running, failure: Failure) -> None:
        """A child failed and waits for a decision."""
        slot = self._slot_of(child)
        if slot is not None:
            self._mender.report(slot, CRASH, failure)

    def child_ended(self, child: Running) -> None:
        """A child ended normally, by itself."""
        slot = self._slot_of(child)
        if slot is None or slot.state is not RUNNING or self.is_ending:
            return
        failure = Failure(child.path, EndedNormally(child.path))
        if slot.spec.restart is Restart.PERMANENT:
            self._mender.report(slot, NORMAL, failure)
        else:
            self.vacate(slot)  # at once: its name may be free
            self._mender.gone(slot)

    def _slot_of(self, child: Running) -> Slot | None:
        slot = self.slots.get(child.path.rpartition("/")[2])
        return slot if slot is not None and slot.running is child else None

    def end_by_itself(self) -> None:
        """Shut down, and tell the one above that this was normal."""
        self._tell_above(lambda: self._above.child_ended(self))

    def give_up(self, error: Escalated) -> None:
        """Shut down, and leave the decision to the one above."""
        self._tell_above(lambda: self._above.child_failed(self, Failure(self.path, error)))

    def _tell_above(self, what: Callable[[], None]) -> None:
        """End, and then tell the one above: first of all, before those who wait for the end hear of it."""

        def ended(ending: asyncio.Task[None]) -> None:
            if not ending.cancelled() and (error := ending.exception()) is not None:
                self.kernel.fail(error)
            else:
                what()

        self._begin_end().add_done_callback(ended)

    # Beginnings and ends.

    def _first_slots(self) -> Iterator[Slot]:
        """Those of the spec, and those that were added and are to come back; what can be reused is."""
        before = self.slots
        for spec in self.spec.children:
            old = before.get(spec.name)
            reused = old is not None and old.origin is Origin.SPEC and spec.restart is not TEMPORARY
            running = old.running if old is not None and reused else self._make(spec, spec.name)
            yield Slot(spec, running, Origin.SPEC)
        for slot in before.values():
            if slot.origin is not Origin.SPEC and self.spec.keeps_added and slot.spec.restart is not TEMPORARY:
                yield Slot(slot.spec, slot.running, slot.origin)

    def _make(self, spec: Spec, name: str) -> Running:
        path = f"{self.path}/{name}" if self.path else name
        if isinstance(spec, Child):
            return Cell(self.kernel, self, path, Once(spec) if spec.restart is TEMPORARY else spec, spec.mailbox)
        return Node(self.kernel, self, path, spec)

    def _begin_end(self) -> asyncio.Task[None]:
        """From here on nothing is decided any more."""
        if self._ending is None:
            self.status = Status.STOPPING
            self._mender.jobs.close()
            self._ending = self.kernel.loop.create_task(self._end(), name=f"choragus:{self.path or 'root'}:stop")
        return self._ending

    async def _end(self) -> None:
        self._mender.jobs.cancel()
        slots = tuple(self.slots.values())
        if isinstance(self.spec, DynamicSupervisor):
            await asyncio.gather(*(slot.stop() for slot in slots if not slot.stop_at_once()))
        else:
            for slot in reversed(slots):
                if not slot.stop_at_once():
                    await slot.stop()
        for slot in slots:
            slot.state, slot.plan = STOPPED, None
        self.status = Status.STOPPED
        self._ending = None

    async def stop_and_vacate(self, slot: Slot) -> None:
        """Stop what runs there, for good."""
        await slot.stop()
        if slot.state is STOPPING:
            self.vacate(slot)
