"""How a call of one run is carried out: begun, tried again, replaced, kept, finished. What it takes beside the gateway.

Nothing here decides whether a call may run.
"""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

from choragus.actors.actor import M
from choragus.actors.dispatch import reply
from choragus.actors.message import EffectFailed, EffectUnknown
from choragus.mailbox.turn import OnInterrupt

from .approval import approval_id
from .call import Call, End, GatewayState, Stage
from .message import GUARDRAIL, ORCHESTRATOR, CallFinished, CallTool, CallWaits, RetryCall, ToolReturned
from .part import Part
from .service import idempotency_key
from .stream import SHOWN, results_stream
from .tool import Tool
from .toolbelt.definition import Constant

G = TypeVar("G", bound=GatewayState)


class Caller(Part[G, M], Generic[G, M]):
    """A part of a run that carries out calls."""

    @reply
    def returned(self, result: ToolReturned | EffectFailed | EffectUnknown) -> None:
        """The call came to an end, or nobody knows whether it did. It is entered also when the run is over."""
        call = self.state.call(self.about, Stage.RUNNING)
        if call is None:
            return
        if isinstance(result, EffectFailed):
            self._failed(call, f"{call.tool} failed: {result.error}: {result.reason}", "not")
        elif isinstance(result, EffectUnknown):
            self._unknown(call, "the process ended while it ran")
        elif result.unknown:
            self._unknown(call, result.text)
        elif not result.is_error:
            self._finish(call, End.RETURNED, result.text, started=result.started, ended=result.ended)
        elif not self._tried_again(call, result):
            self._failed(call, result.text, result.fate, started=result.started, ended=result.ended)

    @reply
    def looked_up(self, result: ToolReturned | EffectFailed | EffectUnknown) -> None:
        """What the tool's `check` says of a call of unknown outcome; a person reads it."""
        call = self.state.call(self.about, Stage.UNKNOWN)
        if call is None:
            return
        found = result.text if isinstance(result, ToolReturned) else f"it failed: {getattr(result, 'reason', '')}"
        self.log("call.checked", call=call.id, tool=call.tool, found=found[:SHOWN])
        self._raise_attention(call, found[:SHOWN])

    def _run(self, call: Call) -> None:
        """Write the intent of a call; the tool is run once that is on disk."""
        if self.state.over and not call.undoes:
            return
        call.stage = Stage.RUNNING
        call.since = self.now
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
        self.log("call.intended", call=call.id, tool=call.tool, effect=call.effect)

    def _tool(self, call: Call) -> Tool | None:
        return self.services.tool_in_role(call.agent, call.tool, call.role)

    def _tried_again(self, call: Call, result: ToolReturned) -> bool:
        """Set a timer for the next attempt, if there is one."""
        tool = self._tool(call)
        retries = None if tool is None else tool.options.retries
        is_last = retries is None or call.attempt > retries.times
        if retries is None or is_last or not result.retryable or (self.state.over and not call.undoes):
            return False
        wait = retries.wait(call.attempt, _chance(self.key, call))
        call.stage = Stage.BACKOFF
        self.log(
            "call.retried", call=call.id, tool=call.tool, attempt=call.attempt, reason=result.text[:SHOWN], wait=wait
        )
        self.timer(f"retry-{call.id}", RetryCall(call.id), after=wait)
        return True

    def _failed(self, call: Call, text: str, fate: str, *, started: float = 0.0, ended: float = 0.0) -> None:
        """The call has failed for good, unless something stands in for the tool."""
        tool = self.services.tool(call.agent, call.tool)
        fallback = None if tool is None or call.role or self.state.over else tool.fallback
        if fate == "done" or fallback is None:
            self._finish(call, End.FAILED, text, started=started, ended=ended, fate=fate)
            return
        self._remember_undo(call, "", fate)
        call.role, call.why = "fallback", text
        by = fallback.name if isinstance(fallback, Tool) else "a value"
        self.log("call.fallback", call=call.id, tool=call.tool, by=by, reason=text[:SHOWN])
        if isinstance(fallback, Constant):
            self._finish(call, End.RETURNED, fallback.text, started=started, ended=ended)
        else:
            call.repeatable, call.attempt = fallback.repeatable, 0
            self._run(call)

    def _finish(
        self, call: Call, end: End, text: str, *, started: float = 0.0, ended: float = 0.0, fate: str = "done"
    ) -> None:
        """The call is over; the model is told, unless the run is over."""
        del self.state.calls[call.id]
        if call.effect and fate != "not":
            self._remember_undo(call, text if end in (End.RETURNED, End.SETTLED) else "", fate)
        told = self._told(call, end, text)
        self.log(
            "call.finished",
            call=call.id,
            tool=call.tool,
            agent=call.agent,
            end=end.value,
            ran=bool(call.effect),
            is_error=end.is_error,
            text=told[:SHOWN],
            started=started or call.since or self.now,
            ended=ended or self.now,
        )
        if call.undoes:
            self._undone(call, end, text)
        elif not self.state.over:
            self.tell(ORCHESTRATOR, CallFinished(call=call.id, text=told, is_error=end.is_error))

    def _undone(self, call: Call, end: End, text: str) -> None:
        """A call that takes another back is over."""
        raise NotImplementedError

    def _told(self, call: Call, end: End, text: str) -> str:
        """What the model is told: the result, marked when it is not the tool's own, and cut when it is too long."""
        tool = self.services.tool(call.agent, call.tool)
        if call.role == "fallback" and not end.is_error:
            by = tool.fallback.name if tool is not None and isinstance(tool.fallback, Tool) else "a value"
            text = f"[{call.why}; in its place {by} gives:]\n{text}"
        most = len(text) if tool is None else tool.options.max_result
        whole = text.encode()
        if len(whole) <= most:
            return text
        self.append(results_stream(self.key), "call.result", {"call": call.id, "text": text})
        shown = whole[:most].decode(errors="ignore")
        return f"{shown}\n[cut: the result has {len(whole):,} bytes, and {most:,} are shown; all of it is kept]"

    def _remember_undo(self, call: Call, text: str, fate: str) -> None:
        """Write down what takes a call back, before anybody could have to."""
        if call.undoes or fate == "not":
            return
        role = f"{call.role}/undo" if call.role else "undo"
        if self.services.tool_in_role(call.agent, call.tool, role) is None:
            return
        self.append(
            results_stream(self.key),
            "call.undoable",
            {
                "call": call.id,
                "agent": call.agent,
                "tool": call.tool,
                "role": role,
                "arguments": call.arguments,
                "result": text,
                "is_sure": fate == "done",
            },
        )
        self.state.undoable.append(call.id)

    def _unknown(self, call: Call, why: str) -> None:
        """Nobody knows whether the call did anything: a person finds out, and is told how."""
        call.stage = Stage.UNKNOWN
        call.why = why if not call.role.startswith("fallback") else call.why
        tool = self._tool(call)
        check = "" if tool is None else tool.check
        self.log(
            "call.unknown",
            call=call.id,
            tool=call.tool,
            arguments=call.arguments,
            reason=why,
            check=check if isinstance(check, str) else check.name,
        )
        self._raise_attention(call, "", why)
        self._wait(call, "outcome unknown")
        if isinstance(check, Tool):
            key = idempotency_key(self.key, call.id, call.role)
            request = CallTool(
                run=self.key,
                agent=call.agent,
                call=call.id,
                tool=call.tool,
                arguments={"key": key},
                role=f"{call.role}/check" if call.role else "check",
            )
            self.effect("tool", request, then=self.looked_up, on_interrupt=OnInterrupt.RERUN, about=call.id)

    def _raise_attention(self, call: Call, found: str, why: str = "") -> None:
        raise NotImplementedError

    def _wait(self, call: Call, reason: str) -> None:
        """The run waits for a person, or no longer does: the one who shows it and the one who takes the time know."""
        if call.undoes:
            return
        self.tell(ORCHESTRATOR, CallWaits(call=call.id, reason=reason))
        self.tell(GUARDRAIL, CallWaits(call=call.id, reason=reason))


def _chance(run: str, call: Call) -> float:
    """Between 0 and 1, the same for one attempt of a call in every process."""
    drawn = hashlib.sha256(f"{run}/{call.id}/{call.attempt}".encode()).digest()
    return int.from_bytes(drawn[:4]) / 2**32
