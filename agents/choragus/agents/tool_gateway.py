"""The tool gateway of one run: which tools its agent may call, the call itself, and what becomes of it.

A call passes: granted? arguments valid? allowed by the guardrail? Only then is its intent written and the tool run. A
call that the process's death interrupted runs again only if that is harmless; otherwise a person says what happened.
"""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed, EffectUnknown
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt

from . import policy
from .approval import approval_id, arguments_hash, short_hash
from .errors import BadArguments
from .message import (
    GUARDRAIL,
    ORCHESTRATOR,
    TOOL_GATEWAY,
    CallFinished,
    CallSettled,
    CallTool,
    CallWaits,
    Decided,
    GiveUpRun,
    JudgeCall,
    JudgeText,
    RunCall,
    RunEnded,
    SettleCall,
    ToolReturned,
    Verdict,
)
from .part import Part
from .service import repeatable
from .stream import SHOWN

SETTLED = ("happened", "not", "give_up")
"""What a person may say of a call of unknown outcome."""


class Stage(Enum):
    """Where a call stands."""

    JUDGED = "judged"
    """The guardrail has been asked."""
    WAITING = "waiting"
    """A person decides."""
    RUNNING = "running"
    RETURNED = "returned"
    """It has run; the guardrail judges what it gave back."""
    UNKNOWN = "unknown"
    """It was cut off while it ran."""


class End(Enum):
    """How a call ended."""

    RETURNED = "returned"
    FAILED = "failed"
    DENIED = "denied"
    """It never ran."""
    SETTLED = "settled"
    """A person said that it happened."""
    CANCELLED = "cancelled"
    """The run ended first."""

    @property
    def is_error(self) -> bool:
        """Whether the model is told of an error."""
        return self in (End.FAILED, End.DENIED)


@attrs.define
class Call:
    """One call in the gateway's hands.

    `repeatable` as it was when the call was judged; `since`: it runs; `result`: what it gave back, while it is judged.
    """

    id: str
    agent: str
    tool: str
    arguments: dict[str, object]
    repeatable: bool = False
    step: int = 0
    stage: Stage = Stage.JUDGED
    effect: str = ""
    since: float = 0.0
    result: ToolReturned | None = None


@stored("choragus.tool_gateway_state")
@attrs.define
class GatewayState:
    """The calls of the run that are not finished."""

    calls: dict[str, Call] = attrs.field(factory=dict)
    over: bool = False

    def call(self, id: str, stage: Stage) -> Call | None:
        """The call of that id, if it stands there."""
        call = self.calls.get(id)
        return call if call is not None and call.stage is stage else None


