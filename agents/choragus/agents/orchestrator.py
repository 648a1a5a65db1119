"""The orchestrator: the six-step loop of one run, as a state machine in code.

    perceive -> reason -> act -> check -> update -> perceive ... or stop

Every transition is a turn, and its state stands in the run's logbook. The model proposes; what happens next is decided
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed
from choragus.mailbox.address import actor_id
from choragus.mailbox.citation import FORKED
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.turn import SYSTEM_STREAM, OnInterrupt, Parking

from .approval import approval_id
from .errors import AgentError
from .flow.label import RUNTIME
from .fork import ForkPoint, fork_point, is_fork, origin, taken
from .limits import Limits, Spent
from .message import (
    GUARDRAIL,
    MEMORY,
    ORCHESTRATOR,
    RESULT,
    TOOL_GATEWAY,
    CallFinished,
    CallModel,
    CallWaits,
    CancelRun,
    Decided,
    ForkRun,
    GiveUpRun,
    GrantTools,
    JudgeText,
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
from .policy.check import Stage
from .state import Draft, OpenCall, Phase, RunState, Status
from .stream import SHOWN

MODEL_TRIES = 4
"""How often a model that fails in a way that may pass is called for one step."""

RETRY = 1.0
"""Seconds before the second of these calls; then twice as many each time: 1, 2 and 4."""


class Orchestrator(
    Part[
        RunState,
        StartRun
        | ForkRun
        | Perceived
        | CallFinished
        | CallWaits
        | Decided
        | GiveUpRun
        | CancelRun
        | WallReached
        | RetryModel,
    ],
    name=ORCHESTRATOR,
):
    """Decides what a run does next. One per run, keyed by its id."""

    @handle
    def start(self, message: StartRun) -> bool:
        """Begin, on the agent as it is now; a second start of the same run changes nothing."""
        if self.state.phase is not Phase.NEW:
            return False
        self._begin(message.agent, message.goal, message.key, granted=message.tools)
        self._judge(Draft(stage=Stage.INPUT.value, text=message.goal))
        return True

    @handle
    async def fork(self, message: ForkRun) -> str:
        """Begin as a fork, in this one turn; what the parent leaves is only read."""
        store = self.services.store
        if self.state.phase is not Phase.NEW:
            await self.committed()  # its first entry is read from disk
            there = await origin(store, self.key)
            return "" if is_fork(there, message.run, message.at) else str(taken(message.run, message.key, self.key))
        try:
            self.services.check_agent(message.run, message.agent, message.manifest)
            point = await fork_point(store, message.run, message.at, "the file")
        except (AgentError, CorruptRecord) as error:
            # Whoever asked may be gone, and the run that was to be has no logbook.
            self.append(SYSTEM_STREAM, "fork.refused", {"run": self.key, "by": message.by, "reason": str(error)})
            return str(error)
        self.log(FORKED, **point.citing(message.by))
        for one in point.interrupted:
            self.log("effect.interrupted", effect=one.effect, call=one.call, tool=one.tool)
        self._begin(message.agent, point.goal, message.key, message.limits, point.granted)
        self._go_on_from(point)
        return ""

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
        state = self.state
        if self._is_over or state.phase is not Phase.REASON or self.about != self._token:
            return
        if isinstance(verdict, AskFailed):
            self._end(Status.DENIED, f"{verdict.actor}: {verdict.reason}; without the guardrail nothing runs")
        elif not verdict.allowed:
            self._end(Status.LIMIT, verdict.reason)
        else:
            request = CallModel(
                run=self.key, agent=state.agent, step=state.step, upto=state.upto, granted=state.granted
            )
            state.effect = self.effect(
                "model", request, then=self.replied, on_interrupt=OnInterrupt.RERUN, about=self._token
            )

    @reply
    def replied(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The model has answered: with calls, go on to act; without, this is the result."""
        if self._is_over:
            self._replied_late(answer)
        elif self.state.phase is Phase.REASON and self.about == self._token:
            self.state.effect = ""
            if isinstance(answer, ModelReplied):
                self._account(answer)
                self._judge(Draft(stage=Stage.REPLY.value, text=answer.text, calls=answer.calls, stop=answer.stop))
            elif isinstance(answer, ModelFailed):
                self.tell(GUARDRAIL, Spend(token=self._token, spent=Spent()))
                self._model_failed(answer)
            else:
                self._end(Status.FAILED, f"the model call failed: {answer.error}: {answer.reason}")

    @reply
    def judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a draft. Silence is no."""
        draft = self.state.draft
        if self._is_over or draft is None or self.about != self._subject(draft):
            return
        if isinstance(verdict, AskFailed):
            self._end(Status.DENIED, f"{verdict.actor}: {verdict.reason}; without the guardrail nothing goes on")
            return
        self.state.sources = verdict.sources
        if verdict.wait:
            pass  # CallWaits says so, and the decision comes as Decided
        elif verdict.allowed:
            self._passed(draft, draft.text if verdict.text is None else verdict.text)
        elif verdict.ends or draft.stage == Stage.INPUT.value:
            self._end(Status.DENIED, verdict.reason)
        else:
            self._sent_back(draft, f"refused: {verdict.reason}")

    @handle
    def decided(self, message: Decided) -> None:
        """A person has decided about a draft."""
        draft = self.state.draft
        if self._is_over or draft is None or message.call != self._subject(draft):
            return
        why = f"denied by {message.by}" + (f": {message.reason}" if message.reason else "")
        if message.approved:
            self._passed(draft, draft.text)
        elif draft.stage == Stage.INPUT.value:
            self._end(Status.DENIED, why)
        else:
            self._sent_back(draft, why)

    @handle
    def finished(self, message: CallFinished) -> None:
        """A call has its result: check it, and when all have theirs, update and go on."""
        call = self.state.call(message.call)
        if self._is_over or call is None:
            return
        call.done, call.text, call.is_error, call.waits = True, message.text, message.is_error, ""
        self._enter(Phase.CHECK, call=call.id, tool=call.asked.name, is_error=call.is_error)
        if all(one.done for one in self.state.calls):
            self._update()
        else:
            self._enter(Phase.ACT)
            self._show()

    @handle
    def waits(self, message: CallWaits) -> None:
        """A call waits for a person, or no longer does."""
        call, draft = self.state.call(message.call.removeprefix(RESULT)), self.state.draft
        if self._is_over:
            return
        self.state.questions += bool(message.reason)
        if call is not None:
            call.waits = message.reason
            self._show()
        elif draft is not None and message.call == self._subject(draft):
            draft.waits = message.reason
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
        """Another part cannot go on. A guardrail that is down has denied."""
        if not self._is_over:
            denied = message.part == actor_id(GUARDRAIL, self.key)
            self._end(Status.DENIED if denied else Status.FAILED, f"{message.part}: {message.reason}")

    def on_parked(self, message: object, parking: Parking) -> None:
        """The orchestrator itself failed on a message for good."""
        if not self._is_over:
            self._end(Status.FAILED, f"{self.id}: {parking.reason}")

    def _begin(
        self,
        agent: str,
        goal: str,
        key: str,
        limits: Limits | None = None,
        granted: tuple[str, ...] | None = None,
    ) -> None:
        """On the agent as it is now, with nothing spent."""
        state, identity = self.state, self.services.manifest(agent)
        state.agent, state.goal, state.key = agent, goal, key
        state.manifest, state.limits, state.started = identity.hash, limits or identity.limits, self.now
        self.log("run.started", agent=state.agent, goal=state.goal, key=state.key, manifest=state.manifest)
        self.log("run.manifest", hash=state.manifest, identity=identity.as_dict())
        self.tell(GUARDRAIL, SetLimits(limits=state.limits, started=self.now))
        if granted is not None:
            state.granted = granted
            self.log("run.granted", tools=list(granted))
            self.tell(TOOL_GATEWAY, GrantTools(granted))
        if state.limits.wall_seconds is not None:
            self.timer("wall", WallReached(), after=state.limits.wall_seconds)

    def _go_on_from(self, point: ForkPoint) -> None:
        """With the step in hand: the model is asked for it, or its calls are made, or it is done."""
        state = self.state
        if not point.calls:
            state.step = point.step - 1
            if len(point.conversation) == 1:
                self._judge(Draft(stage=Stage.INPUT.value, text=point.conversation[0].text))
            else:
                self._perceive(*point.conversation)
            return
        state.step, state.upto, state.text = point.step, len(point.conversation), point.text
        state.calls = list(point.calls)
        self.tell(MEMORY, Perceive(0, point.conversation))
        if all(call.done for call in state.calls):
            self._update()
        elif any(call.done for call in state.calls):
            self._call_tools()
        else:
            asked = tuple(call.asked for call in state.calls)
            state.calls = []
            self._judge(Draft(stage=Stage.REPLY.value, text=point.text, calls=asked, stop="tool_calls"))

    @property
    def _is_over(self) -> bool:
        return self.state.status.is_final or self.state.phase is Phase.NEW

    @property
    def _token(self) -> str:
        """The name of the model call in hand."""
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
        await self.committed()  # the conversation is read from disk
        most = await self.services.estimate(self.key, state.agent, state.upto, state.granted)
        asked = Spent(steps=1, input_tokens=most.input_tokens, output_tokens=most.output_tokens, cost_usd=most.cost_usd)
        self.ask_guardrail(Reserve(token=self._token, most=asked), then=self.reserved, about=self._token)

    def _account(self, answer: ModelReplied) -> None:
        state = self.state
        spent = Spent(
            steps=1, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, cost_usd=answer.cost_usd
        )
        state.spent = state.spent.add(spent)
        self.tell(GUARDRAIL, Spend(token=self._token, spent=spent))
        self._log_model(
            "model.replied",
            answer,
            text=answer.text,
            calls=[{"name": call.name, "arguments": call.arguments} for call in answer.calls],
            stop=answer.stop,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=answer.cost_usd,
            **self._open_end(),
        )

    def _open_end(self) -> dict[str, object]:
        """A mark that the run may go on after an answer without calls: what it says is judged first."""
        chain = self.services.policies(self.state.agent)
        return {"judged": True} if chain.looks_at(Stage.REPLY) or chain.looks_at(Stage.OUTPUT) else {}

    def _replied_late(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The run ended while the model answered: what it cost is spent all the same."""
        if isinstance(answer, ModelReplied):
            self._account(answer)
            self._show()

    def _subject(self, draft: Draft) -> str:
        """The name of a draft within the run."""
        return f"{draft.stage}-{self.state.step}"

    def _judge(self, draft: Draft) -> None:
        """The draft passes, once the guardrail has looked at it, if any policy looks at its stage."""
        state = self.state
        if not self.services.policies(state.agent).looks_at(Stage(draft.stage)):
            self._passed(draft, draft.text)
            return
        state.draft = draft
        self._enter(Phase.JUDGE, stage=draft.stage)
        self._show()
        judged = JudgeText(
            stage=draft.stage,
            subject=self._subject(draft),
            asker=ORCHESTRATOR,
            agent=state.agent,
            step=state.step,
            text=draft.text,
            upto=state.upto,
        )
        self.ask_guardrail(judged, then=self.judged, about=judged.subject)

    def _passed(self, draft: Draft, text: str) -> None:
        """Go on with the text: the goal is perceived, the reply acted upon, the answer given."""
        self.state.draft = None
        match Stage(draft.stage):
            case Stage.INPUT:
                self._perceive(ChatMessage("user", text))
            case Stage.OUTPUT:
                self._end(Status.COMPLETED, text)
            case _:
                self._act(draft, text)

    def _sent_back(self, draft: Draft, why: str) -> None:
        """The model reads why what it said does not pass, and answers anew; its calls are not made."""
        self.state.draft = None
        self.log("reply.refused", step=self.state.step, stage=draft.stage, reason=why)
        said = (ChatMessage("assistant", draft.text),) if draft.text else ()
        self._perceive(*said, ChatMessage("user", f"Your {draft.stage} does not pass: {why}", labels=(RUNTIME,)))

    def _act(self, draft: Draft, text: str) -> None:
        state = self.state
        state.text = text
        if draft.calls and draft.stop not in ("length", "refusal"):
            state.calls = [
                OpenCall(f"{state.step}.{n}", call) for n, call in enumerate(_named(state.step, draft.calls), 1)
            ]
            self._call_tools()
        elif draft.stop == "stop":
            self._judge(Draft(stage=Stage.OUTPUT.value, text=text))
        else:
            self._end(Status.FAILED, f"the model stopped with {draft.stop!r} instead of an answer: {text[:200]}")

    def _call_tools(self) -> None:
        state = self.state
        self._enter(Phase.ACT, calls=[call.id for call in state.calls])
        self._show()
        for call in state.calls:
            if not call.done:
                asked = RunCall(
                    call=call.id,
                    agent=state.agent,
                    asked=call.asked,
                    step=state.step,
                    reason=state.text[:SHOWN],
                    upto=state.upto,
                )
                self.tell(TOOL_GATEWAY, asked)

    def _model_failed(self, answer: ModelFailed) -> None:
        state = self.state
        self._log_model("model.failed", answer, reason=answer.reason, tries=state.tries)
        if answer.retryable and state.tries < MODEL_TRIES:
            self.timer("retry", RetryModel(state.step, state.upto), after=RETRY * 2.0 ** (state.tries - 1))
        else:
            times = "once" if state.tries == 1 else f"{state.tries} times"
            self._end(Status.FAILED, f"the model failed {times}: {answer.reason}")

    def _log_model(self, kind: str, answer: ModelReplied | ModelFailed, **fields: object) -> None:
        state = self.state
        model = self.services.agent(state.agent).model
        self.log(
            kind,
            step=state.step,
            attempt=state.tries,
            agent=state.agent,
            model=model.name,
            provider=model.provider,
            started=answer.started,
            ended=answer.ended,
            **fields,
        )

    def _update(self) -> None:
        state = self.state
        self._enter(Phase.UPDATE)
        asked = ChatMessage("assistant", state.text, tuple(call.asked for call in state.calls))
        results = (
            ChatMessage(
                "tool",
                call.text,
                call_id=call.asked.id,
                name=call.asked.name,
                is_error=call.is_error,
                labels=self.services.labels(state.agent, call.asked.name),
            )
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
        state.draft = None
        for call in state.calls:
            call.waits = ""
            self.view("approval", approval_id(self.key, call.id), None)
        self.cancel_timer("wall")
        self.cancel_timer("retry")
        self._enter(Phase.STOP)
        self.tell(TOOL_GATEWAY, RunEnded())
        self.tell(GUARDRAIL, RunEnded(state.agent, status is Status.COMPLETED))
        self.log("run.ended", status=status.value, outcome=outcome, agent=state.agent, **state.figures())
        self._show()
        self._turn.after_commit(lambda: self.services.forget(self.key))

    def _show(self) -> None:
        self.view("run", self.key, self.state.row(self.key), sort=self.state.started)


def _named(step: int, calls: Sequence[ToolCall]) -> Iterator[ToolCall]:
    """The calls with an id each: a model that gives none, or one twice, could not tell their results apart."""
    seen: set[str] = set()
    for number, call in enumerate(calls, start=1):
        id = call.id if call.id and call.id not in seen else f"call-{step}.{number}"
        seen.add(id)
        yield attrs.evolve(call, id=id)
