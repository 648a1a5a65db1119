"""A run's logbook as a person reads it: rows of position, time, step or call, what happened, and the gist. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs
import msgspec

from choragus.mailbox.citation import FORKED
from choragus.mailbox.turn import SYSTEM_STREAM, LogEntry

from .plan import told
from .text import as_json, block, chunks, columns, counted, duration, money, short, visible

Fields = dict[str, object]

HEADER = "  AT  TIME      STEP   WHAT"
LEAST = 30
"""Columns that the gist of a row gets, however narrow the page."""


@attrs.frozen
class Row:
    """One thing that happened. `tail` is never cut; a `whole` gist takes as many lines as it needs."""

    at: float
    step: str
    what: str
    gist: str = ""
    tail: str = ""
    whole: bool = False
    below: str = ""
    """Foreign text, in full, under the row."""


class Timeline:
    """Turns entries into lines, in the order in which they were committed; remembers what a later entry needs.

    Args:
        width: columns of the page.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._day = ""
        self._asked: dict[str, str] = {}
        self._denied: set[str] = set()
        self._begun = False
        self.ended = False

    def lines(self, entries: Iterable[LogEntry]) -> list[str]:
        """What to print for these entries; many say nothing to a person."""
        return [line for entry in entries for line in self._told(entry)]

    def unjudged(self, at: float) -> list[str]:
        """The calls that were asked for and that nobody has judged so far, as of a time."""
        return [line for call in tuple(self._asked) for line in self._print(self._call(at, call, "asked"), 0)]

    def _told(self, entry: LogEntry) -> list[str]:
        position = 0 if entry.stream == SYSTEM_STREAM else entry.position
        return [line for row in self._rows(entry) for line in self._print(row, position)]

    def _rows(self, entry: LogEntry) -> list[Row]:
        data: Fields = msgspec.json.decode(entry.body)
        if entry.stream == SYSTEM_STREAM:
            return _opened(entry.at, data) if self._begun and not self.ended and entry.kind == "system.opened" else []
        if planned := told(entry.kind, data):
            return [Row(entry.at, "", *planned, whole=True)]
        make = _KINDS.get(entry.kind)
        return [] if make is None else make(self, entry.at, data)

    # One method for each kind of entry that is shown.

    def _forked(self, at: float, data: Fields) -> list[Row]:
        gist = f"from run {_text(data, 'run')} at {_whole(data, 'position')}, by {_text(data, 'by')}"
        return [Row(at, "", "forked", gist, whole=True)]

    def _cut(self, at: float, data: Fields) -> list[Row]:
        what = f"{_text(data, 'tool') or 'the model'} was under way in the other run; it is not run from here"
        return [Row(at, _text(data, "call"), "cut off", what, whole=True)]

    def _started(self, at: float, data: Fields) -> list[Row]:
        self._begun = True
        begun = [Row(at, "", "started", f"{_text(data, 'agent')}: {_text(data, 'goal')}")]
        if data.get("follows"):
            begun.append(Row(at, "", "follows", f"run {_text(data, 'follows')}", whole=True))
        return [*begun, Row(at, "", "limits", _text(data, "limits"), whole=True)] if "limits" in data else begun

    def _received(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, _text(data, "step"), "told", f"by {_text(data, 'by')}: {_text(data, 'said')}")]

    def _text_refused(self, at: float, data: Fields) -> list[Row]:
        gist = f"{_text(data, 'text')} of {_text(data, 'by')}: {_text(data, 'reason')}"
        return [Row(at, "", "not read", gist, whole=True)]

    def _followed(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "goes on", f"as run {_text(data, 'run')}, told by {_text(data, 'by')}", whole=True)]

    def _raised(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "raised", f"{as_json(data.get('limits'))} {_by(data, 'reason')}", whole=True)]

    def _degraded(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, _text(data, "step"), "last", f"without tools: {_text(data, 'reason')}", whole=True)]

    def _paused(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "paused", _by(data, "reason"), whole=True)]

    def _resumed(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "resumed", _by(data, "reason"), whole=True)]

    def _overrun(self, at: float, data: Fields) -> list[Row]:
        more = f"{_whole(data, 'tokens')} tokens, {money(_number(data, 'cost_usd'))} more than set aside"
        return [Row(at, "", "overrun", f"{_text(data, 'token')}: {more}", whole=True)]

    def _compacted(self, at: float, data: Fields) -> list[Row]:
        sizes = f"{_whole(data, 'tokens_before')} to {_whole(data, 'tokens_after')} tokens"
        return [Row(at, _text(data, "step"), "compacted", f"{sizes}, by {_text(data, 'by')}")]

    def _not_compacted(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, _text(data, "step"), "compacted", f"no summary: {_text(data, 'reason')}", whole=True)]

    def _edited(self, at: float, data: Fields) -> list[Row]:
        gist = f"block {_text(data, 'label')}, edit {_whole(data, 'number')}, {_whole(data, 'characters')} characters"
        return [Row(at, _text(data, "call"), "edited", gist)]

    def _sub_run(self, at: float, data: Fields) -> list[Row]:
        gist = f"{_text(data, 'run')}: {_text(data, 'agent')}: {_text(data, 'goal')}"
        return [Row(at, "", "sub-run", gist)]

    def _sub_ended(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "sub-run", f"{_text(data, 'run')} {_text(data, 'status')}: {_text(data, 'outcome')}")]

    def _replied(self, at: float, data: Fields) -> list[Row]:
        used = (
            f"{_whole(data, 'input_tokens')} + {_whole(data, 'output_tokens')} tokens, "
            f"{money(_number(data, 'cost_usd'))}, {_took(data)}"
        )
        said = _text(data, "text")
        return [Row(at, _text(data, "step"), "model", f"{used}: {said}" if said else used)]

    def _model_failed(self, at: float, data: Fields) -> list[Row]:
        if "tries" not in data:
            return [Row(at, _text(data, "step"), "waits", f"model: {_text(data, 'reason')}", whole=True)]
        tries = f"try {_whole(data, 'tries')}, {_took(data)}: {_text(data, 'reason')}"
        return [Row(at, _text(data, "step"), "failed", f"model, {tries}", whole=True)]

    def _fell_back(self, at: float, data: Fields) -> list[Row]:
        gist = f"{_text(data, 'model')} instead of {_text(data, 'instead')}"
        return [Row(at, _text(data, "step"), "fallback", gist, whole=True)]

    def _requested(self, at: float, data: Fields) -> list[Row]:
        self._asked[_text(data, "call")] = f"{_text(data, 'tool')} {as_json(data.get('arguments'))}"
        return []

    def _refused(self, at: float, data: Fields) -> list[Row]:
        call = _text(data, "call")
        return [self._call(at, call, "refused"), Row(at, call, "error", _text(data, "reason"), whole=True)]

    def _judged(self, at: float, data: Fields) -> list[Row]:
        call, verdict = _text(data, "call"), _text(data, "verdict")
        if verdict == "wait":
            return []  # the approval says it
        if verdict == "allow":
            return [self._call(at, call, "allowed")]
        return [self._call(at, call, "denied", f"  (by {_text(data, 'policy')})" if data.get("policy") else "")]

    def _rewritten(self, at: float, data: Fields) -> list[Row]:
        gist = f"by {_listed(data, 'policies')}: {as_json(data.get('arguments'))}"
        return [Row(at, _text(data, "call"), "rewritten", gist)]

    def _text_judged(self, at: float, data: Fields) -> list[Row]:
        stage, verdict, rules = _text(data, "stage"), _text(data, "verdict"), _listed(data, "rewritten")
        if verdict == "deny":
            return [Row(at, "", "denied", f"{stage}, by {_text(data, 'policy')}: {_text(data, 'reason')}", whole=True)]
        return [Row(at, "", "rewritten", f"{stage}, by {rules}", whole=True)] if rules else []

    def _sent_back(self, at: float, data: Fields) -> list[Row]:
        return [
            Row(at, _text(data, "step"), "sent back", f"{_text(data, 'stage')}: {_text(data, 'reason')}", whole=True)
        ]

    def _approval(self, at: float, data: Fields) -> list[Row]:
        call, tail = _text(data, "call"), f"  (approval {_text(data, 'approval')})"
        if call in self._asked:
            return [self._call(at, call, "waits", tail)]
        what = f"{_text(data, 'tool')} {as_json(data.get('arguments'))}: " if data.get("tool") else ""
        return [Row(at, call, "waits", f"{what}{_text(data, 'why')}{tail}", whole=True)]

    def _decided(self, at: float, data: Fields) -> list[Row]:
        call, approved = _text(data, "call"), data.get("approved") is True
        if not approved:
            self._denied.add(call)
        if "answer" in data:
            return [Row(at, call, "answered", f"by {_text(data, 'by')}: {_text(data, 'answer')}", whole=True)]
        edited = f", with {as_json(data['arguments'])}" if "arguments" in data else ""
        return [Row(at, call, "approved" if approved else "denied", _by(data, "reason") + edited, whole=True)]

    def _ruled(self, at: float, data: Fields) -> list[Row]:
        return [
            self._call(at, _text(data, "call"), "allowed", f"  (rule {_text(data, 'rule')} of {_text(data, 'by')})")
        ]

    def _counted(self, at: float, data: Fields) -> list[Row]:
        given = len(msgspec.convert(data["given"], list[str]))
        return [Row(at, _text(data, "call"), "counted", f"{given} of {_whole(data, 'quorum')}, by {_text(data, 'by')}")]

    def _escalated(self, at: float, data: Fields) -> list[Row]:
        to = ", ".join(msgspec.convert(data["approvers"], list[str]))
        return [Row(at, _text(data, "call"), "escalated", f"nobody decided in time; put to {to}", whole=True)]

    def _finished(self, at: float, data: Fields) -> list[Row]:
        call = _text(data, "call")
        if call in self._denied:
            return []
        end = _text(data, "end")
        tail = f"  ({_took(data)})" if data.get("ran") and end in ("returned", "failed") else ""
        return [Row(at, call, _ENDS.get(end, end), _text(data, "text"), tail)]

    def _unknown(self, at: float, data: Fields) -> list[Row]:
        how = f"; how to check: {_text(data, 'check')}" if data.get("check") else ""
        gist = f"{_text(data, 'tool')}: {_text(data, 'reason')}{how}"
        return [Row(at, _text(data, "call"), "unknown", gist, whole=True)]

    def _granted(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "granted", f"only the tools {as_json(data.get('tools'))}", whole=True)]

    def _retried(self, at: float, data: Fields) -> list[Row]:
        gist = (
            f"{_text(data, 'tool')}, try {_whole(data, 'attempt')}, again in {duration(_number(data, 'wait'))}: "
            f"{_text(data, 'reason')}"
        )
        return [Row(at, _text(data, "call"), "failed", gist, whole=True)]

    def _queued(self, at: float, data: Fields) -> list[Row]:
        gist = f"{_text(data, 'tool')} has a long line, again in {duration(_number(data, 'wait'))}"
        return [Row(at, _text(data, "call"), "queued", gist, whole=True)]

    def _replaced(self, at: float, data: Fields) -> list[Row]:
        gist = f"{_text(data, 'by')} stands in for {_text(data, 'tool')}: {_text(data, 'reason')}"
        return [Row(at, _text(data, "call"), "fallback", gist, whole=True)]

    def _checked(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, _text(data, "call"), "checked", f"{_text(data, 'tool')}: {_text(data, 'found')}", whole=True)]

    def _unwinding(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "unwinding", f"{as_json(data.get('calls'))}, by {_text(data, 'by')}", whole=True)]

    def _unwound(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "unwound", as_json(data.get("calls")), whole=True)]

    def _stuck(self, at: float, data: Fields) -> list[Row]:
        why = _text(data, "reason") or f"left by {_text(data, 'by')}"
        gist = f"{why}; still to be taken back: {as_json(data.get('left'))}"
        return [Row(at, _text(data, "call"), "stopped", gist, whole=True)]

    def _settled(self, at: float, data: Fields) -> list[Row]:
        said = {"happened": "it happened", "not": "it did not happen", "give_up": "give up"}
        outcome = _text(data, "outcome")
        gist = f"{said.get(outcome, outcome)}, says {_text(data, 'by')}"
        return [Row(at, _text(data, "call"), "settled", gist, whole=True)]

    def _word_refused(self, at: float, data: Fields) -> list[Row]:
        gist = f"the decision of {_text(data, 'by')}: {_text(data, 'reason')}"
        return [Row(at, _text(data, "call"), "refused", gist, whole=True)]

    def _failed(self, at: float, data: Fields) -> list[Row]:
        gist = (
            f"{_part(data)} on {_name(data, 'type')}, try {_whole(data, 'attempts')}, restarted: "
            f"{_text(data, 'reason')}"
        )
        return [Row(at, "", "failed", gist, whole=True)]

    def _parked(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "parked", f"{_name(data, 'type')} to {_part(data)}: {_text(data, 'reason')}", whole=True)]

    def _ended(self, at: float, data: Fields) -> list[Row]:
        self.ended = True
        used = (
            f"{counted(_whole(data, 'steps'), 'step')}, "
            f"{_whole(data, 'input_tokens')} + {_whole(data, 'output_tokens')} tokens, "
            f"{money(_number(data, 'cost_usd'))}, {_took(data)}"
        )
        return [Row(at, "", _text(data, "status"), used, below=_text(data, "outcome"))]

    def _call(self, at: float, call: str, what: str, tail: str = "") -> Row:
        return Row(at, call, what, self._asked.pop(call, ""), tail)

    def _print(self, row: Row, position: int) -> list[str]:
        when = datetime.fromtimestamp(row.at)
        lines: list[str] = []
        if str(when.date()) != self._day:
            self._day = str(when.date())
            lines.append(self._day)
        step = f"{visible(row.step):<5}  {visible(row.what)}"  # a long step takes some of the room behind it
        begin = f"{position or '':>4}  {when:%H:%M:%S}  {step:<16}  "
        room = max(LEAST, self._width - columns(begin))
        gist, tail = visible(row.gist), visible(row.tail)
        pieces = list(chunks(gist, room)) if row.whole else [short(gist, max(LEAST, room - columns(tail)))]
        lines.append(f"{begin}{pieces[0]}{tail}".rstrip())
        lines += [f"{'':{len(begin)}}{piece}".rstrip() for piece in pieces[1:]]
        return lines + (block(row.below.splitlines(), self._width) if row.below else [])


