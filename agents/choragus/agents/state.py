"""Where a run stands: the state of its orchestrator, and the row that lists of runs are made of. Data only."""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.mailbox.codec import stored

from .correction import Correction
from .flow.label import OWN
from .limits import Limits
from .model import Image, ToolCall
from .plan.cursor import Cursor
from .speech import Said, Talk
from .spending import Spent
from .trial import Trial


class Phase(Enum):
    """Where in the loop a run stands."""

    NEW = "new"
    JUDGE = "judge"
    """A policy looks at what the run was told, or at what the model answered."""
    PERCEIVE = "perceive"
    REASON = "reason"
    ACT = "act"
    CHECK = "check"
    UPDATE = "update"
    STOP = "stop"


class Status(Enum):
    """What a run is for those who look at it from outside."""

    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    """Somebody holds it: nothing new starts."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LIMIT = "limit"
    DENIED = "denied"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self not in (Status.RUNNING, Status.WAITING, Status.PAUSED)


@attrs.define
class OpenCall:
    """A call of the current step: what was asked, its result once it is there, whose word it is, what it waits for."""

    id: str
    asked: ToolCall
    done: bool = False
    text: str = ""
    is_error: bool = False
    waits: str = ""
    whose: str = OWN


@attrs.define(kw_only=True)
class Draft:
    """A text that the guardrail judges at `stage`, and for a reply the calls beside it and why the model stopped.

    `waits`: a person decides. `kept` is what the provider wants back with the reply, `images` stand beside a goal.
    """

    stage: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    stop: str = "stop"
    waits: str = ""
    kept: tuple[dict[str, object], ...] = ()
    images: tuple[Image, ...] = ()


class Halt(Enum):
    """Where a paused run stands, and with what it goes on."""

    NOWHERE = ""
    RESERVE = "reserve"
    """The budget of a model call is to be reserved."""
    ACT = "act"
    """The model's calls are to be made."""
    SUCCESS = "success"
    """It is to be judged whether the run succeeded."""


