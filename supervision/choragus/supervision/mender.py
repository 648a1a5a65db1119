"""What a supervisor does about its children's ends: decides, and carries the decision out."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol, TypeAlias

from choragus.actors.cell import Cell
from choragus.actors.event import Failed
from choragus.actors.kernel import Kernel
from choragus.actors.status import Failure

from .directive import Decider, directive_for
from .errors import Escalated
from .event import GaveUp, SupervisorEnded, SupervisorRestarted
from .history import Histories
from .jobs import Jobs
from .shutdown import shuts_down
from .slot import Begun, Plan, Slot
from .spec import Group
from .state import RESTARTING, RUNNING, STARTING, STOPPED, STOPPING
from .strategy import CRASH, Decision, End, Escalate, Forget, Keep, OneForOne, RestartChildren, Resume, decide, judge

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
        self._has_backoff = self._strategy.backoff is not None
        self._restarts: deque[float] = deque(maxlen=max(REMEMBERED, self._strategy.max_restarts + 1))
        self._failures: deque[tuple[float, Failure]] = deque(maxlen=CAUSES)
        self._lets_go = False  # there is a deadline for it

    def forget(self) -> None:
        """The supervisor starts: nothing has failed yet."""
        self._restarts.clear()
        self._failures.clear()

    def report(self, slot: Slot, end: End, failure: Failure) -> None:
        """A child ended: do about it what the strategy says, after what is being done already."""
        if self._family.is_ending:
            return
        now = self._family.kernel.now()
        self._failures.append((now, failure))
        if not self._lets_go:
            self._let_go()
        decision: Decision | None = None
        if self._stands_alone(slot, end) and self.jobs.is_idle:
            decision = (self._decision if self._has_backoff else self._judgement)(slot, end, failure, now)
            if decision is None or (isinstance(decision, RestartChildren) and not decision.after):
                self._restart_alone(slot, now)
                return
        incarnation, plan = slot.running.incarnation, slot.plan
        self.jobs.add(lambda: self._decide(slot, end, failure, incarnation, plan, decision))

    def _let_go(self) -> None:
        """Forget failures that are no cause of anything any more: an error holds its frames, and what is in them."""
        kernel, failures = self._family.kernel, self._failures
        since = kernel.now() - self._strategy.within
        while failures and failures[0][0] <= since:
            failures.popleft()
        self._lets_go = bool(failures)
        if failures:
            kernel.deadlines.after(max(failures[0][0] - since, SOON), self._let_go)

    def gone(self, slot: Slot) -> None:
        """A child ended by itself, and is not started again: see whether the supervisor goes with it."""
        self.jobs.add(lambda: self._gone(slot))

    # Decisions.

    def _stands_alone(self, slot: Slot, end: End) -> bool:
        """Whether it is an actor that crashed, and whose restart is nobody else's affair."""
        free = slot.state is RUNNING and slot.plan is None
        return free and end is CRASH and isinstance(self._strategy, OneForOne) and isinstance(slot.running, Cell)

    def _restart_alone(self, slot: Slot, now: float) -> None:
        name = slot.name
        self._take_down(name, now)
        slot.state = RESTARTING
        begin: Begin | None = None
        if isinstance(slot.running, Cell) and slot.running.starts_at_once:  # here; what waits or failed goes on below
            begun = slot.attempt()
            if begun is None:
                slot.state = RUNNING
                self._family.histories.came_up(name, self._family.kernel.now())
                return
            begin = Begun(begun)
        plan = slot.plan = Plan((name,))
        self.jobs.add(lambda: self._start_planned(plan, begin))

    async def _decide(
        self, slot: Slot, end: End, failure: Failure, incarnation: int, plan: Plan | None, decision: Decision | None
    ) -> None:
        stopped = slot.state in (STOPPING, STOPPED)
        if stopped or slot.running.incarnation != incarnation or slot.plan is not plan:  # on request, or with a sibling
            await self._start_planned(plan)
            return
        match decision or self._decision(slot, end, failure, self._family.kernel.now()):
            case Resume():
                if isinstance(slot.running, Cell):
                    slot.running.resume()
            case RestartChildren(after, stop, start):
                await self._restart(self._planned(slot, start), after, stop)
            case Forget() | Keep():
                slot.state = STOPPING
                await self._family.stop_and_vacate(slot)
                await self._gone(slot)
                await self._start_planned(plan)
            case Escalate() as escalate:
                self._give_up(escalate, failure)

    def _judgement(self, slot: Slot, end: End, failure: Failure, now: float) -> Decision | None:
        """As `_decision`, of a child that stands alone and whose restart waits for nothing; None: restart it."""
        directive = directive_for(self._family.deciders, failure.error)
        return judge(self._strategy, slot.spec.restart, end, directive, restarts=self._restarts, now=now)

    def _decision(self, slot: Slot, end: End, failure: Failure, now: float) -> Decision:
        if end is CRASH and not isinstance(slot.running, Cell):
            end = End.INIT  # what has given up cannot be resumed
        slots = self._family.slots.values()
        alone = isinstance(self._strategy, OneForOne)
        # One that is just being started on request comes up by itself.
        members = [slot] if alone else [one for one in slots if one.state is not STARTING]
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
        self._take_down(slot.name, self._family.kernel.now())
        plan = Plan(start)
        for name in start:
            one = self._family.slots[name]
            one.state, one.plan = RESTARTING, plan
        return plan

    def _take_down(self, name: str, now: float) -> None:
        """That child failed, and causes a restart."""
        restarts, within = self._restarts, self._strategy.within
        self._family.histories.failed(name, now)
        while restarts and now - restarts[0] > within:
            restarts.popleft()
        restarts.append(now)

    async def _restart(self, plan: Plan, after: float, stop: tuple[str, ...]) -> None:
        for slot in [self._family.slots[name] for name in stop]:
            if slot.plan is plan:
                await slot.halt()
            elif slot.state is not STOPPED:
                slot.state = STOPPING
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
        if slot.state is RUNNING:
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
