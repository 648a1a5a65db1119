"""A running supervisor: carries decisions out, one at a time, and has no task while there is nothing to do."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from choragus.actors.cell import Cell
from choragus.actors.errors import ActorStopped, Ignore
from choragus.actors.event import Failed
from choragus.actors.kernel import Kernel
from choragus.actors.local_ref import LocalRef
from choragus.actors.status import Failure, Status

from .directive import Decider, directive_for
from .errors import AlreadyPresent, AlreadyStarted, EndedNormally, Escalated, StartFailed
from .event import GaveUp, SupervisorEnded, SupervisorRestarted
from .history import Histories
from .jobs import Jobs
from .shutdown import shuts_down
from .slot import Plan, Running, Slot, recipe
from .spec import Child, DynamicSupervisor, Group, Spec, check_significance
from .state import ChildState
from .strategy import Decision, End, Escalate, Forget, Keep, OneForOne, Restart, RestartChildren, Resume, decide

REMEMBERED = 1000
"""Restarts that are kept, at most, unless the intensity allows more."""

CAUSES = 100
"""Failures that are kept as the causes of giving up, at most: each holds its error, with the frames of that."""


class Above(Protocol):
    """Who a supervisor reports to."""

    def child_failed(self, child: Node, failure: Failure) -> None:
        """Take note that the supervisor has given up; its children are stopped."""
        ...

    def child_ended(self, child: Node) -> None:
        """Take note that the supervisor has shut itself down, normally; its children are stopped."""
        ...

    def deciders(self) -> Iterable[Decider]:
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
        self._restarts: deque[float] = deque(maxlen=max(REMEMBERED, spec.strategy.max_restarts + 1))
        self._failures: deque[tuple[float, Failure]] = deque(maxlen=CAUSES)
        self.histories = Histories(0.0 if spec.strategy.backoff is None else spec.strategy.backoff.calm)
        self._jobs = Jobs(kernel, path)
        self._ending: asyncio.Task[None] | None = None

    @property
    def is_ending(self) -> bool:
        """Whether it takes no requests any more."""
        return self.status in (Status.STOPPING, Status.STOPPED)

    async def start(self) -> None:
        """Start the children in order; when one fails, stop those before it in reverse.

        Children that fail meanwhile are decided upon when all are up, as OTP does.

        Raises:
            StartFailed: naming the child, with its failure as the cause.
            ActorStopped: when the supervisor is stopped meanwhile.
        """
        self.status = Status.STARTING
        self.incarnation += 1
        self._restarts.clear()
        self._failures.clear()
        self.slots = {slot.spec.name: slot for slot in self._first_slots()}
        self.histories.begin(self.slots)
        for slot in tuple(self.slots.values()):
            if slot.state is not ChildState.STARTING:  # stopped on request
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
        self._jobs.open()

    async def add(self, spec: Spec, *, is_dynamic: bool) -> Slot:
        """Start one more child, after all others.

        Raises:
            SpecFault: when it is significant, and this supervisor never shuts down by itself.
            AlreadyStarted: when its name is alive.
            AlreadyPresent: when its name is that of a stopped child whose spec is kept.
            ActorStopped: when the supervisor has stopped, or stops meanwhile.
        """
        if self.is_ending:
            raise ActorStopped(self.path or "the system")
        check_significance(self.spec.name, self.spec.auto_shutdown, spec)
        known = self.slots.get(spec.name)
        if known is not None and known.state is ChildState.STOPPING and known.running.status is Status.STOPPED:
            self.vacate(known)  # whoever is told of its end may be quicker than who waits for it
            known = self.slots.get(spec.name)
        if known is not None:
            if known.state is ChildState.STOPPED:
                raise AlreadyPresent(known.running.path)
            running = known.running
            raise AlreadyStarted(running.path, LocalRef(running) if isinstance(running, Cell) else None)
        slot = Slot(spec, self._make(spec), added=True, is_dynamic=is_dynamic)
        self.slots[spec.name] = slot
        try:
            await self.launch(slot)
        except BaseException as error:
            partly_up = isinstance(slot.running, Node) and not isinstance(error, Exception)  # a stop finds it here
            if self.slots.get(spec.name) is slot and not partly_up:
                del self.slots[spec.name]
            if isinstance(slot.running, Cell):  # nobody else will: its mail is refused, who waits for room is told
                await slot.stop()
            raise
        return slot

    async def launch(self, slot: Slot) -> None:
        """Start what stands there; one that ignores its start counts as started. What else it raises is raised."""
        try:
            starting = slot.begin()
            if starting is not None:
                await starting
        except Ignore:
            await slot.stop()
            self.vacate(slot)
        else:
            slot.state = ChildState.RUNNING
            slot.plan = None

    async def end_child(self, slot: Slot) -> None:
        """Stop a child on request, also one about to be restarted. A caller that is cancelled leaves it stopping."""
        slot.plan = None
        if slot.state is not ChildState.STOPPED:
            slot.state = ChildState.STOPPING
            await asyncio.shield(self.kernel.loop.create_task(self._stop_and_vacate(slot)))

    def vacate(self, slot: Slot) -> None:
        """There is no process any more: drop the spec, or keep it."""
        slot.state = ChildState.STOPPED
        slot.plan = None
        if self.slots.get(slot.spec.name) is not slot:
            return
        if slot.leaves_nothing:
            del self.slots[slot.spec.name]
            self.histories.gone(slot.spec.name)
        else:
            self.histories.stopped(slot.spec.name)

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
        child = None if slot is None or slot.state is ChildState.STOPPED else slot.running
        if isinstance(child, Node) and rest:
            return child.find(rest)
        return child if isinstance(child, Cell | Node) and not rest else None

    # Reports from below.

    def child_failed(self, child: Running, failure: Failure) -> None:
        """A child failed and waits for a decision."""
        slot = self._slot_of(child)
        if slot is not None:
            self._report(slot, End.CRASH, failure)

    def child_ended(self, child: Running) -> None:
        """A child ended normally, by itself."""
        slot = self._slot_of(child)
        if slot is None or slot.state is not ChildState.RUNNING or self.is_ending:
            return
        failure = Failure(child.path, EndedNormally(child.path))
        if slot.spec.restart is Restart.PERMANENT:
            self._report(slot, End.NORMAL, failure)
        else:
            self.vacate(slot)  # at once: its name may be free
            self._jobs.add(lambda: self._gone(slot))

    def deciders(self) -> Iterator[Decider]:
        """Who decides about errors, the innermost first."""
        yield self.spec.strategy.decider
        yield from self._above.deciders()

    def _slot_of(self, child: Running) -> Slot | None:
        slot = self.slots.get(child.path.rpartition("/")[2])
        return slot if slot is not None and slot.running is child else None

    def _report(self, slot: Slot, end: End, failure: Failure) -> None:
        if self.is_ending:
            return
        now = self.kernel.loop.time()
        while self._failures and now - self._failures[0][0] > self.spec.strategy.within:
            self._failures.popleft()  # an error holds its frames, and all that these hold
        self._failures.append((now, failure))
        incarnation, plan = slot.running.incarnation, slot.plan
        self._jobs.add(lambda: self._decide(slot, end, failure, incarnation, plan))

    # Decisions: jobs, done one after the other.

    async def _decide(self, slot: Slot, end: End, failure: Failure, incarnation: int, plan: Plan | None) -> None:
        stopped = slot.state in (ChildState.STOPPING, ChildState.STOPPED)
        if stopped or slot.running.incarnation != incarnation or slot.plan is not plan:  # on request, or with a sibling
            await self._start_planned(plan)
            return
        match self._decision(slot, end, failure):
            case Resume():
                if isinstance(slot.running, Cell):
                    slot.running.resume()
            case RestartChildren(after, stop, start):
                self.histories.failed(slot.spec.name, self.kernel.loop.time())
                await self._restart(after, stop, start)
            case Forget() | Keep():
                slot.state = ChildState.STOPPING
                await self._stop_and_vacate(slot)
                await self._gone(slot)
                await self._start_planned(plan)
            case Escalate() as escalate:
                self._give_up(escalate, failure)

    def _decision(self, slot: Slot, end: End, failure: Failure) -> Decision:
        if end is End.CRASH and not isinstance(slot.running, Cell):
            end = End.INIT  # what has given up cannot be resumed
        alone = isinstance(self.spec.strategy, OneForOne)
        # One that is just being started on request comes up by itself.
        slots = [slot] if alone else [one for one in self.slots.values() if one.state is not ChildState.STARTING]
        now = self.kernel.loop.time()
        return decide(
            self.spec.strategy,
            [one.member for one in slots],
            slot.spec.name,
            end,
            directive_for(self.deciders(), failure.error),
            restarts=self._restarts,
            failures=self.histories.failures(slot.spec.name, now),
            now=now,
            chance=random.random(),
        )

    async def _restart(self, after: float, stop: tuple[str, ...], start: tuple[str, ...]) -> None:
        self._restarts.append(self.kernel.loop.time())
        plan = Plan(start)
        going_down = [self.slots[name] for name in stop]
        for name in start:
            self.slots[name].state, self.slots[name].plan = ChildState.RESTARTING, plan
        for slot in going_down:
            if slot.plan is plan:
                await slot.halt()
            elif slot.state is not ChildState.STOPPED:
                slot.state = ChildState.STOPPING
                await self._stop_and_vacate(slot)
        if after:
            self._jobs.add_later(after, lambda: self._start_planned(plan))
        else:
            await self._start_planned(plan)

    async def _start_planned(self, plan: Plan | None) -> None:
        for name in () if plan is None else plan.names:
            slot = self.slots.get(name)
            if slot is None or slot.plan is not plan:
                continue
            try:
                await self.launch(slot)
            except Exception as error:
                if self.is_ending:
                    return
                if slot.plan is plan:
                    self.kernel.events.publish(Failed(slot.running.path, error, "on_start"))
                    self._report(slot, End.INIT, Failure(slot.running.path, error))
                    return
            else:
                self._came_up(slot)

    def _came_up(self, slot: Slot) -> None:
        if slot.state is ChildState.RUNNING:
            self.histories.came_up(slot.spec.name, self.kernel.loop.time())
            if not isinstance(slot.running, Cell):
                self.kernel.events.publish(SupervisorRestarted(slot.running.path, slot.running.incarnation))

    async def _gone(self, slot: Slot) -> None:
        others = [one.member for one in self.slots.values() if one is not slot] if slot.spec.significant else []
        if shuts_down(self.spec.auto_shutdown, slot.member, others):
            self.kernel.events.publish(SupervisorEnded(self.path, slot.running.path))
            self._tell_above(lambda: self._above.child_ended(self))

    def _give_up(self, escalate: Escalate, failure: Failure) -> None:
        """Stop, and then tell the one above; unless it stops this supervisor meanwhile."""
        since = self.kernel.loop.time() - self.spec.strategy.within
        causes = [failure for at, failure in self._failures if at >= since] or [failure]
        escalated = Escalated(self.path, escalate.reason, causes)
        if escalate.by_decider:
            escalated.__cause__ = failure.error
        self.kernel.events.publish(GaveUp(self.path, escalate.reason, tuple(causes)))
        self._tell_above(lambda: self._above.child_failed(self, Failure(self.path, escalated)))

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
            reused = old is not None and not old.added and spec.restart is not Restart.TEMPORARY
            running = old.running if old is not None and reused else self._make(spec)
            yield Slot(spec, running, added=False, is_dynamic=False)
        for slot in before.values():
            if slot.added and self.spec.keeps_added and slot.spec.restart is not Restart.TEMPORARY:
                yield Slot(slot.spec, slot.running, added=True, is_dynamic=slot.is_dynamic)

    def _make(self, spec: Spec) -> Running:
        path = f"{self.path}/{spec.name}" if self.path else spec.name
        if isinstance(spec, Child):
            return Cell(self.kernel, self, path, recipe(spec), spec.mailbox)
        return Node(self.kernel, self, path, spec)

    def _begin_end(self) -> asyncio.Task[None]:
        """From here on nothing is decided any more."""
        if self._ending is None:
            self.status = Status.STOPPING
            self._jobs.close()
            self._ending = self.kernel.loop.create_task(self._end(), name=f"choragus:{self.path or 'root'}:stop")
        return self._ending

    async def _end(self) -> None:
        self._jobs.cancel()
        slots = tuple(self.slots.values())
        if isinstance(self.spec, DynamicSupervisor):
            await asyncio.gather(*(slot.stop() for slot in slots))
        else:
            for slot in reversed(slots):
                await slot.stop()
        for slot in slots:
            slot.state, slot.plan = ChildState.STOPPED, None
        self.status = Status.STOPPED
        self._ending = None

    async def _stop_and_vacate(self, slot: Slot) -> None:
        await slot.stop()
        if slot.state is ChildState.STOPPING:
            self.vacate(slot)
