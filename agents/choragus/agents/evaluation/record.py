"""What is kept of an evaluation in its file: one durable actor each, whose every turn is a line of its own stream.

A trial that has ended stands there with its scores, so an evaluation that was interrupted goes on behind it.
"""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.agents.sender import from_outside
from choragus.mailbox.codec import stored

EVALUATION = "choragus.evaluation"

VIEW = "evaluation"
"""The kind of view that an ended evaluation leaves, with the agent's manifest as its scope."""


_OWN = "evaluation/"


def evaluation_stream(id: str) -> str:
    """Where the lines of an evaluation stand."""
    return f"{_OWN}{id}"


def trial_key(id: str, case: str, repeat: int) -> str:
    """The key of the run that tries a case."""
    return f"{_OWN}{id}/{case}/{repeat}"


def is_trial_of(id: str, key: str) -> bool:
    """Whether a run of that key is one of that evaluation's: a trial, or the word of a judge."""
    return key.startswith(f"{_OWN}{id}/")


@stored("choragus.begin_evaluation")
@attrs.frozen(kw_only=True)
class BeginEvaluation(Request[bool]):
    """Begin; False when it had begun before, and then nothing happens. `identity` is the agent's manifest in full."""

    dataset: str
    digest: str
    agent: str
    manifest: str
    identity: dict[str, object]
    cases: int
    repeats: int
    scorers: tuple[str, ...]


@stored("choragus.trial_ended")
@attrs.frozen(kw_only=True)
class TrialEnded(Request[bool]):
    """A trial has ended and is scored, in plain JSON; `results` are its scores as telemetry has them."""

    trial: dict[str, object]
    results: tuple[dict[str, object], ...]


@stored("choragus.end_evaluation")
@attrs.frozen(kw_only=True)
class EndEvaluation(Request[bool]):
    """All trials have ended."""

    figures: dict[str, object]
    passed: bool | None


@stored("choragus.evaluation_state")
@attrs.define
class EvaluationState:
    """Where it stands; the trials are lines of the stream and not here, so that a turn costs the same at any length."""

    begun: BeginEvaluation | None = None
    started: float = 0.0
    ended: float = 0.0
    trials: int = 0


class Evaluation(DurableActor[EvaluationState, BeginEvaluation | TrialEnded | EndEvaluation], name=EVALUATION):
    """The record of one evaluation; its key is the evaluation's id. Only the host writes into it."""

    @property
    def stream(self) -> str:
        """The evaluation's own."""
        return evaluation_stream(self.key)

    @handle
    def open(self, message: BeginEvaluation) -> bool:
        """It begins, once."""
        if self.state.begun is not None or not from_outside(self._turn.sender):
            return False
        self.state.begun, self.state.started = message, self.now
        self.log("evaluation.started", id=self.key, **attrs.asdict(message))
        return True

    @handle
    def trial(self, message: TrialEnded) -> bool:
        """One trial more, unless it has ended."""
        if self.state.begun is None or self.state.ended or not from_outside(self._turn.sender):
            return False
        self.state.trials += 1
        self.log("trial.ended", **message.trial)
        for result in message.results:
            self.log("evaluation.result", run=message.trial["run"], **result)
        return True

    @handle
    def finish(self, message: EndEvaluation) -> bool:
        """The figures, and whether it passed."""
        begun = self.state.begun
        if begun is None or self.state.ended or not from_outside(self._turn.sender):
            return False
        self.state.ended = self.now
        body: dict[str, object] = {
            "id": self.key,
            "dataset": begun.dataset,
            "agent": begun.agent,
            "manifest": begun.manifest,
            "cases": begun.cases,
            "repeats": begun.repeats,
            "started": self.state.started,
            "ended": self.state.ended,
            "figures": message.figures,
            "passed": message.passed,
        }
        self.log("evaluation.ended", **{name: body[name] for name in ("figures", "passed")})
        self.view(VIEW, self.key, body, scope=begun.manifest, sort=self.state.ended)
        return True
