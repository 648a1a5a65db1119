"""How far a plan is: its steps with their states, and its revisions, folded from what was entered. Pure.

The entries are the truth: the orchestrator's state holds how many of them count, and no more of the plan than the step
in hand, so that a turn of a run of 500 steps writes no more than one of five.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec
from attrs import define, evolve, field, frozen

from choragus.agents.policy.check import Planned

from .step import PlanStep

Fields = Mapping[str, object]

PROPOSED, REVISED = "plan.proposed", "plan.revised"
STARTED, RETRIED, FALLBACK = "step.started", "step.retried", "step.fallback"
SUCCEEDED, FAILED, SKIPPED, ESCALATED = "step.succeeded", "step.failed", "step.skipped", "step.escalated"


class StepState(Enum):
    """Where a step stands."""

    OPEN = "open"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens in it."""
        return self not in (StepState.OPEN, StepState.RUNNING)


@frozen(kw_only=True)
class StepStatus:
    """A step and how far it is.

    `attempts` counts all of them, `tries` those in the present `way`: 0, or the number of the fallback. `outcome` is
    what came out, at most its first 2,000 characters, `why` the reason of the latest failure or of the skip, `by` who
    did it: the model, an agent or a person. `revision` is the one that the step is as of, `since` the position of the
    conversation at which its latest attempt began. `degraded`: it was skipped, and others go on without it.
    """

    step: PlanStep
    state: StepState = StepState.OPEN
    attempts: int = 0
    way: int = 0
    tries: int = 0
    outcome: str = ""
    why: str = ""
    by: str = ""
    revision: int = 1
    since: int = 0
    degraded: bool = False

    @property
    def lets_go_on(self) -> bool:
        """Whether what comes after it can begin."""
        if self.state is StepState.SKIPPED:
            return self.degraded or self.step.optional
        return self.state is StepState.SUCCEEDED


@frozen(kw_only=True)
class Revision:
    """One change of a plan; number 1 is the plan itself.

    `added`, `changed` and `dropped` are ids of steps, `by` is "model" or "host".
    """

    number: int
    reason: str
    by: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@define
class Book:
    """The plan after `read` entries. Its statuses are values, so a copy shares them."""

    steps: dict[str, StepStatus] = field(factory=dict)
    revisions: list[Revision] = field(factory=list)
    read: int = 0

    def copy(self) -> Book:
        """One that can be changed without this one."""
        return Book(dict(self.steps), list(self.revisions), self.read)

    def take(self, kind: str, fields: Fields) -> None:
        """Go on by one entry."""
        self.read += 1
        if kind in (PROPOSED, REVISED):
            self._revise(fields)
            return
        status = self.steps[str(fields["step"])]
        self.steps[status.step.id] = _after(status, kind, fields)

    @property
    def running(self) -> StepStatus | None:
        """The step in hand."""
        return next((one for one in self.steps.values() if one.state is StepState.RUNNING), None)

    @property
    def ready(self) -> StepStatus | None:
        """The step that comes next: the first of the plan that is open and waits for none."""
        return next((one for one in self.steps.values() if one.state is StepState.OPEN and self._is_free(one)), None)

    @property
    def over(self) -> int:
        """How many steps are over."""
        return sum(one.state.is_over for one in self.steps.values())

    @property
    def is_degraded(self) -> bool:
        """Whether a step is missing that others went on without."""
        return any(one.degraded for one in self.steps.values())

    @property
    def planned(self) -> Planned | None:
        """It as policies are shown it; None when no step is in hand."""
        running = self.running
        if running is None:
            return None
        named: dict[str, tuple[str, ...]] = {}
        for one in self.steps.values():
            for tool in () if one.state.is_over else one.step.named:
                named[tool] = (*named.get(tool, ()), one.step.id)
        step = running.step
        return Planned(step=step.id, tools=step.named or step.tools, named=named)

    def blocked(self) -> Iterator[tuple[StepStatus, str]]:
        """Each open step that can never begin, and the id of the one that was skipped before it; one level deep."""
        for one in self.steps.values():
            if one.state is StepState.OPEN:
                missing = [id for id in one.step.after if self._is_missing(id)]
                if missing:
                    yield one, missing[0]

    def _is_free(self, status: StepStatus) -> bool:
        return all(self.steps[id].lets_go_on for id in status.step.after)

    def _is_missing(self, id: str) -> bool:
        status = self.steps[id]
        return status.state.is_over and not status.lets_go_on

    def _revise(self, fields: Fields) -> None:
        number = msgspec.convert(fields["revision"], int)
        given = msgspec.convert(fields["steps"], list[PlanStep])
        dropped = msgspec.convert(fields.get("dropped", []), tuple[str, ...])
        known = set(self.steps)
        for id in dropped:
            del self.steps[id]
        for one in given:
            self.steps[one.id] = StepStatus(step=one, revision=number)
        revision = Revision(
            number=number,
            reason=str(fields["reason"]),
            by=str(fields["by"]),
            added=tuple(one.id for one in given if one.id not in known),
            changed=tuple(one.id for one in given if one.id in known),
            dropped=dropped,
        )
        self.revisions.append(revision)


def book_fields(revision: int, by: str, reason: str, steps: Sequence[PlanStep]) -> dict[str, object]:
    """The fields of the entry with which a plan begins, or is revised."""
    return {"revision": revision, "by": by, "reason": reason, "steps": msgspec.to_builtins(list(steps))}


def _after(status: StepStatus, kind: str, fields: Fields) -> StepStatus:
    why, since = str(fields.get("reason", "")), msgspec.convert(fields.get("since", status.since), int)
    attempts = status.attempts + 1
    match kind:
        case "step.started":
            return evolve(status, state=StepState.RUNNING, attempts=attempts, tries=1, since=since)
        case "step.retried":
            again = bool(fields.get("anew"))
            way, tries = (0, 1) if again else (status.way, status.tries + 1)
            return evolve(status, attempts=attempts, way=way, tries=tries, why=why, since=since)
        case "step.fallback":
            way = msgspec.convert(fields["way"], int)
            return evolve(status, attempts=attempts, way=way, tries=1, why=why, since=since)
        case "step.succeeded":
            return evolve(
                status, state=StepState.SUCCEEDED, outcome=str(fields["outcome"]), by=str(fields["by"]), why=""
            )
        case "step.failed":
            return evolve(status, state=StepState.FAILED, why=why)
        case "step.skipped":
            return evolve(status, state=StepState.SKIPPED, why=why, degraded=bool(fields.get("degraded")))
        case _:
            return evolve(status, why=why)
