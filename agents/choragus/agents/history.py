"""Where a run stood after so many entries of its logbook, found again from these entries alone. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import attrs
import msgspec

from choragus.mailbox.citation import FORKED
from choragus.mailbox.turn import LogEntry

from .flow.label import OWN, RUNTIME
from .state import Phase

Fields: TypeAlias = dict[str, object]

_TELLING = frozenset(
    {
        *(FORKED, "run.started", "memory.assembled", "budget.reserved", "model.replied", "model.failed", "phase"),
        "model.queued",
        *("call.intended", "call.refused", "call.finished", "reply.refused"),
        *("plan.proposed", "plan.revised", "step.started", "step.retried", "step.fallback", "step.succeeded"),
        *("step.failed", "step.skipped", "step.escalated"),
    }
)
"""The kinds of entries that say where a run stands; most others need not be read."""


class Fate(Enum):
    """What had become of a call."""

    ASKED = "asked"
    """It had not begun: checked, judged, or waiting for a person."""
    BEGUN = "begun"
    """Its intent was on disk, and no result; or its outcome was unknown."""
    FINISHED = "finished"


@attrs.define(kw_only=True)
class Called:
    """A call of the step. `text` is the beginning of its result, as the logbook has it, and `whose` word that is."""

    id: str
    tool: str
    fate: Fate = Fate.ASKED
    effect: str = ""
    text: str = ""
    is_error: bool = False
    whose: str = OWN


@attrs.define(kw_only=True)
class Standing:
    """A run after the entry at `position`, whose hash is `hash`.

    `messages` is how much of the conversation the step is about, and `version` how many decisions count of what the
    model sees of it. `model` names the model call that was under way, if one was; `calls` are those that the model has
    asked for in this step. `plan` is how many entries of the run's plan counted when the model was asked, and by its
    calls since.
    """

    position: int = 0
    hash: bytes = b""
    step: int = 0
    messages: int = 0
    version: int = 0
    model: str = ""
    calls: list[Called] = attrs.field(factory=list)
    plan: int = 0
    _planned: int = 0
    _drafted: list[Called] = attrs.field(factory=list)

    def take(self, entry: LogEntry) -> bool:
        """Go on by one entry; False when the run has come to its end with it, and then nothing has changed."""
        fields: Fields = msgspec.json.decode(entry.body) if entry.kind in _TELLING else {}
        if _is_end(entry.kind, fields):
            return False
        self.position, self.hash = entry.position, entry.hash
        match entry.kind:
            case "run.started" if not self.step:
                self.step, self.messages = 1, _whole(fields, "messages") if "messages" in fields else 1
            case "memory.assembled":
                self.step, self.messages, self.calls = _whole(fields, "step"), _whole(fields, "messages"), []
                self.version = _whole({"context": 0, **fields}, "context")
                self.plan = self._planned
            case "plan.proposed" if fields["by"] == "host":
                self.plan = self._planned = _whole(fields, "plan")
            case kind if fields and kind.startswith(("plan.", "step.")):
                self._planned = _whole(fields, "plan")
            case "budget.reserved" if str(fields["token"]).startswith("step-"):
                self.model = str(fields["token"])
            case "model.failed" | "model.queued":
                self.model = ""
            case "model.replied":
                self.model = ""
                calls = [Called(id=f"{self.step}.{n}", tool=name) for n, name in enumerate(_names(fields), 1)]
                if fields.get("judged"):
                    self._drafted = calls  # they are made when the reply has passed
                else:
                    self.calls = calls
            case "phase" if self._drafted and fields["phase"] == Phase.ACT.value:
                self.calls, self._drafted = self._drafted, []
            case "reply.refused":
                self._drafted = []
            case "call.intended" | "call.refused" | "call.finished":
                self._call(entry.kind, fields)
            case kind if kind == FORKED:
                self._begin(fields)
            case _:
                pass
        return True

    def _begin(self, fields: Fields) -> None:
        self.step, self.messages = _whole(fields, "step"), _whole(fields, "messages")
        self.version = _whole({"context": 0, **fields}, "context")
        self.plan = self._planned = msgspec.convert(fields.get("plan", 0), int)
        calls = msgspec.convert(fields["calls"], list[dict[str, str | bool]])
        self.calls = [
            Called(id=str(one["call"]), tool=str(one["tool"]), fate=Fate.FINISHED if one["done"] else Fate.ASKED)
            for one in calls
        ]

    def _call(self, kind: str, fields: Fields) -> None:
        call = next((one for one in self.calls if one.id == fields["call"]), None)
        if call is None:
            return
        if kind == "call.intended":
            call.fate, call.effect = Fate.BEGUN, str(fields["effect"])
        elif kind == "call.refused":
            call.fate, call.text, call.is_error = Fate.FINISHED, str(fields["reason"]), True
            call.whose = RUNTIME
        else:
            self.plan = self._planned  # a call about the plan has moved it, and is over with this entry
            call.fate, call.text, call.is_error = Fate.FINISHED, str(fields["text"]), bool(fields["is_error"])
            call.whose = str(fields.get("whose", OWN))


def _is_end(kind: str, fields: Fields) -> bool:
    """Whether the run is over: by the model's last word, or by whatever else stops it."""
    if kind == "model.replied":
        return not fields.get("judged") and (fields["stop"] in ("length", "refusal") or not fields["calls"])
    return kind == "phase" and fields["phase"] == Phase.STOP.value


def _names(fields: Fields) -> list[str]:
    return [str(one["name"]) for one in msgspec.convert(fields["calls"], list[dict[str, object]])]


def _whole(fields: Fields, name: str) -> int:
    return msgspec.convert(fields[name], int)
