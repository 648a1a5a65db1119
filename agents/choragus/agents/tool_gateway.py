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

from .approval import approval_id, arguments_hash
from .errors import BadArguments
from .message import (
    GUARDRAIL,
    ORCHESTRATOR,
    TOOL_GATEWAY,
    CallFinished,
    CallTool,
    CallWaits,
    Decided,
    GiveUpRun,
    JudgeCall,
    RunCall,
    RunEnded,
    SettleCall,
    ToolReturned,
    Verdict,
)
from .part import Part
from .service import repeatable

SHOWN = 2_000
"""Characters of a result that the logbook repeats; the conversation holds all of it."""


class Stage(Enum):
    """Where a call stands."""

    JUDGED = "judged"
    """The guardrail has been asked."""
    WAITING = "waiting"
    """A person decides."""
    RUNNING = "running"
    UNKNOWN = "unknown"
    """The process died while it ran."""
    FINISHED = "finished"


@attrs.define
class Call:
    """One call in the gateway's hands."""

    id: str
    agent: str
    tool: str
    arguments: dict[str, object]
    stage: Stage = Stage.JUDGED
    effect: str = ""


@stored("choragus.tool_gateway_state")
@attrs.define
class GatewayState:
    """The calls of the run that are not finished."""

    calls: dict[str, Call] = attrs.field(factory=dict)
    over: bool = False


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
        self.state.calls[message.call] = Call(message.call, message.agent, asked.name, asked.arguments)
        hash = arguments_hash(self.key, message.call, asked.name, asked.arguments)
        judged = JudgeCall(
            call=message.call, tool=asked.name, risk=tool.risk.value, arguments=asked.arguments, hash=hash
        )
        self.ask_at(actor_id(GUARDRAIL, self.key), judged, then=self.judged, about=message.call)

    @reply
    def judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a call. Silence is no."""
        call = self.state.calls.get(self.about)
        if call is None or call.stage is not Stage.JUDGED or self.state.over:
            return
        if isinstance(verdict, AskFailed):
            self._finish(call, f"denied: the guardrail is not there ({verdict.reason})", is_error=True)
        elif verdict.wait:
            call.stage = Stage.WAITING
        elif verdict.allowed:
            self._run(call)
        else:
            self._finish(call, f"denied: {verdict.reason}", is_error=True)

    @handle
    def decided(self, message: Decided) -> None:
        """A person has decided about a call that waited."""
        call = self.state.calls.get(message.call)
        if call is None or call.stage is not Stage.WAITING or self.state.over:
            return
        if message.approved:
            self._run(call)
        else:
            why = f": {message.reason}" if message.reason else ""
            self._finish(call, f"denied by {message.by}{why}", is_error=True)

    @reply
    def returned(self, result: ToolReturned | EffectFailed | EffectUnknown) -> None:
        """The call came to an end, or nobody knows whether it did."""
        call = self.state.calls.get(self.about)
        if call is None or call.stage is not Stage.RUNNING or self.state.over:
            return
        if isinstance(result, EffectFailed):
            self._finish(call, f"{call.tool} failed: {result.error}: {result.reason}", is_error=True)
        elif isinstance(result, EffectUnknown):
            self._unknown(call, "the process died while it ran")
        elif result.unknown:
            self._unknown(call, result.text)
        else:
            self._finish(call, result.text, is_error=result.is_error, started=result.started, ended=result.ended)

    @handle
    def settle(self, message: SettleCall) -> str:
        """A person says what became of a call of unknown outcome."""
        call = self.state.calls.get(message.call)
        if call is None or call.stage is not Stage.UNKNOWN or self.state.over:
            return f"call {message.call} of run {self.key} has no unknown outcome to settle: see `choragus show`"
        self.log("call.settled", call=call.id, outcome=message.outcome, by=message.by, result=message.result)
        self.view("attention", approval_id(self.key, call.id), None)
        self.settle_effect(call.effect)
        self.tell(ORCHESTRATOR, CallWaits(call=call.id))
        if message.outcome == "happened":
            self._finish(call, message.result or "done, as a person has confirmed", is_error=False)
        elif message.outcome == "not":
            self._run(call)
        else:
            reason = f"{message.by} gave up on call {call.id} ({call.tool}), whose outcome is unknown"
            self._finish(call, reason, is_error=True)
            self.tell(ORCHESTRATOR, GiveUpRun(part=f"{self.type_name}/{self.key}", reason=reason))
        return ""

    @handle
    def ended(self, message: RunEnded) -> None:
        """Stop what runs and may be stopped; forget what waits."""
        for call in self.state.calls.values():
            if call.stage is Stage.RUNNING and self._repeatable(call):
                self.cancel_effect(call.effect)
            self.view("attention", approval_id(self.key, call.id), None)
        self.state.over = True

    def _refuse(self, call: str, text: str) -> None:
        self.log("call.refused", call=call, reason=text)
        self.tell(ORCHESTRATOR, CallFinished(call=call, text=text, is_error=True))

    def _run(self, call: Call) -> None:
        call.stage = Stage.RUNNING
        request = CallTool(run=self.key, agent=call.agent, call=call.id, tool=call.tool, arguments=call.arguments)
        on_interrupt = OnInterrupt.RERUN if self._repeatable(call) else OnInterrupt.UNKNOWN
        call.effect = self.effect("tool", request, then=self.returned, on_interrupt=on_interrupt, about=call.id)
        self.log("call.intended", call=call.id, tool=call.tool, effect=call.effect)

    def _finish(self, call: Call, text: str, *, is_error: bool, started: float = 0.0, ended: float = 0.0) -> None:
        del self.state.calls[call.id]
        self.log(
            "call.finished",
            call=call.id,
            tool=call.tool,
            agent=call.agent,
            is_error=is_error,
            text=text[:SHOWN],
            started=started or self.now,
            ended=ended or self.now,
        )
        self.tell(ORCHESTRATOR, CallFinished(call=call.id, text=text, is_error=is_error))

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
        self.tell(ORCHESTRATOR, CallWaits(call=call.id, reason="outcome unknown"))

    def _repeatable(self, call: Call) -> bool:
        tool = self.services.tool(call.agent, call.tool)
        return tool is not None and repeatable(tool)
