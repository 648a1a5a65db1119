"""The orchestrator: the six-step loop of one run, as a state machine in code.

    perceive -> reason -> act -> check -> update -> perceive ... or stop

Every transition is a turn, and its state stands in the run's logbook. The model proposes; what happens next is decided
here.
"""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt, Parking

from .limits import Limits, Spent
from .message import (
    GUARDRAIL,
    MEMORY,
    ORCHESTRATOR,
    TOOL_GATEWAY,
    CallFinished,
    CallModel,
    CallWaits,
    CancelRun,
    GiveUpRun,
    ModelFailed,
    ModelReplied,
    Perceive,
    Perceived,
    Reserve,
    RetryModel,
    RunCall,
    RunEnded,
    SetLimits,
    Spend,
    StartRun,
    Verdict,
    WallReached,
)
from .model import ChatMessage, ToolCall
from .part import Part

MODEL_TRIES = 4
"""How often a model that fails in a way that may pass is called for one step: waits of 1, 2 and 4 s between."""


class Phase(Enum):
    """Where in the loop a run stands."""

    NEW = "new"
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


@stored("choragus.run_state")
@attrs.define
class RunState:
    """The state of one run. The conversation is a stream; here stands only how far it goes."""

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


class Orchestrator(
    Part[
        RunState,
        StartRun | Perceived | CallFinished | CallWaits | GiveUpRun | CancelRun | WallReached | RetryModel,
    ],
    name=ORCHESTRATOR,
):
    """Decides what a run does next. One per run, keyed by its id."""

    @handle
    def start(self, message: StartRun) -> bool:
        """Begin; a second start of the same run changes nothing."""
        state = self.state
        if state.phase is not Phase.NEW:
            return False
        state.agent, state.goal, state.key = message.agent, message.goal, message.key
        state.manifest, state.limits, state.started = message.manifest, message.limits, self.now
        self.log("run.started", agent=message.agent, goal=message.goal, key=message.key, manifest=message.manifest)
        self.log("run.manifest", hash=message.manifest, identity=message.identity)
        self.tell(GUARDRAIL, SetLimits(limits=message.limits, started=self.now))
        if message.limits.wall_seconds is not None:
            self.timer("wall", WallReached(), after=message.limits.wall_seconds)
        self._perceive(ChatMessage("user", message.goal))
        return True

    @handle
    async def perceived(self, message: Perceived) -> None:
        """The context stands: reserve what the model call may cost."""
        if self._is_over or self.state.phase is not Phase.PERCEIVE or message.step != self.state.step:
            return
        self.state.upto = message.upto
        self.state.tries = 0
        self._enter(Phase.REASON)
        await self._reserve()

    @handle
    async def retry(self, message: RetryModel) -> None:
        """A model that failed is called again."""
        if not self._is_over and self.state.phase is Phase.REASON and message.step == self.state.step:
            await self._reserve()

    @reply
    def reserved(self, verdict: Verdict | AskFailed) -> None:
        """The budget is set aside, or there is none."""
        if self._is_over or self.state.phase is not Phase.REASON:
            return
        if isinstance(verdict, AskFailed):
            self._end(Status.DENIED, f"the guardrail did not answer ({verdict.reason}), and without it nothing runs")
        elif not verdict.allowed:
            self._end(Status.LIMIT, verdict.reason)
        else:
            state = self.state
            request = CallModel(run=self.key, agent=state.agent, step=state.step, upto=state.upto)
            state.effect = self.effect("model", request, then=self.replied, on_interrupt=OnInterrupt.RERUN)

    @reply
    def replied(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The model has answered: with calls, go on to act; without, this is the result."""
        if self._is_over or self.state.phase is not Phase.REASON:
            return
        self.state.effect = ""
        if isinstance(answer, ModelReplied):
            self._account(answer)
            self._act(answer)
        elif isinstance(answer, ModelFailed):
            self.tell(GUARDRAIL, Spend(token=self._token, spent=Spent()))
            self._model_failed(answer)
        else:
            self._end(Status.FAILED, f"the model call failed: {answer.error}: {answer.reason}")

    @handle
    def finished(self, message: CallFinished) -> None:
        """A call has its result: check it, and when all have theirs, update and go on."""
        call = next((one for one in self.state.calls if one.id == message.call), None)
        if self._is_over or call is None or call.done:
            return
        call.done, call.text, call.is_error, call.waits = True, message.text, message.is_error, ""
        self._enter(Phase.CHECK, call=call.id, tool=call.asked.name, is_error=call.is_error)
        self._show()
        if all(one.done for one in self.state.calls):
            self._update()
        else:
            self._enter(Phase.ACT)

    @handle
    def waits(self, message: CallWaits) -> None:
        """A call waits for a person, or no longer does."""
        call = next((one for one in self.state.calls if one.id == message.call), None)
        if not self._is_over and call is not None and not call.done:
            call.waits = message.reason
            self._show()

    @handle
    def cancel(self, message: CancelRun) -> bool:
        """End as cancelled, also while a call is in flight."""
        if self._is_over:
            return False
        self._end(Status.CANCELLED, f"cancelled by {message.by}" + (f": {message.reason}" if message.reason else ""))
        return True

    @handle
    def wall(self, message: WallReached) -> None:
        """The wall time is used up."""
        limit = self.state.limits.wall_seconds
        if not self._is_over and limit is not None:
            self._end(Status.LIMIT, f"wall_seconds is limited to {limit:g}: raise it with Limits(wall_seconds=...)")

    @handle
    def give_up(self, message: GiveUpRun) -> None:
        """Another part cannot go on."""
        if not self._is_over:
            self._end(Status.FAILED, f"{message.part}: {message.reason}")

    def on_parked(self, message: object, parking: Parking) -> None:
        """The orchestrator itself failed on a message for good."""
        if not self._is_over:
            self._end(Status.FAILED, f"{self.type_name}/{self.key}: {parking.reason}")

    @property
    def _is_over(self) -> bool:
        return self.state.status.is_final or self.state.phase is Phase.NEW

    @property
    def _token(self) -> str:
        return f"step-{self.state.step}.{self.state.tries}"

    def _enter(self, phase: Phase, **fields: object) -> None:
        self.state.phase = phase
        self.log("phase", phase=phase.value, step=self.state.step, **fields)

    def _perceive(self, *additions: ChatMessage) -> None:
        self.state.step += 1
        self.state.calls = []
        self._enter(Phase.PERCEIVE)
        self._show()
        self.tell(MEMORY, Perceive(self.state.step, additions))

    async def _reserve(self) -> None:
        state = self.state
        state.tries += 1
        most = await self.services.estimate(self.key, state.agent, state.upto)
        asked = Spent(
            steps=1 if state.tries == 1 else 0,
            input_tokens=most.input_tokens,
            output_tokens=most.output_tokens,
            cost_usd=most.cost_usd,
        )
        self.ask_at(actor_id(GUARDRAIL, self.key), Reserve(token=self._token, most=asked), then=self.reserved)

    def _account(self, answer: ModelReplied) -> None:
        spent = Spent(
            steps=1, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, cost_usd=answer.cost_usd
        )
        self.state.spent = self.state.spent.add(spent)
        self.tell(GUARDRAIL, Spend(token=self._token, spent=spent))
        model = self.services.agent(self.state.agent).model
        self.log(
            "model.replied",
            step=self.state.step,
            agent=self.state.agent,
            model=model.name,
            provider=model.provider,
            text=answer.text,
            calls=[{"name": call.name, "arguments": call.arguments} for call in answer.calls],
            stop=answer.stop,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=answer.cost_usd,
            started=answer.started,
            ended=answer.ended,
        )

    def _act(self, answer: ModelReplied) -> None:
        state = self.state
        state.text = answer.text
        if not answer.calls:
            self._stop(answer)
            return
        state.calls = [OpenCall(f"{state.step}.{n}", call) for n, call in enumerate(answer.calls, start=1)]
        self._enter(Phase.ACT, calls=[call.id for call in state.calls])
        self._show()
        for call in state.calls:
            self.tell(TOOL_GATEWAY, RunCall(call=call.id, agent=state.agent, asked=call.asked))

    def _stop(self, answer: ModelReplied) -> None:
        if answer.stop == "stop" or answer.stop == "tool_calls":
            self._end(Status.COMPLETED, answer.text)
        else:
            self._end(
                Status.FAILED, f"the model stopped with {answer.stop!r} instead of an answer: {answer.text[:200]}"
            )

    def _model_failed(self, answer: ModelFailed) -> None:
        state = self.state
        self.log(
            "model.failed",
            step=state.step,
            reason=answer.reason,
            tries=state.tries,
            started=answer.started,
            ended=answer.ended,
        )
        if answer.retryable and state.tries < MODEL_TRIES:
            self.timer("retry", RetryModel(state.step, state.upto), after=2.0 ** (state.tries - 1))
        else:
            self._end(Status.FAILED, f"the model failed {state.tries} times: {answer.reason}")

    def _update(self) -> None:
        state = self.state
        self._enter(Phase.UPDATE)
        asked = ChatMessage("assistant", state.text, tuple(call.asked for call in state.calls))
        results = (
            ChatMessage("tool", call.text, call_id=call.asked.id, name=call.asked.name, is_error=call.is_error)
            for call in state.calls
        )
        self._perceive(asked, *results)

    def _end(self, status: Status, outcome: str) -> None:
        state = self.state
        if state.effect:
            self.cancel_effect(state.effect)
        if status is Status.COMPLETED:
            self.tell(MEMORY, Perceive(0, (ChatMessage("assistant", outcome),)))
        state.status, state.outcome, state.ended, state.effect = status, outcome, self.now, ""
        self.cancel_timer("wall")
        self.cancel_timer("retry")
        self._enter(Phase.STOP)
        self.tell(TOOL_GATEWAY, RunEnded())
        self.tell(GUARDRAIL, RunEnded())
        self.log("run.ended", status=status.value, outcome=outcome, agent=state.agent, **self._figures())
        self._show()
        self._turn.after_commit(lambda: self.services.forget(self.key))

    def _figures(self) -> dict[str, object]:
        spent = self.state.spent
        return {
            "steps": spent.steps,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "cost_usd": spent.cost_usd,
            "started": self.state.started,
            "ended": self.state.ended,
        }

    def _show(self) -> None:
        """The row that lists of runs are made of."""
        state = self.state
        waits = [f"{call.id} {call.asked.name}: {call.waits}" for call in state.calls if call.waits]
        if not state.status.is_final:
            state.status = Status.WAITING if waits else Status.RUNNING
        body: dict[str, object] = {
            "run": self.key,
            "agent": state.agent,
            "goal": state.goal,
            "key": state.key,
            "manifest": state.manifest,
            "status": state.status.value,
            "phase": state.phase.value,
            "step": state.step,
            "waits": waits,
            "outcome": state.outcome,
            **self._figures(),
        }
        self.view("run", self.key, body, sort=state.started)
