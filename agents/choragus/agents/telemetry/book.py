"""The book of one run: its logbook read entry by entry, and the spans and values that come of it. Pure.

A run is one trace. Its work between two pauses is a span `invoke_agent`, a *stretch*: the first is the root that all
others stand below, each of the others links to the one before, and each is told when it ends, so a run that waits for a
person for days can be seen meanwhile. What happens outside of calls are events on the stretch in hand.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec

from choragus.mailbox.turn import LogEntry

from . import attribute, meter
from . import convention as names
from .content import Content
from .convention import Convention
from .fact import Attributes, Facts, Fields, Point, SpanFact, mapping, number, text, whole
from .identity import SpanRef, call_part
from .pulse import Pulse
from .trail import Origin, Trail

_PLANNING = frozenset({"propose_plan", "revise_plan"})
_NO_ERRORS = ("completed", "cancelled")


@attrs.define
class Group:
    """Sub-runs that overlap: one workflow."""

    at: SpanRef
    started: float
    open: set[str] = attrs.field(factory=set)


class Book(Trail):
    """What was told of one run, and what the next entry comes to.

    Args:
        origin: where it comes from, once its first entry is known.
        content: takes what is said; None: that is not told.
    """

    def __init__(self, run: str, origin: Origin, convention: Convention, content: Content | None = None) -> None:
        super().__init__(run, origin, convention)
        self.children: dict[str, SpanRef] = {}
        self._content = content
        self._pulse = Pulse()
        self._batch = 0
        self._last = 0.0
        self._inferences = self._tools = self._groups = 0
        self._petitions: dict[str, tuple[float, str]] = {}
        self._arguments: dict[str, object] = {}
        self._group: Group | None = None
        self._planning: tuple[SpanRef, float] | None = None
        self._perceiving = 0.0
        self._ended = False
        self._heard: list[Fields] = []
        self._shown = 0

    def take(self, entry: LogEntry, facts: Facts) -> None:
        """Go on by an entry of the run's logbook; what it comes to is added to the facts."""
        if entry.batch != self._batch:
            self.settle(facts)
            self._batch = entry.batch
        fields: Fields = msgspec.json.decode(entry.body)
        if self._ended and entry.kind == "phase":
            return
        self._pulse.take(entry.kind, fields)
        if self._stretch is None and not self._ended and not self._pulse.is_idle:
            self._begin(entry.at)
        self._last = entry.at
        self._note(entry, fields)
        told = _TELLERS.get(entry.kind)
        if told is not None:
            told(self, entry, fields, facts)

    def hear(self, entry: LogEntry) -> None:
        """Take note of a line of the conversation, for the content of the spans to come."""
        self._heard.append(msgspec.json.decode(entry.body))

    def settle(self, facts: Facts) -> None:
        """All entries of a turn are taken: the stretch ends where nobody works on the run any longer."""
        if self._stretch is not None and self._pulse.is_idle and not self._ended:
            self._close(self._last, facts, {names.RUN_STATUS: "paused" if self._pulse.paused else "waiting"})

    # What kinds of entries come to.

    def _run_started(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        self._agent = text(fields, "agent")
        self._conversation = text(fields, "thread") or self.run
        self._tenant = text(fields, "tenant")
        facts.points.append(Point(names.RUNS_STARTED, 1, {names.AGENT: self._agent}))

    def _run_manifest(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        identity = mapping(fields, "identity")
        self._manifest, self._model = text(fields, "hash"), text(identity, "model")
        self._provider = attribute.provider(identity)

    def _phase(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        if fields.get("phase") == "perceive":
            self._perceiving = entry.at

    def _model_called(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        self._inferences += 1
        part = f"chat {fields['step']}.{fields['attempt']}"
        above, attributes = self._above, attribute.of_a_model_call(fields, self._conversation, self._convention)
        calls = fields.get("calls")
        if isinstance(calls, list) and any(isinstance(one, dict) and one.get("name") in _PLANNING for one in calls):
            above = self._ref(f"plan {fields['step']}.{fields['attempt']}")
            self._planning = above, number(fields, "started")
        if self._content is not None:
            attributes |= self._content.of_a_model_call(self._heard[: self._shown], fields)
        facts.spans.append(
            SpanFact(
                at=self._ref(part),
                parent=above,
                name=f"{names.CHAT} {text(fields, 'model')}",
                attributes=attributes,
                started=number(fields, "started"),
                ended=number(fields, "ended"),
                error=attribute.error_of_a_model_call(fields),
                is_client=True,
            )
        )
        facts.points += meter.of_a_model_call(fields, self._convention)

    def _assembled(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        self._shown = whole(fields, "messages")

    def _arguments_known(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        if self._content is not None:
            self._arguments[text(fields, "call")] = fields.get("arguments")

    def _call_finished(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        call = text(fields, "call")
        arguments = self._arguments.pop(call, None)
        if not fields.get("ran"):
            return
        self._tools += 1
        error = "tool_error" if fields.get("is_error") else ""
        attributes: Attributes = {
            names.OPERATION: names.EXECUTE_TOOL,
            names.TOOL: text(fields, "tool"),
            names.TOOL_TYPE: "function",
            names.TOOL_CALL: call,
            names.CONVERSATION: self._conversation,
            names.CALL_END: text(fields, "end"),
        }
        if self._content is not None:
            attributes |= self._content.of_a_call(arguments, text(fields, "text"))
        self._small(
            call_part(call),
            f"{names.EXECUTE_TOOL} {text(fields, 'tool')}",
            attributes,
            facts,
            started=number(fields, "started"),
            ended=number(fields, "ended"),
            error=error,
        )
        facts.points += meter.of_a_tool_call(fields, error)

    def _asked_people(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        self._petitions[text(fields, "call")] = entry.at, text(fields, "kind")
        facts.points.append(Point(names.APPROVALS_ASKED, 1, {names.APPROVED_TOOL: text(fields, "tool")}))

    def _decided(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        """A span for as long as a person was waited for; to be asked, or denied, is no error."""
        asked, kind = self._petitions.pop(text(fields, "call"), (entry.at, ""))
        attributes: Attributes = {
            names.CONVERSATION: self._conversation,
            names.APPROVED_TOOL: text(fields, "tool"),
            names.APPROVED_CALL: text(fields, "call"),
            names.APPROVED: fields.get("approved") is True,
            **({names.APPROVAL_KIND: kind} if kind else {}),
        }
        part = f"approval {entry.position}"
        self._small(part, names.APPROVAL, attributes, facts, started=asked, ended=entry.at, above=self.root)
        facts.points += meter.of_a_decision(fields, entry.at - asked)

    def _retrieved(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        source, found = text(fields, "by"), fields.get("found")
        attributes: Attributes = {
            names.OPERATION: names.RETRIEVAL,
            names.SOURCE: source,
            names.CONVERSATION: self._conversation,
            names.MEMORY_RECORDS: len(found) if isinstance(found, list) else 0,
        }
        error = names.OTHER if fields.get("error") else ""
        self._of_memory(entry, f"{names.RETRIEVAL} {source}", attributes, facts, error)

    def _memory_updated(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        attributes: Attributes = {
            names.OPERATION: names.UPDATE_MEMORY,
            names.CONVERSATION: self._conversation,
            names.MEMORY_STORE: text(fields, "label") or "context",
        }
        if "tokens_before" in fields:
            attributes[names.TOKENS_BEFORE] = whole(fields, "tokens_before")
            attributes[names.TOKENS_AFTER] = whole(fields, "tokens_after")
        self._of_memory(entry, names.UPDATE_MEMORY, attributes, facts)

    def _of_memory(self, entry: LogEntry, name: str, attributes: Attributes, facts: Facts, error: str = "") -> None:
        """From when the step began to be put together, or the operation of memory before this one ended."""
        started = min(self._perceiving or entry.at, entry.at)
        self._perceiving = entry.at
        self._small(f"memory {entry.position}", name, attributes, facts, started=started, ended=entry.at, error=error)

    def _planned(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        if self._planning is None:
            return
        (at, started), self._planning = self._planning, None
        attributes: Attributes = {
            names.OPERATION: names.PLAN,
            names.AGENT: self._agent,
            names.CONVERSATION: self._conversation,
        }
        error = "refused" if entry.kind == "plan.refused" else ""
        name = f"{names.PLAN} {self._agent}"
        self._small("", name, attributes, facts, started=started, ended=entry.at, error=error, at=at)

    def _child_started(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        if self._group is None:
            self._groups += 1
            self._group = Group(self._ref(f"workflow {self._groups}"), entry.at)
        self._group.open.add(text(fields, "run"))
        self.children[text(fields, "run")] = self._group.at

    def _child_ended(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        if self._group is not None:
            self._group.open.discard(text(fields, "run"))
            if not self._group.open:
                self._end_group(entry.at, facts)

    def _end_group(self, at: float, facts: Facts) -> None:
        if self._group is None:
            return
        group, self._group = self._group, None
        attributes: Attributes = {
            names.OPERATION: names.INVOKE_WORKFLOW,
            names.WORKFLOW: self._agent,
            names.CONVERSATION: self._conversation,
        }
        name = f"{names.INVOKE_WORKFLOW} {self._agent}"
        self._small("", name, attributes, facts, started=group.started, ended=at, at=group.at, above=self.root)
        about: Attributes = {names.OPERATION: names.INVOKE_WORKFLOW, names.WORKFLOW: self._agent}
        facts.points.append(Point(names.WORKFLOW_DURATION, at - group.started, about))

    def _run_ended(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        status, ended = text(fields, "status"), number(fields, "ended")
        self._agent = self._agent or text(fields, "agent")
        error = "" if status in _NO_ERRORS else status
        self._end_group(ended, facts)
        if self._stretch is None and not self._ended:
            self._begin(entry.at)
        self._close(ended, facts, {names.RUN_STATUS: status, **attribute.of_usage(fields)}, error)
        self._ended = True
        self._heard.clear()
        facts.points += meter.of_a_run(
            self._agent, status, error, worked=self._worked, inferences=self._inferences, tools=self._tools
        )

    def _actor_failed(self, entry: LogEntry, fields: Fields, facts: Facts) -> None:
        about: Attributes = {names.ACTOR_TYPE: text(fields, "actor").partition("/")[0]}
        facts.points.append(Point(names.FAILURES, 1, about))


_TELLERS: dict[str, Callable[[Book, LogEntry, Fields, Facts], None]] = {
    "run.started": Book._run_started,
    "run.manifest": Book._run_manifest,
    "phase": Book._phase,
    "memory.assembled": Book._assembled,
    "model.replied": Book._model_called,
    "model.failed": Book._model_called,
    "call.requested": Book._arguments_known,
    "call.rewritten": Book._arguments_known,
    "call.finished": Book._call_finished,
    "approval.requested": Book._asked_people,
    "approval.decided": Book._decided,
    "memory.retrieved": Book._retrieved,
    "memory.compacted": Book._memory_updated,
    "block.edited": Book._memory_updated,
    "plan.proposed": Book._planned,
    "plan.revised": Book._planned,
    "plan.refused": Book._planned,
    "child.started": Book._child_started,
    "child.ended": Book._child_ended,
    "run.ended": Book._run_ended,
    "actor.failed": Book._actor_failed,
}
