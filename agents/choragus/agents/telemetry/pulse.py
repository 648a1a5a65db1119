"""Whether anybody works on a run, read from its logbook: a run whose last work waits for a person stands still."""

from __future__ import annotations

import attrs

from choragus.agents.message import RESULT

from .fact import Fields, text

_ASKED, _RUNS, _RESTS = "asked", "runs", "rests"
"""Where an open call stands: it will go on by itself, it is running, it waits for a person."""


@attrs.define
class Pulse:
    """What is in flight and who is waited for, after so many entries."""

    calls: dict[str, str] = attrs.field(factory=dict)
    asked_people: set[str] = attrs.field(factory=set)
    paused: set[str] = attrs.field(factory=set)
    children: set[str] = attrs.field(factory=set)
    reserved: set[str] = attrs.field(factory=set)
    is_perceiving: bool = False

    @property
    def is_idle(self) -> bool:
        """Nothing is done, and nothing will be before a person has decided or resumed it."""
        if self.reserved or _RUNS in self.calls.values():
            return False
        if self.paused:
            return True
        if self.children:
            return False
        waits = bool(self.asked_people) or _RESTS in self.calls.values()
        return waits and not self.is_perceiving and _ASKED not in self.calls.values()

    def take(self, kind: str, fields: Fields) -> None:
        """Go on by one entry."""
        match kind:
            case "phase":
                self.is_perceiving = fields.get("phase") == "perceive"
                if self.is_perceiving:
                    self.calls = {id: state for id, state in self.calls.items() if state == _RUNS}
            case "budget.reserved" if text(fields, "token").startswith("step-"):
                self.reserved.add(text(fields, "token"))
            case "budget.spent" | "budget.presumed" | "budget.overrun":
                self.reserved.discard(text(fields, "token"))
            case "model.replied" | "model.failed" | "model.queued":
                self._answered(kind, fields)
            case "run.paused":
                self.paused.add(text(fields, "source"))
            case "run.resumed":
                self.paused.discard(text(fields, "source"))
            case "child.started":
                self.children.add(text(fields, "run"))
            case "child.ended":
                self.children.discard(text(fields, "run"))
            case _ if kind.startswith(("call.", "approval.")):
                self._of_a_call(kind, text(fields, "call").removeprefix(RESULT))

    def _answered(self, kind: str, fields: Fields) -> None:
        """The model call is over; one that is tried again by a timer goes on by itself."""
        token = f"step-{fields.get('step')}.{fields.get('attempt')}"
        self.reserved.discard(token)
        if kind != "model.replied" and "wait" in fields:
            self.is_perceiving = True  # until the next attempt is reserved, it is as good as begun

    def _of_a_call(self, kind: str, call: str) -> None:
        match kind:
            case "call.requested" | "call.retried" | "call.queued" | "call.fallback" | "call.settled":
                self.calls[call] = _ASKED
            case "call.intended":
                self.calls[call] = _RUNS
            case "call.finished" | "call.refused":
                self.calls.pop(call, None)
            case "call.unknown":
                self.calls[call] = _RESTS
            case "approval.requested":
                self.asked_people.add(call)
                if call in self.calls:
                    self.calls[call] = _RESTS
            case "approval.decided":
                self.asked_people.discard(call)
                if self.calls.get(call) == _RESTS:
                    self.calls[call] = _ASKED
            case _:
                pass
