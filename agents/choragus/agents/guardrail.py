"""The guardrail of one run: ceilings reserved before they are spent, and a person before what cannot be undone."""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.mailbox.codec import stored

from .approval import approval_id, approval_view
from .limits import Limits, Spent, exceeded
from .message import (
    GUARDRAIL,
    ORCHESTRATOR,
    TOOL_GATEWAY,
    CallWaits,
    Decide,
    Decided,
    JudgeCall,
    Reserve,
    RunEnded,
    SetLimits,
    Spend,
    Verdict,
)
from .part import Part
from .tool import Risk


@stored("choragus.guardrail_state")
@attrs.define
class GuardrailState:
    """What may be spent, what is spent, what is set aside, which calls wait for a person, and since when.

    `idle` is the time in which nobody worked: a call waited for a person, or no process had the run open since `seen`.
    """

    limits: Limits = attrs.field(factory=Limits)
    started: float = 0.0
    spent: Spent = attrs.field(factory=Spent)
    reserved: dict[str, Spent] = attrs.field(factory=dict)
    pending: dict[str, JudgeCall] = attrs.field(factory=dict)
    decided: dict[str, Decide] = attrs.field(factory=dict)
    unknown: list[str] = attrs.field(factory=list)
    waiting_since: float = 0.0
    idle: float = 0.0
    seen: float = 0.0
    over: bool = False


class Guardrail(
    Part[GuardrailState, SetLimits | Reserve | Spend | JudgeCall | Decide | CallWaits | RunEnded], name=GUARDRAIL
):
    """Says what may be spent and what may run. Whoever asks takes silence for no."""

    @handle
    def set_limits(self, message: SetLimits) -> None:
        """The run begins."""
        self.state.limits = message.limits
        self.state.started = self.state.seen = message.started

    @handle
    def reserve(self, message: Reserve) -> Verdict:
        """Set a budget aside, if it fits into every ceiling beside what is spent and set aside already."""
        reason = self._set_aside(message.token, message.most)
        return Verdict(allowed=not reason, reason=reason)

    @handle
    def spend(self, message: Spend) -> None:
        """What was set aside is spent, or given back."""
        state = self.state
        state.reserved.pop(message.token, None)
        state.spent = state.spent.add(message.spent)
        self.log("budget.spent", token=message.token, **attrs.asdict(message.spent))

    @handle
    def judge(self, message: JudgeCall) -> Verdict:
        """Allow what reads or can be undone; what cannot waits for a person."""
        reason = self._set_aside(f"call-{message.call}", Spent(tool_calls=1))
        if reason:
            return self._say(message, Verdict(allowed=False, reason=reason))
        self.state.reserved.pop(f"call-{message.call}", None)
        self.state.spent = self.state.spent.add(Spent(tool_calls=1))
        if message.risk != Risk.IRREVERSIBLE.value:
            return self._say(message, Verdict(allowed=True, reason=f"{message.risk} tools run by default"))
        self._request_approval(message)
        return self._say(message, Verdict(allowed=False, wait=True, reason="irreversible: a person decides"))

    @handle
    def decide(self, message: Decide) -> str:
        """Take a person's decision, if it is about what they saw. The same decision again changes nothing."""
        if self._is_decided_so(message):
            return ""
        refusal = self._refusal(message)
        if refusal:
            self.log("approval.refused", call=message.call, by=message.by, hash=message.hash, reason=refusal)
            return refusal
        asked = self.state.pending.pop(message.call)
        self.state.decided[message.call] = message
        self._clock_waiting()
        self.view("approval", approval_id(self.key, message.call), None)
        self.log(
            "approval.decided",
            call=message.call,
            tool=asked.tool,
            approved=message.approved,
            by=message.by,
            reason=message.reason,
            hash=message.hash,
        )
        self.tell(ORCHESTRATOR, CallWaits(call=message.call))
        self.tell(
            TOOL_GATEWAY,
            Decided(call=message.call, approved=message.approved, by=message.by, reason=message.reason),
        )
        return ""

    @handle
    def waits(self, message: CallWaits) -> None:
        """A call of unknown outcome waits for a person too, or no longer does."""
        if message.reason and message.call not in self.state.unknown:
            self.state.unknown.append(message.call)
        elif not message.reason and message.call in self.state.unknown:
            self.state.unknown.remove(message.call)
        self._clock_waiting()

    @handle
    def ended(self, message: RunEnded) -> None:
        """Nothing waits any longer, and nothing is allowed any more."""
        for call in self.state.pending:
            self.view("approval", approval_id(self.key, call), None)
        self.state.pending = {}
        self.state.over = True

    def _is_decided_so(self, message: Decide) -> bool:
        """Whether somebody decided the same before: who reads a run's past meets its requests again."""
        earlier = self.state.decided.get(message.call)
        return earlier is not None and (earlier.approved, earlier.hash) == (message.approved, message.hash)

    def _refusal(self, message: Decide) -> str:
        asked = self.state.pending.get(message.call)
        if asked is None:
            return f"call {message.call} of run {self.key} is not waiting for a decision: see `choragus approvals`"
        if asked.hash != message.hash:
            return f"call {message.call} of run {self.key} has other arguments than those decided on: look again"
        return ""

    def _set_aside(self, token: str, most: Spent) -> str:
        state = self.state
        if state.over:
            return f"run {self.key} has ended"
        asked = most
        for other, amount in state.reserved.items():
            asked = asked if other == token else asked.add(amount)
        wall = self.now - state.started
        spent = state.spent.add(Spent(active_seconds=max(0.0, wall - self._idle())))
        reason = exceeded(state.limits, spent, asked, wall)
        if reason:
            self.log("limit.reached", token=token, reason=reason)
            return reason
        state.reserved[token] = most
        self.log("budget.reserved", token=token, **attrs.asdict(most))
        return ""

    def _request_approval(self, message: JudgeCall) -> None:
        self.state.pending[message.call] = message
        self._clock_waiting()
        self.view(
            "approval",
            approval_id(self.key, message.call),
            approval_view(self.key, message.call, message.tool, message.arguments, message.hash, self.now),
            scope=self.key,
            sort=self.now,
        )
        self.log(
            "approval.requested",
            approval=approval_id(self.key, message.call),
            call=message.call,
            tool=message.tool,
            arguments=message.arguments,
            hash=message.hash,
        )
        self.tell(ORCHESTRATOR, CallWaits(call=message.call, reason="approval"))

    def _idle(self) -> float:
        """Seconds of the run so far in which nobody worked."""
        state = self.state
        if state.waiting_since:
            return state.idle + self.now - state.waiting_since
        if state.seen < self.services.opened:
            state.idle += self.services.opened - state.seen
        state.seen = self.now
        return state.idle

    def _clock_waiting(self) -> None:
        """Take note that a call waits for a person now, or that none does any longer."""
        state = self.state
        idle = self._idle()
        waits = bool(state.pending or state.unknown)
        if waits and not state.waiting_since:
            state.waiting_since = self.now
        elif not waits and state.waiting_since:
            state.idle, state.seen, state.waiting_since = idle, self.now, 0.0

    def _say(self, message: JudgeCall, verdict: Verdict) -> Verdict:
        said = "wait" if verdict.wait else "allow" if verdict.allowed else "deny"
        self.log("call.judged", call=message.call, tool=message.tool, verdict=said, reason=verdict.reason)
        return verdict