class ToolGateway(Part[GatewayState, RunCall | Decided | SettleCall | RunEnded], name=TOOL_GATEWAY):
    """Carries out the calls of one run."""

    @handle
    def run_call(self, message: RunCall) -> None:
        """Check the call and ask the guardrail. What is wrong with it goes back to the model, which can mend it."""
        if self.state.over or message.call in self.state.calls:
            return
        asked = message.asked
        self.log("call.requested", call=message.call, tool=asked.name, arguments=asked.arguments)
        tool = self.services.tool(message.agent, asked.name)
        if tool is None:
            granted = ", ".join(one.name for one in self.services.agent(message.agent).tools) or "none"
            self._refuse(message.call, f"there is no tool named {asked.name!r}; the tools are: {granted}")
            return
        try:
            tool.parse(asked.arguments)
        except BadArguments as error:
            self._refuse(message.call, str(error))
            return
        call = Call(
            message.call, message.agent, asked.name, asked.arguments, repeatable=repeatable(tool), step=message.step
        )
        self.state.calls[call.id] = call
        judged = JudgeCall(
            call=call.id,
            tool=call.tool,
            risk=tool.risk.value,
            arguments=call.arguments,
            hash=arguments_hash(self.key, call.id, call.tool, call.arguments),
            agent=call.agent,
            step=call.step,
            reason=message.reason,
            upto=message.upto,
        )
        self.ask_guardrail(judged, then=self.judged, about=call.id)

    @reply
    def judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a call. Silence is no."""
        call = self.state.call(self.about, Stage.JUDGED)
        if call is None:
            return
        if isinstance(verdict, AskFailed):
            self._finish(call, End.DENIED, f"denied: {verdict.actor} did not answer: {verdict.reason}")
            return
        call.arguments = verdict.arguments or call.arguments
        if verdict.wait:
            call.stage = Stage.WAITING
        elif verdict.allowed:
            self._run(call)
        else:
            self._deny(call, verdict)

    @handle
    def decided(self, message: Decided) -> None:
        """A person has decided about a call that waited."""
        judged = self.state.call(message.call, Stage.RETURNED)
        if judged is not None and judged.result is not None:
            why = f"{judged.tool} has run, but {message.by} withheld its result"
            text = judged.result.text if message.approved else f"{why}: {message.reason}" if message.reason else why
            self._pass_on(judged, text, judged.result.is_error or not message.approved)
            return
        call = self.state.call(message.call, Stage.WAITING)
        if call is None:
            return
        if message.approved:
            self._run(call)
        else:
            why = f": {message.reason}" if message.reason else ""
            self._finish(call, End.DENIED, f"denied by {message.by}{why}")

    @reply
    def returned(self, result: ToolReturned | EffectFailed | EffectUnknown) -> None:
        """The call came to an end, or nobody knows whether it did. It is entered also when the run is over."""
        call = self.state.call(self.about, Stage.RUNNING)
        if call is None:
            return
        if isinstance(result, EffectFailed):
            self._finish(call, End.FAILED, f"{call.tool} failed: {result.error}: {result.reason}")
        elif isinstance(result, EffectUnknown):
            self._unknown(call, "the process ended while it ran")
        elif result.unknown:
            self._unknown(call, result.text)
        else:
            self._returned(call, result)

    @reply
    def result_judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a result: it passes, another text passes instead, or the model may not read it."""
        call = self.state.call(self.about, Stage.RETURNED)
        if call is None or call.result is None:
            return
        if isinstance(verdict, AskFailed):
            self._pass_on(call, f"withheld: {verdict.actor} did not answer: {verdict.reason}", is_error=True)
        elif verdict.wait:
            pass  # the decision comes as Decided
        elif verdict.allowed:
            self._pass_on(call, call.result.text if verdict.text is None else verdict.text, call.result.is_error)
        else:
            self._pass_on(call, f"{call.tool} has run, but its result is withheld: {verdict.reason}", is_error=True)
            if verdict.ends:
                self._end_run(verdict.reason)

    @handle
    def settle(self, message: SettleCall) -> str:
        """A person says what became of a call of unknown outcome; when the run is over, for the logbook only."""
        call = self.state.call(message.call, Stage.UNKNOWN)
        if call is None or message.outcome not in SETTLED:
            refusal = self._refusal(call, message)
            self.log("settle.refused", call=message.call, outcome=message.outcome, by=message.by, reason=refusal)
            return refusal
        self.log("call.settled", call=call.id, outcome=message.outcome, by=message.by, result=message.result)
        self.view("attention", approval_id(self.key, call.id), None)
        self.settle_effect(call.effect)
        self._wait(call, "")
        if message.outcome == "happened":
            self._finish(call, End.SETTLED, message.result or "done, as a person has confirmed")
        elif message.outcome == "give_up":
            self._give_up(call, message.by)
        elif self.state.over:
            self._finish(call, End.CANCELLED, "it did not happen, as a person has confirmed")
        else:
            self._run(call)
        return ""

    @handle
    def ended(self, message: RunEnded) -> None:
        """Stop what runs and may be stopped, and what waits. What must not be stopped comes to its end."""
        self.state.over = True
        for call in tuple(self.state.calls.values()):
            if call.stage is Stage.RUNNING and call.repeatable:
                self.cancel_effect(call.effect)
            if call.stage is Stage.RETURNED and call.result is not None:
                self._pass_on(call, "it has run; the run ended before its result was judged", call.result.is_error)
            elif call.stage in (Stage.JUDGED, Stage.WAITING) or (call.stage is Stage.RUNNING and call.repeatable):
                self._finish(call, End.CANCELLED, "the run ended first")

    def _refusal(self, call: Call | None, message: SettleCall) -> str:
        if call is None:
            return f"call {message.call} of run {self.key} has no unknown outcome to settle: see `choragus show`"
        return f"outcome {message.outcome!r} is none of {', '.join(SETTLED)}"

    def _refuse(self, call: str, text: str) -> None:
        self.log("call.refused", call=call, reason=text)
        self.tell(ORCHESTRATOR, CallFinished(call=call, text=text, is_error=True))

    def _run(self, call: Call) -> None:
        if self.state.over:
            return
        call.stage = Stage.RUNNING
        call.since = self.now
        request = CallTool(run=self.key, agent=call.agent, call=call.id, tool=call.tool, arguments=call.arguments)
        on_interrupt = OnInterrupt.RERUN if call.repeatable else OnInterrupt.UNKNOWN
        call.effect = self.effect("tool", request, then=self.returned, on_interrupt=on_interrupt, about=call.id)
        self.log("call.intended", call=call.id, tool=call.tool, effect=call.effect)

    def _finish(self, call: Call, end: End, text: str, *, started: float = 0.0, ended: float = 0.0) -> None:
        del self.state.calls[call.id]
        self.log(
            "call.finished",
            call=call.id,
            tool=call.tool,
            agent=call.agent,
            end=end.value,
            ran=bool(call.effect),
            is_error=end.is_error,
            text=text[:SHOWN],
            started=started or call.since or self.now,
            ended=ended or self.now,
        )
        if self.state.over:
            return
        self.tell(ORCHESTRATOR, CallFinished(call=call.id, text=text, is_error=end.is_error))
        if self.services.policies(call.agent).looks_back:
            self._tell_settled(call, end, text)

    def _tell_settled(self, call: Call, end: End, text: str) -> None:
        settled = CallSettled(
            call=call.id,
            agent=call.agent,
            tool=call.tool,
            arguments=short_hash(call.arguments),
            result=short_hash(text) if call.effect else "",
            is_error=end.is_error,
        )
        self.tell(GUARDRAIL, settled)

    def _deny(self, call: Call, verdict: Verdict) -> None:
        self._finish(call, End.DENIED, f"denied: {verdict.reason}")
        if verdict.ends:
            self._end_run(verdict.reason)

    def _end_run(self, reason: str) -> None:
        """A policy ends the run."""
        self.tell(ORCHESTRATOR, GiveUpRun(part=actor_id(GUARDRAIL, self.key), reason=reason))

    def _returned(self, call: Call, result: ToolReturned) -> None:
        """It has run: the guardrail looks at what it gave back, if any policy does."""
        if self.state.over or not self.services.policies(call.agent).looks_at(policy.Stage.RESULT):
            call.result = result
            self._pass_on(call, result.text, result.is_error)
            return
        call.stage, call.result = Stage.RETURNED, result
        judged = JudgeText(
            stage=policy.Stage.RESULT.value,
            subject=call.id,
            asker=TOOL_GATEWAY,
            agent=call.agent,
            step=call.step,
            text=result.text,
            call=call.id,
            tool=call.tool,
            is_error=result.is_error,
        )
        self.ask_guardrail(judged, then=self.result_judged, about=call.id)

    def _pass_on(self, call: Call, text: str, is_error: bool) -> None:
        """The model reads this as the call's result."""
        result = call.result
        assert result is not None
        end = End.FAILED if is_error else End.RETURNED
        self._finish(call, end, text, started=result.started, ended=result.ended)

    def _give_up(self, call: Call, by: str) -> None:
        """End the run with the call's outcome unknown; the model is not told, for it is not asked again."""
        over, self.state.over = self.state.over, True
        reason = f"{by} gave up on call {call.id} ({call.tool}), whose outcome is unknown"
        self._finish(call, End.FAILED, reason)
        if not over:
            self.tell(ORCHESTRATOR, GiveUpRun(part=self.id, reason=reason))

    def _unknown(self, call: Call, why: str) -> None:
        call.stage = Stage.UNKNOWN
        self.log("call.unknown", call=call.id, tool=call.tool, arguments=call.arguments, reason=why)
        body: dict[str, object] = {
            "run": self.key,
            "call": call.id,
            "tool": call.tool,
            "arguments": call.arguments,
            "idempotency_key": f"{self.key}/{call.id}",
            "reason": why,
        }
        self.view("attention", approval_id(self.key, call.id), body, scope=self.key, sort=self.now)
        self._wait(call, "outcome unknown")

    def _wait(self, call: Call, reason: str) -> None:
        """The run waits for a person, or no longer does: the one who shows it and the one who takes the time know."""
        self.tell(ORCHESTRATOR, CallWaits(call=call.id, reason=reason))
        self.tell(GUARDRAIL, CallWaits(call=call.id, reason=reason))
