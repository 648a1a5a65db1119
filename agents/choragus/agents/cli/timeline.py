"""A run's logbook as a person reads it: rows of position, time, step or call, what happened, and the gist. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime

from .planned import told
from .row import Fields, Line, Row, by_of, listed_of, name_of, number_of, part_of, text_of, took_of, whole_of
from .text import as_json, block, chunks, columns, counted, duration, money, short, visible
from .verdict import judgement

FORKED = "stream.forked"
SYSTEM_STREAM = "system"
"""As `choragus.mailbox.citation` and `choragus.mailbox.turn` have them, which are not imported for a look."""

HEADER = "  AT  TIME      STEP   WHAT"
LEAST = 30
"""Columns that the gist of a row gets, however narrow the page."""


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

    def lines(self, entries: Iterable[Line]) -> list[str]:
        """What to print for these entries; many say nothing to a person."""
        return [line for entry in entries for line in self._told(entry)]

    def skip(self, entries: Iterable[Line]) -> None:
        """Take note of entries that are not shown."""
        for entry in entries:
            self._told(entry)
        self._day, self.ended = "", False

    def unjudged(self, at: float) -> list[str]:
        """The calls that were asked for and that nobody has judged so far, as of a time."""
        return [line for call in tuple(self._asked) for line in self._print(self._call(at, call, "asked"), 0)]

    def added(self, rows: Iterable[Row]) -> list[str]:
        """Rows that no entry tells, in lines."""
        return [line for row in rows for line in self._print(row, 0)]

    def _told(self, entry: Line) -> list[str]:
        position = 0 if entry.stream == SYSTEM_STREAM else entry.position
        return [line for row in self.rows(entry) for line in self._print(row, position)]

    def rows(self, entry: Line) -> list[Row]:
        """What an entry says, before it is put into lines."""
        data: Fields = json.loads(entry.body)
        if entry.stream == SYSTEM_STREAM:
            return _opened(entry.at, data) if self._begun and not self.ended and entry.kind == "system.opened" else []
        if planned := told(entry.kind, data):
            return [Row(entry.at, "", *planned, whole=True)]
        make = _KINDS.get(entry.kind)
        return judgement(entry.kind, entry.at, data) if make is None else make(self, entry.at, data)

    # One method for each kind of entry that is shown.

    def _forked(self, at: float, data: Fields) -> list[Row]:
        gist = f"from run {text_of(data, 'run')} at {whole_of(data, 'position')}, by {text_of(data, 'by')}"
        return [Row(at, "", "forked", gist, whole=True)]

    def _cut(self, at: float, data: Fields) -> list[Row]:
        what = f"{text_of(data, 'tool') or 'the model'} was under way in the other run; it is not run from here"
        return [Row(at, text_of(data, "call"), "cut off", what, whole=True)]

    def _continued(self, at: float, data: Fields) -> list[Row]:
        what = "another version of its agent" if data.get("identity") else "other versions of its code"
        return [Row(at, "", "goes on", f"on {what}: see `choragus diff`", whole=True)]

    def _migrated(self, at: float, data: Fields) -> list[Row]:
        way = f"{text_of(data, 'from')[:12]} -> {text_of(data, 'to')[:12]}"
        return [Row(at, "", "migrated", f"{way}, {by_of(data, 'why')}", whole=True)]

    def _started(self, at: float, data: Fields) -> list[Row]:
        self._begun = True
        begun = [Row(at, "", "started", f"{text_of(data, 'agent')}: {text_of(data, 'goal')}")]
        if data.get("follows"):
            begun.append(Row(at, "", "follows", f"run {text_of(data, 'follows')}", whole=True))
        return [*begun, Row(at, "", "limits", text_of(data, "limits"), whole=True)] if "limits" in data else begun

    def _received(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, text_of(data, "step"), "told", f"by {text_of(data, 'by')}: {text_of(data, 'said')}")]

    def _read(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, text_of(data, "step"), "read", listed_of(data, "texts"), whole=True)]

    def _text_refused(self, at: float, data: Fields) -> list[Row]:
        gist = f"{text_of(data, 'text')} of {text_of(data, 'by')}: {text_of(data, 'reason')}"
        return [Row(at, "", "not read", gist, whole=True)]

    def _followed(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "goes on", f"as run {text_of(data, 'run')}, told by {text_of(data, 'by')}", whole=True)]

    def _raised(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "raised", f"{as_json(data.get('limits'))} {by_of(data, 'reason')}", whole=True)]

    def _not_raised(self, at: float, data: Fields) -> list[Row]:
        gist = f"no higher ceilings for {text_of(data, 'by')}: {text_of(data, 'reason')}"
        return [Row(at, "", "refused", gist, whole=True)]

    def _degraded(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, text_of(data, "step"), "last", f"without tools: {text_of(data, 'reason')}", whole=True)]

    def _paused(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "paused", by_of(data, "reason"), whole=True)]

    def _resumed(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "resumed", by_of(data, "reason"), whole=True)]

    def _overrun(self, at: float, data: Fields) -> list[Row]:
        more = f"{whole_of(data, 'tokens')} tokens, {money(number_of(data, 'cost_usd'))} more than set aside"
        return [Row(at, "", "overrun", f"{text_of(data, 'token')}: {more}", whole=True)]

    def _compacted(self, at: float, data: Fields) -> list[Row]:
        sizes = f"{whole_of(data, 'tokens_before')} to {whole_of(data, 'tokens_after')} tokens"
        return [Row(at, text_of(data, "step"), "compacted", f"{sizes}, by {text_of(data, 'by')}")]

    def _not_compacted(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, text_of(data, "step"), "compacted", f"no summary: {text_of(data, 'reason')}", whole=True)]

    def _retrieved(self, at: float, data: Fields) -> list[Row]:
        if data.get("error"):
            return [
                Row(at, text_of(data, "step"), "looked up", f"{text_of(data, 'by')}, nothing: {text_of(data, 'error')}")
            ]
        found = data.get("found")
        texts = [str(one.get("source")) for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        gist = f"{text_of(data, 'by')}, {counted(len(texts), 'text')}: {', '.join(texts)}"
        return [Row(at, text_of(data, "step"), "looked up", gist.removesuffix(": "))]

    def _edited(self, at: float, data: Fields) -> list[Row]:
        size = f"{whole_of(data, 'characters')} characters"
        gist = f"block {text_of(data, 'label')}, edit {whole_of(data, 'number')}, {size}"
        return [Row(at, text_of(data, "call"), "edited", gist)]

    def _sub_run(self, at: float, data: Fields) -> list[Row]:
        gist = f"{text_of(data, 'run')}: {text_of(data, 'agent')}: {text_of(data, 'goal')}"
        return [Row(at, "", "sub-run", gist)]

    def _no_sub_run(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "sub-run", f"refused, {text_of(data, 'agent')}: {text_of(data, 'reason')}", whole=True)]

    def _sub_ended(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "sub-run", f"{text_of(data, 'run')} {text_of(data, 'status')}: {text_of(data, 'outcome')}")]

    def _replied(self, at: float, data: Fields) -> list[Row]:
        used = (
            f"{whole_of(data, 'input_tokens')} + {whole_of(data, 'output_tokens')} tokens, "
            f"{money(number_of(data, 'cost_usd'))}, {took_of(data)}"
        )
        said = text_of(data, "text")
        return [Row(at, text_of(data, "step"), "model", f"{used}: {said}" if said else used)]

    def _model_failed(self, at: float, data: Fields) -> list[Row]:
        if "tries" not in data:
            return [Row(at, text_of(data, "step"), "waits", f"model: {text_of(data, 'reason')}", whole=True)]
        tries = f"try {whole_of(data, 'tries')}, {took_of(data)}: {text_of(data, 'reason')}"
        return [Row(at, text_of(data, "step"), "failed", f"model, {tries}", whole=True)]

    def _fell_back(self, at: float, data: Fields) -> list[Row]:
        gist = f"{text_of(data, 'model')} instead of {text_of(data, 'instead')}"
        return [Row(at, text_of(data, "step"), "fallback", gist, whole=True)]

    def _requested(self, at: float, data: Fields) -> list[Row]:
        self._asked[text_of(data, "call")] = f"{text_of(data, 'tool')} {as_json(data.get('arguments'))}"
        return []

    def _refused(self, at: float, data: Fields) -> list[Row]:
        call = text_of(data, "call")
        return [self._call(at, call, "refused"), Row(at, call, "error", text_of(data, "reason"), whole=True)]

    def _judged(self, at: float, data: Fields) -> list[Row]:
        call, verdict = text_of(data, "call"), text_of(data, "verdict")
        if verdict == "wait":
            return []  # the approval says it
        if verdict == "allow":
            return [self._call(at, call, "allowed")]
        return [self._call(at, call, "denied", f"  (by {text_of(data, 'policy')})" if data.get("policy") else "")]

    def _rewritten(self, at: float, data: Fields) -> list[Row]:
        gist = f"by {listed_of(data, 'policies')}: {as_json(data.get('arguments'))}"
        return [Row(at, text_of(data, "call"), "rewritten", gist)]

    def _text_judged(self, at: float, data: Fields) -> list[Row]:
        stage, verdict, rules = text_of(data, "stage"), text_of(data, "verdict"), listed_of(data, "rewritten")
        if verdict == "deny":
            return [
                Row(at, "", "denied", f"{stage}, by {text_of(data, 'policy')}: {text_of(data, 'reason')}", whole=True)
            ]
        return [Row(at, "", "rewritten", f"{stage}, by {rules}", whole=True)] if rules else []

    def _sent_back(self, at: float, data: Fields) -> list[Row]:
        return [
            Row(
                at,
                text_of(data, "step"),
                "sent back",
                f"{text_of(data, 'stage')}: {text_of(data, 'reason')}",
                whole=True,
            )
        ]

    def _approval(self, at: float, data: Fields) -> list[Row]:
        call, tail = text_of(data, "call"), f"  (approval {text_of(data, 'approval')})"
        if call in self._asked:
            return [self._call(at, call, "waits", tail)]
        what = f"{text_of(data, 'tool')} {as_json(data.get('arguments'))}: " if data.get("tool") else ""
        return [Row(at, call, "waits", f"{what}{text_of(data, 'why')}{tail}", whole=True)]

    def _decided(self, at: float, data: Fields) -> list[Row]:
        call, approved = text_of(data, "call"), data.get("approved") is True
        if not approved:
            self._denied.add(call)
        if "answer" in data:
            return [Row(at, call, "answered", f"by {text_of(data, 'by')}: {text_of(data, 'answer')}", whole=True)]
        edited = f", with {as_json(data['arguments'])}" if "arguments" in data else ""
        return [Row(at, call, "approved" if approved else "denied", by_of(data, "reason") + edited, whole=True)]

    def _ruled(self, at: float, data: Fields) -> list[Row]:
        return [
            self._call(
                at, text_of(data, "call"), "allowed", f"  (rule {text_of(data, 'rule')} of {text_of(data, 'by')})"
            )
        ]

    def _counted(self, at: float, data: Fields) -> list[Row]:
        given = data.get("given")
        count = len(given) if isinstance(given, list) else 0
        return [
            Row(
                at, text_of(data, "call"), "counted", f"{count} of {whole_of(data, 'quorum')}, by {text_of(data, 'by')}"
            )
        ]

    def _escalated(self, at: float, data: Fields) -> list[Row]:
        gist = f"nobody decided in time; put to {listed_of(data, 'approvers')}"
        return [Row(at, text_of(data, "call"), "escalated", gist, whole=True)]

    def _finished(self, at: float, data: Fields) -> list[Row]:
        call = text_of(data, "call")
        if call in self._denied:
            return []
        end = text_of(data, "end")
        tail = f"  ({took_of(data)})" if data.get("ran") and end in ("returned", "failed") else ""
        return [Row(at, call, _ENDS.get(end, end), text_of(data, "text"), tail)]

    def _unknown(self, at: float, data: Fields) -> list[Row]:
        how = f"; how to check: {text_of(data, 'check')}" if data.get("check") else ""
        gist = f"{text_of(data, 'tool')}: {text_of(data, 'reason')}{how}"
        return [Row(at, text_of(data, "call"), "unknown", gist, whole=True)]

    def _granted(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "granted", f"only the tools {as_json(data.get('tools'))}", whole=True)]

    def _retried(self, at: float, data: Fields) -> list[Row]:
        gist = (
            f"{text_of(data, 'tool')}, try {whole_of(data, 'attempt')}, again in {duration(number_of(data, 'wait'))}: "
            f"{text_of(data, 'reason')}"
        )
        return [Row(at, text_of(data, "call"), "failed", gist, whole=True)]

    def _queued(self, at: float, data: Fields) -> list[Row]:
        gist = f"{text_of(data, 'tool')} has a long line, again in {duration(number_of(data, 'wait'))}"
        return [Row(at, text_of(data, "call"), "queued", gist, whole=True)]

    def _replaced(self, at: float, data: Fields) -> list[Row]:
        gist = f"{text_of(data, 'by')} stands in for {text_of(data, 'tool')}: {text_of(data, 'reason')}"
        return [Row(at, text_of(data, "call"), "fallback", gist, whole=True)]

    def _checked(self, at: float, data: Fields) -> list[Row]:
        return [
            Row(at, text_of(data, "call"), "checked", f"{text_of(data, 'tool')}: {text_of(data, 'found')}", whole=True)
        ]

    def _unwinding(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "unwinding", f"{as_json(data.get('calls'))}, by {text_of(data, 'by')}", whole=True)]

    def _unwound(self, at: float, data: Fields) -> list[Row]:
        return [Row(at, "", "unwound", as_json(data.get("calls")), whole=True)]

    def _stuck(self, at: float, data: Fields) -> list[Row]:
        why = text_of(data, "reason") or f"left by {text_of(data, 'by')}"
        gist = f"{why}; still to be taken back: {as_json(data.get('left'))}"
        return [Row(at, text_of(data, "call"), "stopped", gist, whole=True)]

    def _settled(self, at: float, data: Fields) -> list[Row]:
        said = {"happened": "it happened", "not": "it did not happen", "give_up": "give up"}
        outcome = text_of(data, "outcome")
        gist = f"{said.get(outcome, outcome)}, says {text_of(data, 'by')}"
        return [Row(at, text_of(data, "call"), "settled", gist, whole=True)]

    def _word_refused(self, at: float, data: Fields) -> list[Row]:
        gist = f"the decision of {text_of(data, 'by')}: {text_of(data, 'reason')}"
        return [Row(at, text_of(data, "call"), "refused", gist, whole=True)]

    def _failed(self, at: float, data: Fields) -> list[Row]:
        gist = (
            f"{part_of(data)} on {name_of(data, 'type')}, try {whole_of(data, 'attempts')}, restarted: "
            f"{text_of(data, 'reason')}"
        )
        return [Row(at, "", "failed", gist, whole=True)]

    def _parked(self, at: float, data: Fields) -> list[Row]:
        return [
            Row(at, "", "parked", f"{name_of(data, 'type')} to {part_of(data)}: {text_of(data, 'reason')}", whole=True)
        ]

    def _ended(self, at: float, data: Fields) -> list[Row]:
        self.ended = True
        used = (
            f"{counted(whole_of(data, 'steps'), 'step')}, "
            f"{whole_of(data, 'input_tokens')} + {whole_of(data, 'output_tokens')} tokens, "
            f"{money(number_of(data, 'cost_usd'))}, {took_of(data)}"
        )
        return [Row(at, "", text_of(data, "status"), used, below=text_of(data, "outcome"))]

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
        is_crowded = bool(tail) and room - columns(tail) < LEAST  # then the tail has a line for itself
        pieces = list(chunks(gist, room)) if row.whole else [short(gist, room - (0 if is_crowded else columns(tail)))]
        if is_crowded:
            pieces, tail = [*pieces, tail.lstrip()], ""
        lines.append(f"{begin}{pieces[0]}{tail}".rstrip())
        lines += [f"{'':{len(begin)}}{piece}".rstrip() for piece in pieces[1:]]
        return lines + (block(row.below.splitlines(), self._width) if row.below else [])


def _opened(at: float, data: Fields) -> list[Row]:
    how = "in order" if data.get("clean") else "uncleanly: killed, or crashed"
    return [Row(at, "", "reopened", f"by a new process; the one before ended {how}", whole=True)]


_ENDS = {"returned": "result", "settled": "result", "failed": "error", "denied": "error"}

_KINDS: dict[str, Callable[[Timeline, float, Fields], list[Row]]] = {
    FORKED: Timeline._forked,
    "effect.interrupted": Timeline._cut,
    "run.started": Timeline._started,
    "run.continued": Timeline._continued,
    "run.migrated": Timeline._migrated,
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
    "limit.refused": Timeline._not_raised,
    "run.degraded": Timeline._degraded,
    "run.paused": Timeline._paused,
    "run.resumed": Timeline._resumed,
    "budget.overrun": Timeline._overrun,
    "memory.compacted": Timeline._compacted,
    "memory.summary_failed": Timeline._not_compacted,
    "memory.retrieved": Timeline._retrieved,
    "block.edited": Timeline._edited,
    "child.started": Timeline._sub_run,
    "child.refused": Timeline._no_sub_run,
    "child.ended": Timeline._sub_ended,
    "text.received": Timeline._received,
    "text.read": Timeline._read,
    "text.refused": Timeline._text_refused,
    "run.followed": Timeline._followed,
    "run.ended": Timeline._ended,
}
