"""Where a run stands: the state of its orchestrator, and the row that lists of runs are made of. Data only."""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.mailbox.codec import stored

from .limits import Limits, Spent
from .model import ToolCall


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
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LIMIT = "limit"
    DENIED = "denied"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self not in (Status.RUNNING, Status.WAITING)


@attrs.define
class OpenCall:
    """A call of the current step: what was asked, its result once it is there, what it waits for."""

    id: str
    asked: ToolCall
    done: bool = False
    text: str = ""
    is_error: bool = False
    waits: str = ""


@attrs.define(kw_only=True)
class Draft:
    """A text that the guardrail judges at `stage`, and for a reply the calls beside it and why the model stopped.

    `waits`: a person decides.
    """

    stage: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    stop: str = "stop"
    waits: str = ""


@stored("choragus.run_state")
@attrs.define
class RunState:
    """The state of one run. The conversation is a stream; here stands only how far it goes.

    `granted` are the tools that the run was narrowed to; None: it was not.
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
    granted: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    questions: int = 0

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
        }

    def row(self, run: str) -> dict[str, object]:
        """The body of the view row `run`; a call that waits for a person makes a running run a waiting one."""
        waits = [f"{call.id} {call.asked.name}: {call.waits}" for call in self.calls if call.waits]
        if self.draft is not None and self.draft.waits:
            waits.append(f"{self.draft.stage}: {self.draft.waits}")
        if not self.status.is_final:
            self.status = Status.WAITING if waits else Status.RUNNING
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
            **({"sources": list(self.sources)} if self.sources else {}),
            **self.figures(),
        }
