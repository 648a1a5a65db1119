"""Following one conversation: the label of its context, what was planned, and where a call's arguments come from.

It is read message by message, each once, so that a run costs what it says and not the square of it. Nothing but the
messages with their stored labels counts: after a restart the same comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec
from attrs import define, field, frozen

from choragus.agents.model import ChatMessage, ToolCall

from .declaration import FREE, PLAN, READS, Labels
from .kind import normal, occurs
from .label import DEVELOPER, RUNTIME, UNTRUSTED, USER, Label, Level, is_untrusted, joined
from .match import Given, Moment, identity, match_call, trusted_paths
from .path import select
from .plan import BadPlan, PlannedCall, parse_plan


@frozen
class Origin:
    """Where a value comes from, and what its argument takes without a question."""

    label: Label
    how: str
    takes: Level = Level.TRUSTED

    @property
    def is_fine(self) -> bool:
        """Whether the argument takes it."""
        return self.label.level <= self.takes

    def __str__(self) -> str:
        sources = ", ".join(sorted(self.label.sources))
        return f"{self.how} ({self.label.level.name.lower()}: {sources})"


@frozen(kw_only=True)
class Origins:
    """Where a call comes from: who decided on it, and each argument. `slot` is its name in the plan, or empty."""

    decision: Origin
    arguments: Mapping[str, Origin] = field(factory=dict)
    slot: str = ""
    has_plan: bool = False
    is_open: bool = False

    def told(self) -> dict[str, str]:
        """As a person is shown it: by path, `$` being the call itself."""
        arguments = {f"$.{name}": str(origin) for name, origin in self.arguments.items()}
        return {"$": str(self.decision), **arguments}


@define
class Reading:
    """One conversation as far as it was read; `instructions` is the agent's prompt, `joined` what else was shown."""

    instructions: str = ""
    context: Label = field(factory=lambda: Label.of(DEVELOPER))
    plan: list[PlannedCall] = field(factory=list)
    is_open: bool = False
    read: int = 0
    joined: int = 0
    _planned: Label = field(factory=lambda: Label.of(DEVELOPER))
    _said: list[str] = field(factory=list)
    _asked: dict[str, tuple[ToolCall, Label]] = field(factory=dict)
    _given: dict[str, list[Given]] = field(factory=dict)
    _used: Counter[str] = field(factory=Counter)
    _made: set[object] = field(factory=set)
    _trusted: dict[object, Label] = field(factory=dict)

    def take(self, message: ChatMessage) -> None:
        """Read the next message."""
        self.read += 1
        if message.role == "user":
            label = Label.of(*(message.labels or (USER,)))
            if label.sources == {USER}:
                self._said.append(message.text)
            self.context = self.context.join(label)
        elif message.role == "assistant":
            self._asked |= {call.id: (call, self.context) for call in message.calls}
        else:
            self._result(message)

    def join(self, sources: Collection[str]) -> None:
        """The model has been shown something of these sources that is no line of the conversation."""
        self.joined += 1
        self.context = self.context.join(Label.of(*sources))

    def origins(
        self, tool: str, arguments: Mapping[str, object], labels: Labels, taken: Collection[str] = ()
    ) -> Origins:
        """Where a call that the model asks for now comes from.

        Args:
            labels: what the tool declares.
            taken: names in the plan that calls of the same reply have taken already.
        """
        return self._origins(tool, arguments, labels, self.context, taken)

    def _origins(
        self,
        tool: str,
        arguments: Mapping[str, object],
        labels: Labels,
        context: Label,
        taken: Collection[str] = (),
    ) -> Origins:
        moment = Moment(given=self._given, plan=self._planned, context=context, known=self._is_known)
        fit = self._fit(tool, arguments, moment, taken)
        if fit is not None:
            slot, found = fit
            decision = Origin(self._planned, f"planned as {slot}")
            known = {name: Origin(label, f"as planned in {slot}", labels.takes(name)) for name, label in found.items()}
        else:
            slot, decision = "", Origin(context, "decided by the model after what it has read")
            known = {name: self._unplanned(value, moment, labels.takes(name)) for name, value in arguments.items()}
        return Origins(decision=decision, arguments=known, slot=slot, has_plan=bool(self.plan), is_open=self.is_open)

    def _fit(
        self, tool: str, arguments: Mapping[str, object], moment: Moment, taken: Collection[str]
    ) -> tuple[str, dict[str, Label]] | None:
        """The planned call that this one is, with the labels of its arguments; of several the most trusted."""
        fits = [
            (call.name, labels)
            for call in self.plan
            if call.tool == tool
            and self._is_free(call, arguments, taken)
            and (labels := match_call(call, arguments, moment)) is not None
        ]
        return min(fits, key=lambda fit: max((each.level for each in fit[1].values()), default=0), default=None)

    def _unplanned(self, value: object, moment: Moment, takes: Level) -> Origin:
        if moment.context.is_trusted:
            return Origin(moment.context, "written by the model", takes)
        parts = [self._word_for_word(each) for each in (value if isinstance(value, list) else [value])]
        known = [part for part in parts if part is not None]
        if known and len(known) == len(parts):
            return Origin(moment.chosen(joined(known), 2), "found word for word in a trusted place", takes)
        return Origin(moment.written(value), "written by the model", takes)

    def _word_for_word(self, value: object) -> Label | None:
        """The label of a trusted place that says just this. Only to prove trust: not to be found proves nothing."""
        if isinstance(value, str) and self._is_known(value):
            return Label.of(USER)
        return None if isinstance(value, list | dict) else self._trusted.get(normal(value))

    def _is_known(self, text: str) -> bool:
        return any(occurs(text, said) for said in (*self._said, self.instructions))

    def _is_free(self, call: PlannedCall, arguments: Mapping[str, object], taken: Collection[str]) -> bool:
        if call.each:
            return (call.name, identity(call, arguments)) not in self._made
        return not self._used[call.name] and call.name not in taken

    def _result(self, message: ChatMessage) -> None:
        call, context = self._asked.pop(message.call_id, (ToolCall(message.call_id, message.name, {}), self.context))
        if message.labels == (PLAN,):
            self._commit(call, context, message.is_error)
            return
        if message.labels == (RUNTIME,):
            return  # it never ran
        origins = self._origins(call.name, call.arguments, Labels(), context)
        given = _given(message, origins)
        if origins.slot:
            if READS not in message.labels:
                self._use(origins.slot, call.arguments)
            self._given.setdefault(origins.slot, []).append(given)
        self._remember(given)
        self.context = self.context.join(whole(message)).join(given.carried)

    def _commit(self, call: ToolCall, context: Label, is_error: bool) -> None:
        if is_error or not context.is_trusted:
            return  # a plan that untrusted text had a part in is no plan
        calls = call.arguments.get("calls")
        try:
            planned = parse_plan(calls if isinstance(calls, list) else [], [each.name for each in self.plan])
        except BadPlan:
            return
        self.plan += planned
        self.is_open = self.is_open or call.arguments.get("open") is True
        self._planned = self._planned.join(context)

    def _use(self, slot: str, arguments: Mapping[str, object]) -> None:
        call = next(each for each in self.plan if each.name == slot)
        self._used[slot] += 1
        self._made.add((slot, identity(call, arguments)))

    def _remember(self, given: Given) -> None:
        """Index what stands at the trusted places, if nothing untrusted had a part in the call."""
        if not given.call.is_trusted:
            return
        for path in given.trusted:
            label = given.label(path)
            for value in select(given.value, path):
                for leaf in _leaves(value):
                    self._trusted.setdefault(normal(leaf), label)


def _given(message: ChatMessage, origins: Origins) -> Given:
    free = {label.removeprefix(f"{FREE} ") for label in message.labels if label.startswith(f"{FREE} ")}
    labels = {name: origin.label for name, origin in origins.arguments.items()}
    return Given(
        value=_parsed(message.text),
        tool=message.name,
        trusted=() if message.is_error else trusted_paths(message.labels, message.name),
        call=joined([origins.decision.label, *(labels[name] for name in labels if name not in free)]),
        carried=joined([origins.decision.label, *labels.values()]),
    )


def whole(message: ChatMessage) -> Label:
    """The label of a result as a whole."""
    if message.is_error or not message.labels:
        return Label.of(f"{UNTRUSTED} {message.name}")
    return joined(
        Label.of(source) if is_untrusted(source) else Label.of(source.rpartition(" $")[0] or source)
        for source in message.labels
        if source != READS and not source.startswith(f"{FREE} ")
    )


def _parsed(text: str) -> object:
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value


def _leaves(value: object) -> list[object]:
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each)]
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [value]
