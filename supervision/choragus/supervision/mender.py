"""What a supervisor does about its children's ends: decides, and carries the decision out."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from choragus.actors.cell import Cell
from choragus.actors.deadline import Deadline
from choragus.actors.event import Failed
from choragus.actors.kernel import Kernel
from choragus.actors.status import Failure

from .directive import Decider, directive_for
from .errors import Escalated
from .event import GaveUp, SupervisorEnded, SupervisorRestarted
from .history import Histories
from .jobs import Jobs
from .shutdown import shuts_down
from .slot import Plan, Slot, again
from .spec import Group
from .state import ChildState
from .strategy import Decision, End, Escalate, Forget, Keep, OneForOne, RestartChildren, Resume, decide

REMEMBERED = 1000
"""Restarts that are kept, at most, unless the intensity allows more."""

CAUSES = 100
"""Failures that are kept as the causes of giving up, at most: each holds its error, with the frames of that."""

SOON = 0.001
"""Seconds between two looks whether failures count no more, at least: the difference of two times is not exact."""


Begin: TypeAlias = "Callable[[], Coroutine[object, None, None] | None]"
"""Starts a child: at once, or when what it gives back has been awaited."""


class Family(Protocol):
    """The supervisor whose children they are."""

    path: str
    spec: Group
    kernel: Kernel
    slots: dict[str, Slot]
    histories: Histories

    @property
    def deciders(self) -> Sequence[Decider]:
        """Who decides about errors, the innermost first."""
        ...

    @property
    def is_ending(self) -> bool:
        """Whether nothing is decided any more."""
        ...

    async def launch(self, slot: Slot, begin: Begin | None = None) -> None:
        """Start what stands there, which `begin` does."""
        ...

    async def stop_and_vacate(self, slot: Slot) -> None:
        """Stop what runs there, for good."""
        ...

    def end_by_itself(self) -> None:
        """Shut down, and tell the one above that this was normal."""
        ...

    def give_up(self, error: Escalated) -> None:
        """Shut down, and leave the decision to the one above."""
        ...


class Mender:
    """Decides about one end after the other. A restart that waits for nothing is done at once, without a task."""

    def __init__(self, family: Family) -> None:
        self.jobs = Jobs(family.kernel, family.path)
        self._family = family
        self._strategy = family.spec.strategy
        self._restarts: deque[float] = deque(maxlen=max(REMEMBERED, self._strategy.max_restarts + 1))
        self._failures: deque[tuple[float, Failure]] = deque(maxlen=CAUSES)
        self._letting_go: Deadline | None = None

    def forget(self) -> None:
        """The supervisor starts: nothing has failed yet."""
        self._restarts.clear()
        self._failures.clear()

    def report(self, slot: Slot, end: End, failure: Failure) -> None:
        """A child ended: do about it what the strategy says, after what is being done already."""
        if self._family.is_ending:
            return
        self._failures.append((self._family.kernel.now(), failure))
        self._let_go()
        decision: Decision | None = None
        if self.jobs.is_idle and self._stands_alone(slot, end):
            decision = self._decision(slot, end, failure)
            if isinstance(decision, RestartChildren) and not decision.after:
                self._restart_alone(slot)
                return
        incarnation, plan = slot.running.incarnation, slot.plan
        self.jobs.add(lambda: self._decide(slot, end, failure, incarnation, plan, decision))

    def _let_go(self) -> None:
        """Forget failures that are no cause of anything any more: an error holds its frames, and what is in them."""
        kernel, within = self._family.kernel, self._strategy.within
        since = kernel.now() - within
        while self._failures and self._failures[0][0] <= since:
            self._failures.popleft()
        if self._failures and (self._letting_go is None or self._letting_go.done()):
            self._letting_go = kernel.deadlines.after(max(self._failures[0][0] - since, SOON), self._let_go)

    def gone(self, slot: Slot) -> None:
        """A child ended by itself, and is not started again: see whether the supervisor goes with it."""
        self.jobs.add(lambda: self._gone(slot))

    # Decisions.

    def _stands_alone(self, slot: Slot, end: End) -> bool:
        """Whether it is an actor that crashed, and whose restart is nobody else's affair."""
        free = slot.state is ChildState.RUNNING and slot.plan is None
        return free and end is End.CRASH and isinstance(self._strategy, OneForOne) and isinstance(slot.running, Cell)

    def _restart_alone(self, slot: Slot) -> None:
        plan = self._planned(slot, (slot.name,))
        if isinstance(slot.running, Cell) and slot.running.starts_at_once:
            self._start_now(slot, plan)
        else:
            self.jobs.add(lambda: self._start_planned(plan))

    def _start_now(self, slot: Slot, plan: Plan) -> None:
        """Start it here; what then waits or failed goes on in a job."""
        begun = slot.attempt()
        if begun is None:
            slot.state, slot.plan = ChildState.RUNNING, None
            self._came_up(slot)
        else:
            self.jobs.add(lambda: self._start_planned(plan, partial(again, begun)))

    async def _decide(
        self, slot: Slot, end: End, failure: Failure, incarnation: int, plan: Plan | None, decision: Decision | None
    ) -> None:
        stopped = slot.state in (ChildState.STOPPING, ChildState.STOPPED)
        if stopped or slot.running.incarnation != incarnation or slot.plan is not plan:  # on request, or with a sibling
            await self._start_planned(plan)
            return
        match decision or self._decision(slot, end, failure):
            case Resume():
                if isinstance(slot.running, Cell):
                    slot.running.resume()
            case RestartChildren(after, stop, start):
                await self._restart(self._planned(slot, start), after, stop)
            case Forget() | Keep():
                slot.state = ChildState.STOPPING
                await self._family.stop_and_vacate(slot)
                await self._gone(slot)
                await self._start_planned(plan)
            case Escalate() as escalate:
                self._give_up(escalate, failure)

    def _decision(self, slot: Slot, end: End, failure: Failure) -> Decision:
        if end is End.CRASH and not isinstance(slot.running, Cell):
            end = End.INIT  # what has given up cannot be resumed
        slots = self._family.slots.values()
        alone = isinstance(self._strategy, OneForOne)
        # One that is just being started on request comes up by itself.
        members = [slot] if alone else [one for one in slots if one.state is not ChildState.STARTING]
        now = self._family.kernel.now()
        return decide(
            self._strategy,
            [one.member for one in members],
            slot.name,
            end,
            directive_for(self._family.deciders, failure.error),
            restarts=self._restarts,
            failures=self._family.histories.failures(slot.name, now),
            now=now,
            chance=random.random(),
        )

    # What was decided.

    def _planned(self, slot: Slot, start: tuple[str, ...]) -> Plan:
        """Take down the restart of a child and those that share its fate."""
        now = self._family.kernel.now()
        self._family.histories.failed(slot.name, now)
        while self._restarts and now - self._restarts[0] > self._strategy.within:
            self._restarts.popleft()
        self._restarts.append(now)
        plan = Plan(start)
        for name in start:
            one = self._family.slots[name]
            one.state, one.plan = ChildState.RESTARTING, plan
        return plan

    async def _restart(self, plan: Plan, after: float, stop: tuple[str, ...]) -> None:
        for slot in [self._family.slots[name] for name in stop]:
            if slot.plan is plan:
                await slot.halt()
            elif slot.state is not ChildState.STOPPED:
                slot.state = ChildState.STOPPING
                await self._family.stop_and_vacate(slot)
        if after:
            self.jobs.add_later(after, lambda: self._start_planned(plan))
        else:
            await self._start_planned(plan)

    async def _start_planned(self, plan: Plan | None, begin: Begin | None = None) -> None:
        for name in () if plan is None else plan.names:
            slot = self._family.slots.get(name)
            if slot is None or slot.plan is not plan:
                continue
            try:
                await self._family.launch(slot, begin)
            except Exception as error:
                if self._family.is_ending:
                    return
                if slot.plan is plan:
                    self._family.kernel.events.publish(Failed(slot.running.path, error, "on_start"))
                    self.report(slot, End.INIT, Failure(slot.running.path, error))
                    return
            else:
                self._came_up(slot)

    def _came_up(self, slot: Slot) -> None:
        if slot.state is ChildState.RUNNING:
            self._family.histories.came_up(slot.name, self._family.kernel.now())
            if not isinstance(slot.running, Cell):
                self._family.kernel.events.publish(SupervisorRestarted(slot.running.path, slot.running.incarnation))

    async def _gone(self, slot: Slot) -> None:
        slots = self._family.slots.values()
        others = [one.member for one in slots if one is not slot] if slot.spec.significant else []
        if shuts_down(self._family.spec.auto_shutdown, slot.member, others):
            self._family.kernel.events.publish(SupervisorEnded(self._family.path, slot.running.path))
            self._family.end_by_itself()

    def _give_up(self, escalate: Escalate, failure: Failure) -> None:
        """Stop, and then tell the one above; unless it stops this supervisor meanwhile."""
        since = self._family.kernel.now() - self._strategy.within
        causes = [failure for at, failure in self._failures if at >= since] or [failure]
        escalated = Escalated(self._family.path, escalate.reason, causes)
        if escalate.by_decider:
            escalated.__cause__ = failure.error
        self._family.kernel.events.publish(GaveUp(self._family.path, escalate.reason, tuple(causes)))
        self._family.give_up(escalated)
