"""What a running supervisor can be asked."""

from __future__ import annotations

from typing import Never, TypeAlias, overload

import attrs

from choragus.actors.actor import M
from choragus.actors.cell import Cell
from choragus.actors.errors import ActorStopped
from choragus.actors.local_ref import LocalRef
from choragus.actors.ref import Ref

from .errors import NotFound, NotStopped
from .slot import ADDED, DYNAMIC, Slot
from .spec import Child, DynamicSupervisor, Group, check_spec
from .state import ChildState
from .strategy import Restart
from .supervisor import Node


class SupervisorRef:
    """A supervisor that runs, to start, stop and count its children by; OTP's names.

    It stays valid when the supervisor is restarted. What is started here goes with the supervisor, and comes back with
    it only when its spec says `keeps_added=True`. Do not await these requests in a handler or `on_start` of the very
    child that they are about: its own end would have to wait for it, until its shutdown time has passed.

    Every request raises ActorStopped, at once, when the supervisor does not run.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def path(self) -> str:
        """Its place in the tree; empty for the root."""
        return self._node.path

    def __repr__(self) -> str:
        return f"<SupervisorRef {self.path or 'root'}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SupervisorRef) and other._node is self._node

    def __hash__(self) -> int:
        return hash(id(self._node))

    @overload
    async def start_child(self, spec: Child[M]) -> Ref[M]: ...
    @overload
    async def start_child(self, spec: Group) -> SupervisorRef: ...
    async def start_child(self, spec: Child[M] | Group) -> Ref[M] | SupervisorRef:
        """Start one more child, the last in order, and give back its ref once its `on_start` is through.

        What `on_start` raises is raised here, and leaves nothing behind. The ref of a child that ignores its start is
        that of a stopped actor.

        Raises:
            SpecFault: when it is significant, and this supervisor never shuts down by itself.
            AlreadyStarted: when its name is alive; the error has the ref.
            AlreadyPresent: when a stopped child of that name is kept.
        """
        check_spec(spec)
        origin = DYNAMIC if isinstance(self._node.spec, DynamicSupervisor) else ADDED
        slot, starting = self._node.place(spec, spec.name, origin=origin)
        if starting is not None:
            await starting
        return self._ref(slot)  # type: ignore[return-value]  # the actor is the spec's

    async def stop_child(self, child: str | Ref[Never] | SupervisorRef) -> None:
        """Stop a child, by its name or ref; also one that is about to be restarted. Stopped already: fine.

        Its spec is kept, without a process, but for temporary and dynamic children.

        Raises:
            NotFound: when no child has that name, or the ref is none of a child of this supervisor.
        """
        slot = self._slot(child) if isinstance(child, str) else self._slot_of(child)
        ending = None if slot is None else self._node.end_child(slot)
        if ending is not None:
            await ending

    @overload
    async def restart_child(self, name: str) -> Ref[Never] | SupervisorRef: ...
    @overload
    async def restart_child(self, name: Ref[M]) -> Ref[M]: ...
    async def restart_child(self, name: str | Ref[M]) -> Ref[M] | Ref[Never] | SupervisorRef:
        """Start a stopped child again, behind the same ref and at its old place in the order.

        What its `on_start` raises is raised here, and the child stays stopped.

        Raises:
            NotFound: when no child has that name or ref.
            NotStopped: when it is running, or about to be; the error has its state.
        """
        slot = self._stopped(name if isinstance(name, str) else name.path.rpartition("/")[2])
        slot.state = ChildState.STARTING
        try:
            await self._node.launch(slot)
        except BaseException:
            await slot.stop()
            self._node.vacate(slot)
            raise
        return self._ref(slot)

    def delete_child(self, name: str) -> None:
        """Drop the spec of a stopped child; its name is free.

        Raises:
            NotFound: when no child has that name.
            NotStopped: when it is running, or about to be; the error has its state.
        """
        del self._node.slots[self._stopped(name).name]

    def children(self) -> tuple[ChildInfo, ...]:
        """The children as they stand, in start order, also those that are stopped or about to be restarted."""
        return tuple(self._info(slot) for slot in self._slots().values())

    def count(self) -> Count:
        """How many children there are, by kind; without looking at each other's trees."""
        slots = self._slots().values()
        return Count(
            specs=len(slots),
            active=sum(slot.truth is ChildState.RUNNING for slot in slots),
            supervisors=sum(not isinstance(slot.spec, Child) for slot in slots),
            workers=sum(isinstance(slot.spec, Child) for slot in slots),
        )

    def _slots(self) -> dict[str, Slot]:
        if self._node.is_ending:
            raise ActorStopped(self.path or "the system")
        return self._node.slots

    def _slot(self, name: str) -> Slot:
        slot = self._slots().get(name)
        if slot is None:
            raise NotFound(self.path, name)
        return slot

    def _slot_of(self, ref: Ref[Never] | SupervisorRef) -> Slot | None:
        """Its slot; None when it was a child and left nothing."""
        parent, _, name = ref.path.rpartition("/")
        slot = self._slots().get(name)
        if slot is not None and isinstance(ref, LocalRef) and slot.running is ref.cell:
            return slot
        if parent != self.path or (isinstance(ref, LocalRef) and not ref.is_of(self._node.kernel)):
            raise NotFound(self.path, ref)
        return slot if slot is not None and self._ref(slot) == ref else None

    def _stopped(self, name: str) -> Slot:
        slot = self._slot(name)
        if slot.state is not ChildState.STOPPED:
            raise NotStopped(slot.running.path, slot.truth)
        return slot

    def _ref(self, slot: Slot) -> Ref[Never] | SupervisorRef:
        running = slot.running
        if isinstance(running, Cell):
            return LocalRef(running)
        assert isinstance(running, Node)
        return SupervisorRef(running)

    def _info(self, slot: Slot) -> ChildInfo:
        return ChildInfo(
            name=slot.name,
            state=slot.truth,
            restart=slot.spec.restart,
            significant=slot.spec.significant,
            ref=self._ref(slot),
        )


AnyRef: TypeAlias = Ref[Never] | SupervisorRef


@attrs.frozen(kw_only=True)
class ChildInfo:
    """A child as it stood when it was asked for."""

    name: str
    state: ChildState
    restart: Restart
    significant: bool
    ref: AnyRef


@attrs.frozen(kw_only=True)
class Count:
    """How many children a supervisor has: specs in all, those that run, and by kind, running or not."""

    specs: int
    active: int
    supervisors: int
    workers: int