@stored("choragus.run_state")
@attrs.define
class RunState:
    """The state of one run. The conversation is a stream; here stands only how far it goes.

    `final`: what the model is told in its last call, which has no tools. `achieved` is the latest that it said.
    `ceiling`: a person is asked to raise one. `paused` has who holds the run and why, by account. `room` is how many
    sub-runs may stand below one another under this one. `granted` are the tools that the run was
    narrowed to; None: it was not. `children` are its sub-runs, and whether they go on. `model` is the place
    of the model in hand among the agent's, `first` that of the one that each step begins with; `failed` calls of it
    have failed in this step, `away` were not made, and `failures` of all models have. `kept` is what the provider wants
    back with `text`. `repairs` counts the answers that were not of their type. `version` is how many decisions about
    its context count in this step, `heard` the input tokens of the latest model call. `plan` is where it stands in its
    plan, if its agent plans. `talk` is what was said to it, and of which thread it is part; None: nothing, of none.
    `trial` is its answer while that is judged, `succeeded` what came of it, `judging_usd` what judges have cost of all.
    `tenant` is for whom it runs. It has `waited` so many seconds for people or paused, and does `since` then if that is
    not 0.0. `correction` is the latest that a person said of its answer.
    `ran_on` are the hashes of the identity and the provenance that it was on last; earlier versions noted none.
    """

    phase: Phase = Phase.NEW
    status: Status = Status.RUNNING
    agent: str = ""
    goal: str = ""
    key: str = ""
    manifest: str = ""
    limits: Limits = attrs.field(factory=Limits)
    step: int = 0
    upto: int = 0
    tries: int = 0
    effect: str = ""
    text: str = ""
    calls: list[OpenCall] = attrs.field(factory=list)
    spent: Spent = attrs.field(factory=Spent)
    started: float = 0.0
    ended: float = 0.0
    outcome: str = ""
    draft: Draft | None = None
    final: str = ""
    achieved: str = ""
    ceiling: str = ""
    paused: dict[str, str] = attrs.field(factory=dict)
    halt: Halt = Halt.NOWHERE
    parent: str = ""
    ledgers: tuple[str, ...] = ()
    room: int | None = None
    children: dict[str, bool] = attrs.field(factory=dict)
    granted: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    questions: int = 0
    model: int = 0
    repairs: int = 0
    version: int = 0
    heard: int = 0
    first: int = 0
    failed: int = 0
    away: int = 0
    failures: int = 0
    kept: tuple[dict[str, object], ...] = ()
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    plan: Cursor | None = None
    talk: Talk | None = None
    trial: Trial | None = None
    succeeded: bool | None = None
    judging_usd: float = 0.0
    tenant: str = ""
    waited: float = 0.0
    since: float = 0.0
    correction: Correction | None = None
    ran_on: tuple[str, str] | None = None

    @property
    def is_degraded(self) -> bool:
        """Whether the answer has to do with less than was asked for: a ceiling came first, or a step is missing."""
        return bool(self.final) or (self.plan is not None and self.plan.degraded)

    @property
    def open_children(self) -> tuple[str, ...]:
        """The sub-runs that go on."""
        return tuple(run for run, goes_on in self.children.items() if goes_on)

    def call(self, id: str) -> OpenCall | None:
        """The call of this step that has no result yet."""
        return next((call for call in self.calls if call.id == id and not call.done), None)

    def figures(self) -> dict[str, object]:
        """What the run has used so far, and when it began and ended."""
        return {
            "steps": self.spent.steps,
            "input_tokens": self.spent.input_tokens,
            "output_tokens": self.spent.output_tokens,
            "cost_usd": self.spent.cost_usd,
            "started": self.started,
            "ended": self.ended,
            "questions": self.questions,
            **({"cached_tokens": self.cached_tokens} if self.cached_tokens else {}),
            **({"reasoning_tokens": self.reasoning_tokens} if self.reasoning_tokens else {}),
            **({"waited": self.waited} if self.waited else {}),
        }

    @property
    def unread(self) -> list[Said]:
        """The texts that were sent to it and that its model has not read yet."""
        return [] if self.talk is None else self.talk.unread

    def row(self, run: str, now: float) -> dict[str, object]:
        """The body of the view row `run`; what waits for a person makes a running run a waiting one."""
        waits = [f"{call.id} {call.asked.name}: {call.waits}" for call in self.calls if call.waits]
        if self.draft is not None and self.draft.waits:
            waits.append(f"{self.draft.stage}: {self.draft.waits}")
        waits += [f"{one.id}: {one.waits}" for one in self.unread if one.waits]
        if self.ceiling:
            waits.append(self.ceiling)
        if self.plan is not None and self.plan.waits and not self.status.is_final:
            waits.append(f"step {self.plan.step}: {self.plan.waits}")
        if not self.status.is_final:
            self.status = Status.PAUSED if self.paused else Status.WAITING if waits else Status.RUNNING
        self.clock(now)
        return {
            "run": run,
            "agent": self.agent,
            "goal": self.goal,
            "key": self.key,
            "manifest": self.manifest,
            "status": self.status.value,
            "phase": self.phase.value,
            "step": self.step,
            "waits": waits,
            "outcome": self.outcome,
            "achieved": self.achieved if self.status is Status.LIMIT else "",
            "degraded": self.is_degraded and self.status is Status.COMPLETED,
            "paused": "; ".join(self.paused.values()),
            "parent": self.parent,
            **({"sources": list(self.sources)} if self.sources else {}),
            **({"plan": self.plan.told} if self.plan is not None else {}),
            **({} if self.talk is None else self.talk.row()),
            **({} if self.succeeded is None else {"succeeded": self.succeeded}),
            **({"judging_usd": self.judging_usd} if self.judging_usd else {}),
            **({"tenant": self.tenant} if self.tenant else {}),
            **({} if self.correction is None else self._corrected(self.correction)),
            **self.figures(),
        }

    def clock(self, now: float) -> None:
        """Take note whether it waits."""
        if self.status in (Status.WAITING, Status.PAUSED):
            self.since = self.since or now
        elif self.since:
            self.waited, self.since = self.waited + max(0.0, now - self.since), 0.0

    def _corrected(self, one: Correction) -> dict[str, object]:
        return {"correction": one.answer, "corrected_by": one.by}