def _opened(at: float, data: Fields) -> list[Row]:
    how = "in order" if data.get("clean") else "uncleanly: killed, or crashed"
    return [Row(at, "", "reopened", f"by a new process; the one before ended {how}", whole=True)]


def _by(data: Fields, reason: str) -> str:
    why = _text(data, reason)
    return f"by {_text(data, 'by')}" + (f": {why}" if why else "")


def _listed(data: Fields, field: str) -> str:
    values = data.get(field)
    return ", ".join(str(one) for one in values) if isinstance(values, list) else ""


def _part(data: Fields) -> str:
    return _name(data, "actor").partition("/")[0]


def _name(data: Fields, field: str) -> str:
    return _text(data, field).removeprefix("choragus.")


def _took(data: Fields) -> str:
    return duration(_number(data, "ended") - _number(data, "started"))


def _text(data: Fields, field: str) -> str:
    return str(data.get(field, ""))


def _whole(data: Fields, field: str) -> int:
    return int(_number(data, field))


def _number(data: Fields, field: str) -> float:
    value = data.get(field)
    return float(value) if isinstance(value, int | float) else 0.0


_ENDS = {"returned": "result", "settled": "result", "failed": "error", "denied": "error"}

_KINDS: dict[str, Callable[[Timeline, float, Fields], list[Row]]] = {
    FORKED: Timeline._forked,
    "effect.interrupted": Timeline._cut,
    "run.started": Timeline._started,
    "model.replied": Timeline._replied,
    "model.failed": Timeline._model_failed,
    "model.queued": Timeline._model_failed,
    "model.fallback": Timeline._fell_back,
    "call.requested": Timeline._requested,
    "call.refused": Timeline._refused,
    "call.judged": Timeline._judged,
    "call.rewritten": Timeline._rewritten,
    "text.judged": Timeline._text_judged,
    "reply.refused": Timeline._sent_back,
    "approval.requested": Timeline._approval,
    "approval.decided": Timeline._decided,
    "approval.ruled": Timeline._ruled,
    "approval.counted": Timeline._counted,
    "approval.escalated": Timeline._escalated,
    "call.finished": Timeline._finished,
    "call.unknown": Timeline._unknown,
    "call.settled": Timeline._settled,
    "run.granted": Timeline._granted,
    "call.retried": Timeline._retried,
    "call.queued": Timeline._queued,
    "call.fallback": Timeline._replaced,
    "call.checked": Timeline._checked,
    "unwind.begun": Timeline._unwinding,
    "unwind.ended": Timeline._unwound,
    "unwind.stopped": Timeline._stuck,
    "unwind.left": Timeline._stuck,
    "unwind.refused": Timeline._word_refused,
    "approval.refused": Timeline._word_refused,
    "settle.refused": Timeline._word_refused,
    "actor.failed": Timeline._failed,
    "message.parked": Timeline._parked,
    "limit.raised": Timeline._raised,
    "run.degraded": Timeline._degraded,
    "run.paused": Timeline._paused,
    "run.resumed": Timeline._resumed,
    "budget.overrun": Timeline._overrun,
    "memory.compacted": Timeline._compacted,
    "memory.summary_failed": Timeline._not_compacted,
    "block.edited": Timeline._edited,
    "child.started": Timeline._sub_run,
    "child.ended": Timeline._sub_ended,
    "text.received": Timeline._received,
    "text.refused": Timeline._text_refused,
    "run.followed": Timeline._followed,
    "run.ended": Timeline._ended,
}
