"""The tool gateway of one run: which tools its agent may call, the call itself, and what becomes of it.

A call passes: granted? arguments valid? allowed by the guardrail? Only then is its intent written and the tool run. A
call that the process's death interrupted runs again only if that is harmless; otherwise a person says what happened.
"""

from __future__ import annotations

from msgspec import json

from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed, EffectUnknown
from choragus.mailbox.address import actor_id

from . import policy
from .admission import Refusal, admitted, narrowed, shown
from .approval import approval_id
from .attention import unknown_id
from .call import SETTLED, Call, End, GatewayState, Stage
from .calling import how_to_check, retry_timer
from .control import CallJudged, Hold
from .errand import ToolReturned
from .errors import WrongResult
from .flow.label import RUNTIME
from .message import (
    GUARDRAIL,
    ORCHESTRATOR,
    RESULT,
    TOOL_GATEWAY,
    CallFinished,
    Decided,
    GiveUpRun,
    GrantTools,
    JudgeCall,
    JudgeText,
    RetryCall,
    RunCall,
    RunEnded,
    SettleCall,
    Spend,
    UndoNext,
    UnwindRun,
    Verdict,
)
from .sender import from_outside
from .spending import Spent
from .stream import SHOWN
from .unwinding import Unwinder


class ToolGateway(
    Unwinder[
        GatewayState,
        GrantTools | RunCall | CallJudged | RetryCall | Decided | SettleCall | Hold | RunEnded | UnwindRun | UndoNext,
    ],
    name=TOOL_GATEWAY,
):
    """Carries out the calls of one run."""

    @handle
    def grant(self, message: GrantTools) -> None:
        """The run may use these tools only; what it was denied before stays denied."""
        self.state.granted = narrowed(self.state.granted, message.tools)

    @handle
    def run_call(self, message: RunCall) -> None:
        """Check the call and ask the guardrail. What is wrong with it goes back to the model, which can mend it."""
        if self.state.over or message.call in self.state.calls:
            return
        asked, state = message.asked, self.state
        state.parallel = message.parallel
        self.log("call.requested", call=message.call, tool=asked.name, arguments=shown(asked.arguments))
        tools = self.services.agent(message.agent).tools
        tool = admitted(tools, asked.name, asked.arguments, state.counts, state.granted, message.granted)
        if isinstance(tool, Refusal):
            self._refuse(message.call, tool)
            return
        if tool.options.calls_per_run is not None:
            state.counts[tool.name] = state.counts.get(tool.name, 0) + 1
        call = Call(
            message.call, message.agent, tool.name, asked.arguments, repeatable=tool.repeatable, step=message.step
        )
        self.state.calls[call.id] = call
        judged = JudgeCall(
            call=call.id,
            tool=call.tool,
            risk=tool.risk.value,
            arguments=call.arguments,
            agent=call.agent,
            step=call.step,
            reason=message.reason,
            cost_usd=tool.cost_usd,
            upto=message.upto,
            plan=message.plan,
        )
        self.ask_guardrail(judged, then=self.judged, about=call.id)

    @reply
    def judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a call. Silence is no."""
        call = self.state.call(self.about, Stage.JUDGED)
        if call is None:
            return
        if isinstance(verdict, AskFailed):
            self.finish(call, End.DENIED, f"denied: {verdict.actor} did not answer: {verdict.reason}")
        else:
            self._take(call, verdict)

    @handle
    def judged_at_last(self, message: CallJudged) -> None:
        """The guardrail's word on a call that had to wait for room in the budget; nobody else's counts."""
        call = self.state.call(message.call, Stage.WAITING)
        if call is not None and self.hears(GUARDRAIL):
            self._take(call, message.verdict)

    @handle
    def hold(self, message: Hold) -> None:
        """Begin no call while the run is paused; what is under way ends, and what waits in line leaves it.

        Those that may run begin behind it.
        """
        self.state.paused = message.paused
        if message.paused:
            self._turn.after_commit(lambda: self.services.toolbelt.forget(self.key))
        self.begin_next()

    def _take(self, call: Call, verdict: Verdict) -> None:
        call.arguments = verdict.arguments or call.arguments
        if verdict.wait:
            call.stage = Stage.WAITING
        elif verdict.allowed:
            self.begin(call)
        else:
            self._deny(call, verdict)

    @handle
    def decided(self, message: Decided) -> None:
        """A person has decided about a call that waited, as the guardrail says; nobody else's word counts."""
        if not self.hears(GUARDRAIL):
            return
        judged = self.state.call(message.call.removeprefix(RESULT), Stage.RETURNED)
        if judged is not None and judged.result is not None:
            why = f"{judged.tool} has run, but {message.by} withheld its result"
            text = judged.result.text if message.approved else f"{why}: {message.reason}" if message.reason else why
            self._pass_on(judged, text, judged.result.is_error or not message.approved)
            return
        call = self.state.call(message.call, Stage.WAITING)
        if call is None:
            return
        if message.answer is not None:
            self._look_at(call, _said(json.encode(message.answer).decode(), self.now))
        elif message.approved:
            if message.arguments is not None:
                call.arguments = message.arguments
                call.note = (
                    f"({message.changed_by} changed the arguments: it ran with {json.encode(call.arguments).decode()})"
                )
            self.begin(call)
        else:
            why = f": {message.reason}" if message.reason else ""
            self.finish(call, End.DENIED, f"denied by {message.by}{why}")

    @reply
    def returned(self, result: ToolReturned | EffectFailed | EffectUnknown) -> None:
        """The call came to an end, or nobody knows whether it did. It is entered also when the run is over."""
        call = self.state.call(self.about, Stage.RUNNING)
        if call is None:
            return
        if isinstance(result, EffectFailed):
            text = f"{call.tool} failed: {result.error}: {result.reason}"
            result = ToolReturned(text=text, is_error=True, fate="not", started=call.since, ended=self.now)
        if isinstance(result, EffectUnknown):
            self._lost(call, "the process ended while it ran")
        elif result.unknown:
            self._lost(call, result.text)
        elif result.is_turned_away and (call.undoes or not self.state.over):
            self.comes_again(call)
        elif not (result.is_error and self.tries_again(call, result)):
            self._came_back(call, result)

    @handle
    def retry(self, message: RetryCall) -> None:
        """A call that failed runs again."""
        call = self.state.call(message.call, Stage.BACKOFF)
        if call is not None:
            self.begin(call)

    @reply
    def looked_up(self, result: ToolReturned | EffectFailed) -> None:
        """What the tool's `check` says of a call of unknown outcome; a person reads it and decides."""
        call = self.state.call(self.about, Stage.UNKNOWN)
        if call is None:
            return
        found = result.text if isinstance(result, ToolReturned) else f"{result.error}: {result.reason}"
        self.log("call.checked", call=call.id, tool=call.tool, found=found[:SHOWN])
        self.raise_attention(call, call.why, check=how_to_check(self.tool_of(call)), found=found[:SHOWN])

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
        refusal = self._refusal(call, message)
        if call is None or refusal:
            self.log("settle.refused", call=message.call, outcome=message.outcome, by=message.by, reason=refusal)
            return refusal
        self.log("call.settled", call=call.id, outcome=message.outcome, by=message.by, result=message.result)
        self.view("attention", approval_id(self.key, call.id), None)
        self.announce_over(unknown_id(self.key, call.id))
        if call.effect:
            self.settle_effect(call.effect)
        self.wait(call, "")
        if message.outcome == "happened":
            tool = self.tool_of(call) if message.result else None
            self.remember_undo(call, "" if tool is None else tool.as_result(message.result), is_sure=True)
            call.settled = True
            self._look_at(call, _said(message.result or "done, as a person has confirmed", self.now))
        elif message.outcome == "give_up":
            self._give_up(call, message.by)
        elif self.state.over and not call.undoes:
            self.finish(call, End.CANCELLED, "it did not happen, as a person has confirmed")
        else:
            self.take_up(call)
        return ""

    @handle
    def ended(self, message: RunEnded) -> None:
        """Stop what runs and may be stopped, and what waits. What must not be stopped comes to its end."""
        self.state.over = True
        for call in tuple(self.state.calls.values()):
            if call.stage is Stage.RETURNED and call.result is not None:
                self._pass_on(call, "it has run; the run ended before its result was judged", call.result.is_error)
            elif call.stage in (Stage.JUDGED, Stage.WAITING, Stage.QUEUED, Stage.BACKOFF):
                self.cancel_timer(retry_timer(call.id))
                if call.may_have:
                    self.remember_undo(call, "", is_sure=False)
                self.finish(call, End.CANCELLED, "the run ended first")
            elif call.stage is Stage.RUNNING and call.repeatable:
                self.cancel_effect(call.effect)
                self.remember_undo(call, "", is_sure=False)
                self.finish(call, End.CANCELLED, "the run ended first")

    def _lost(self, call: Call, why: str) -> None:
        if call.undoes:
            call.may_have = True
            self.stick(call, why)
        else:
            self.unknown(call, why)

    def _refusal(self, call: Call | None, message: SettleCall) -> str:
        if not from_outside(self._turn.sender):
            return f"{self._turn.sender} is an actor, and only people settle"
        if call is None:
            return f"call {message.call} of run {self.key} has no unknown outcome to settle: see `choragus show`"
        if message.attempt not in ("", call.shown_attempt):
            return f"call {message.call} of run {self.key} has run again since: look again, and settle it anew"
        if message.outcome not in SETTLED:
            return f"outcome {message.outcome!r} is none of {', '.join(SETTLED)}"
        tool = None if call.undoes or message.outcome != "happened" else self.tool_of(call)
        if tool is None or not message.result:
            return ""
        try:
            tool.as_result(message.result)
        except WrongResult as error:
            return f"{error}: give its result as JSON, or none when it is not known"
        return ""

    def _refuse(self, call: str, refusal: Refusal) -> None:
        if refusal.is_bad:
            self.state.bad_calls += 1
            self.tell(GUARDRAIL, Spend(token=f"bad-{call}", spent=Spent(bad_calls=1)))
        self.log("call.refused", call=call, reason=refusal.reason, rule=refusal.rule.value)
        self.tell(ORCHESTRATOR, CallFinished(call=call, text=refusal.reason, is_error=True, whose=RUNTIME))

    def _deny(self, call: Call, verdict: Verdict) -> None:
        self.finish(call, End.DENIED, f"denied: {verdict.reason}")
        if verdict.ends:
            self._end_run(verdict.reason)

    def _end_run(self, reason: str) -> None:
        """A policy ends the run."""
        self.tell(ORCHESTRATOR, GiveUpRun(part=actor_id(GUARDRAIL, self.key), reason=reason))

    def _came_back(self, call: Call, result: ToolReturned) -> None:
        """It came to its last end."""
        if result.fate != "not" or call.may_have:
            self.remember_undo(call, "" if result.is_error else result.text, is_sure=result.fate == "done")
        if call.undoes and result.is_error:
            call.may_have = call.may_have or result.fate != "not"
            self.stick(call, result.text)
            return
        passed = self.replaces(call, result) if result.is_error else result
        if passed is not None:
            self._look_at(call, passed)

    def _look_at(self, call: Call, result: ToolReturned) -> None:
        """The guardrail looks at what the model is to read as the call's result, if any policy does."""
        if self.state.over or not self.services.policies(call.agent).looks_at(policy.Stage.RESULT):
            call.result = result
            self._pass_on(call, result.text, result.is_error)
            return
        call.stage, call.result = Stage.RETURNED, result
        judged = JudgeText(
            stage=policy.Stage.RESULT.value,
            subject=f"{RESULT}{call.id}",
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
        end = End.FAILED if is_error else End.SETTLED if call.settled else End.RETURNED
        self.finish(call, end, text, started=result.started, ended=result.ended)

    def _give_up(self, call: Call, by: str) -> None:
        """End the run with the call's outcome unknown; the model is not told, for it is not asked again."""
        if call.undoes:
            self.leave(call, by)
            return
        over, self.state.over = self.state.over, True
        self.remember_undo(call, "", is_sure=False)
        reason = f"{by} gave up on call {call.id} ({call.tool}), whose outcome is unknown"
        self.finish(call, End.FAILED, reason)
        if not over:
            self.tell(ORCHESTRATOR, GiveUpRun(part=self.id, reason=reason))


def _said(text: str, now: float) -> ToolReturned:
    """What a person says in a tool's place."""
    return ToolReturned(text=text, is_error=False, started=now, ended=now)
