"""How a call of one run is carried out: begun, tried again, replaced, kept, finished. It decides nothing."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

from choragus.actors.actor import M
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.backoff import Backoff

from .approval import approval_id
from .attention import of_unknown
from .call import Call, End, GatewayState, Stage
from .errand import CallTool, ToolReturned
from .fingerprint import short_hash
from .flow.label import MIXED, OWN, RUNTIME
from .message import GUARDRAIL, ORCHESTRATOR, CallFinished, CallSettled, CallWaits, RetryCall
from .part import Part
from .service import idempotency_key
from .stream import SHOWN, results_stream
from .tool import Tool
from .toolbelt.definition import Constant

CROWDED = Backoff(first=0.25, most=30.0, jitter=1.0)
"""How long a call stays away that found the line too long."""

G = TypeVar("G", bound=GatewayState)


class Caller(Part[G, M], Generic[G, M]):
    """A part of a run that carries out calls. Whoever derives from it handles what comes back."""

    def begin(self, call: Call) -> None:
        """Write the intent of a call; the tool is run once that is on disk."""
        if self.state.over and not call.undoes:
            return
        if not (call.undoes or self.state.may_begin(call)):
            call.stage = Stage.QUEUED
            return
        call.stage, call.since = Stage.RUNNING, self.now
        call.attempt += 1
        request = CallTool(
            run=self.key,
            agent=call.agent,
            call=call.id,
            tool=call.tool,
            arguments=call.arguments,
            role=call.role,
            attempt=call.attempt,
        )
        on_interrupt = OnInterrupt.RERUN if call.repeatable else OnInterrupt.UNKNOWN
        call.effect = self.effect("tool", request, then=self.returned, on_interrupt=on_interrupt, about=call.id)
        self.log("call.intended", call=call.id, tool=self.name_of(call), effect=call.effect)

    def begin_next(self) -> None:
        """Run the calls that had to wait for others, or for the run to go on, in their order."""
        for call in tuple(self.state.calls.values()):
            if call.stage is Stage.QUEUED:
                self.begin(call)

    def returned(self, result: ToolReturned) -> None:
        """The call came to an end; derived classes mark theirs as a reply."""
        raise NotImplementedError

    def looked_up(self, result: ToolReturned) -> None:
        """The tool's `check` has looked; derived classes mark theirs as a reply."""
        raise NotImplementedError

    def undone(self, call: Call) -> None:
        """A call that takes another one back is over."""
        raise NotImplementedError

    def tool_of(self, call: Call) -> Tool | None:
        """The tool that runs for the call, if it is still there."""
        return self.services.tool_in_role(call.agent, call.tool, call.role)

    def name_of(self, call: Call) -> str:
        """What runs: the tool that was called, or, for a call that takes another back, the one that does."""
        tool = self.tool_of(call) if call.undoes else None
        return call.tool if tool is None else tool.name

    def tries_again(self, call: Call, result: ToolReturned) -> bool:
        """Set a timer for the next attempt, if there is one."""
        tool = self.tool_of(call)
        retries = None if tool is None else tool.options.retries
        if retries is None or not result.retryable or (self.state.over and not call.undoes):
            return False
        if call.attempt > retries.times:
            return False
        wait, reason = retries.wait(call.attempt, _chance(self.key, call)), result.text[:SHOWN]
        call.stage, call.may_have = Stage.BACKOFF, call.may_have or result.fate != "not"
        self.log("call.retried", call=call.id, tool=self.name_of(call), attempt=call.attempt, reason=reason, wait=wait)
        self.timer(retry_timer(call.id), RetryCall(call.id), after=wait)
        self.begin_next()
        return True

    def comes_again(self, call: Call) -> None:
        """It found the line too long, and has not begun: set a timer, for it takes up no place meanwhile."""
        wait = CROWDED.delay(call.turned_away, _chance(self.key, call))
        call.stage, call.effect = Stage.BACKOFF, ""
        call.attempt, call.turned_away = call.attempt - 1, call.turned_away + 1
        self.log("call.queued", call=call.id, tool=self.name_of(call), wait=wait)
        self.timer(retry_timer(call.id), RetryCall(call.id), after=wait)

    def replaces(self, call: Call, result: ToolReturned) -> ToolReturned | None:
        """What stands in for a result that is a failure: itself when nothing does, None when another tool runs."""
        tool = self.services.tool(call.agent, call.tool)
        fallback = None if tool is None or call.role or self.state.over else tool.fallback
        if fallback is None or (result.fate == "done" and not call.repeatable):
            return result
        call.role, call.why, call.may_have = "fallback", result.text, False
        by = fallback.name if isinstance(fallback, Tool) else "a value"
        self.log("call.fallback", call=call.id, tool=call.tool, by=by, reason=result.text[:SHOWN])
        if isinstance(fallback, Constant):
            return ToolReturned(text=fallback.text, is_error=False, started=result.started, ended=result.ended)
        call.repeatable, call.attempt = fallback.repeatable, 0
        self.begin(call)
        return None

    def remember_undo(self, call: Call, result: str, *, is_sure: bool) -> None:
        """Write down what takes a call back that has happened, or may have."""
        role = f"{call.role}/undo" if call.role else "undo"
        if call.undoes or self.services.tool_in_role(call.agent, call.tool, role) is None:
            return
        id = f"{call.id}/{role}"
        body: dict[str, object] = {
            "undo": id,
            "call": call.id,
            "agent": call.agent,
            "tool": call.tool,
            "role": role,
            "arguments": call.arguments,
            "result": result,
            "is_sure": is_sure,
        }
        self.append(results_stream(self.key), "call.undoable", body)
        self.state.undoable.append(id)

    def finish(self, call: Call, end: End, text: str, *, started: float = 0.0, ended: float = 0.0) -> None:
        """The call is over; the model is told, unless the run is over."""
        del self.state.calls[call.id]
        text = self._told(call, end, text)
        text = f"{text}\n{call.note}" if call.note else text
        whose = RUNTIME if end is End.DENIED else MIXED if _stood_in(call, end) else OWN
        self.log(
            "call.finished",
            call=call.id,
            tool=self.name_of(call),
            agent=call.agent,
            end=end.value,
            ran=bool(call.effect),
            is_error=end.is_error,
            text=text[:SHOWN],
            started=started or call.since or self.now,
            ended=ended or self.now,
            **({} if whose == OWN else {"whose": whose}),
        )
        if not call.effect:
            self._not_counted(call)
        if call.undoes:
            self.undone(call)
        if self.state.over:
            return
        self.tell(ORCHESTRATOR, CallFinished(call=call.id, text=text, is_error=end.is_error, whose=whose))
        if self.services.policies(call.agent).looks_back:
            self._tell_settled(call, end, text)
        self.begin_next()

    def unknown(self, call: Call, why: str) -> None:
        """Nobody knows whether the call did anything: a person finds out, and is told how."""
        call.stage = Stage.UNKNOWN
        call.why = call.why if call.role == "fallback" else why
        tool = self.tool_of(call)
        check = "" if tool is None else tool.check
        how = how_to_check(tool)
        key = idempotency_key(self.key, call.id, call.role)
        shown = {"idempotency_key": key, "attempt": call.shown_attempt, "check": how}
        self.log("call.unknown", call=call.id, tool=call.tool, arguments=call.arguments, reason=why, **shown)
        self.raise_attention(call, why, check=how)
        self.wait(call, "outcome unknown")
        self.begin_next()
        if isinstance(check, Tool):
            request = CallTool(
                run=self.key,
                agent=call.agent,
                call=call.id,
                tool=call.tool,
                arguments={"key": key},
                role=f"{call.role}/check" if call.role else "check",
            )
            self.effect("tool", request, then=self.looked_up, on_interrupt=OnInterrupt.RERUN, about=call.id)

    def raise_attention(self, call: Call, why: str, *, check: str = "", found: str = "") -> None:
        """Show a person the call: its intent, its arguments, its key, how to check, and what a check has found."""
        tool = self.tool_of(call)
        body: dict[str, object] = {
            "run": self.key,
            "call": call.id,
            "tool": call.tool if tool is None else tool.name,
            "arguments": call.arguments,
            "idempotency_key": idempotency_key(self.key, call.id, call.role),
            "reason": why,
            "check": check,
            "found": found,
            "attempt": call.shown_attempt,
        }
        self.view("attention", approval_id(self.key, call.id), body, scope=self.key, sort=self.now)
        self.announce(of_unknown(self.key, call.id, call.tool, self.now))

    def wait(self, call: Call, reason: str) -> None:
        """The run waits for a person, or no longer does: the one who shows it and the one who takes the time know."""
        if not call.undoes:
            self.tell(ORCHESTRATOR, CallWaits(call=call.id, reason=reason))
            self.tell(GUARDRAIL, CallWaits(call=call.id, reason=reason))

    def _told(self, call: Call, end: End, text: str) -> str:
        """What the model is told: the result, marked when it is not the tool's own, and cut when it is too long."""
        tool = self.services.tool(call.agent, call.tool)
        if _stood_in(call, end):
            by = tool.fallback.name if tool is not None and isinstance(tool.fallback, Tool) else "a value"
            text = f"[{call.why}; {by} stands in for it:]\n{text}"
        most = None if tool is None else tool.options.max_result
        whole = text.encode()
        if most is None or len(whole) <= most:
            return text
        self.append(results_stream(self.key), "call.result", {"call": call.id, "text": text})
        shown = whole[:most].decode(errors="ignore")
        return f"{shown}\n[cut: the result has {len(whole):,} bytes, and {most:,} are shown; all of it is kept]"

    def _not_counted(self, call: Call) -> None:
        """It never ran, so it is none of the calls that the tool may have in a run."""
        if call.tool in self.state.counts:
            self.state.counts[call.tool] -= 1

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


def how_to_check(tool: Tool | None) -> str:
    """How a person finds out what a call of the tool has done, as it declares; empty when nobody knows."""
    check = "" if tool is None else tool.check
    return check if isinstance(check, str) else f"{check.name} looks it up by its key"


def retry_timer(call: str) -> str:
    """The name of the timer that runs a call again."""
    return f"retry-{call}"


def _stood_in(call: Call, end: End) -> bool:
    """Whether the result is not the tool's own; what that had said stands before it."""
    return call.role == "fallback" and not end.is_error


def _chance(run: str, call: Call) -> float:
    """Between 0 and 1, the same for one attempt of a call in every process."""
    drawn = hashlib.sha256(f"{run}/{call.id}/{call.attempt + call.turned_away}".encode()).digest()
    return int.from_bytes(drawn[:4]) / 2**32
