"""Whether a value is what the plan says, and the label that it has then. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

from .kind import LONGEST, found, is_inert, normal, occurs, same
from .label import UNTRUSTED, Label, Level, joined
from .path import covers, parse, select
from .plan import Argument, Composed, Constant, OneOf, PlannedCall, Record, Reference, Several, Written


@frozen(kw_only=True)
class Given:
    """The result of a call: its value, what is trusted in it, and the label of the call itself.

    Who decided on a call, or wrote what was asked for, had a part in all that came back: `call` is in each label. Where
    an outsider may write, so had who wrote what the call only carried, the body of a mail for example: `carried`.
    """

    value: object
    tool: str
    trusted: tuple[tuple[str, ...], ...]
    call: Label
    carried: Label

    def label(self, path: tuple[str, ...]) -> Label:
        """The label of what stands at a path."""
        shown = "$" + "".join(path)
        if any(covers(pattern, path) for pattern in self.trusted):
            return Label.of(f"tool {self.tool} {shown}").join(self.call)
        return Label.of(f"{UNTRUSTED} {self.tool}").at(Level.NAMED).join(self.carried)


@frozen(kw_only=True)
class Moment:
    """What a call is matched against: what the planned calls gave so far, and the labels of the plan and the context.

    `known` says whether a text stands in the user's or the developer's own words.
    """

    given: Mapping[str, Sequence[Given]]
    plan: Label
    context: Label
    known: Callable[[str], bool]

    def written(self, value: object) -> Label:
        """The label of what the model wrote itself."""
        if self.context.is_trusted:
            return self.context
        return self.context.at(Level.INERT if is_inert(value, self.known) else Level.ANY)

    def chosen(self, label: Label, choices: int) -> Label:
        """The label of one value out of several: whoever wrote what was read before had a part in the choice."""
        if choices < 2 or self.context.is_trusted:
            return label
        return label.join(self.context.at(Level.CHOSEN))


def match_call(call: PlannedCall, arguments: Mapping[str, object], moment: Moment) -> dict[str, Label] | None:
    """The labels of the arguments of a call that is as planned; None when it is not."""
    if set(arguments) != set(call.arguments):
        return None
    labels: dict[str, Label] = {}
    for name, value in arguments.items():
        label = match(call.arguments[name], value, moment)
        if label is None:
            return None
        labels[name] = label
    return labels


def match(argument: Argument, value: object, moment: Moment) -> Label | None:
    """The label of a value that is as planned; None when it is not."""
    match argument:
        case Constant(fixed):
            return moment.plan if same(fixed, value) else None
        case Written():
            return moment.written(value)
        case OneOf(values):
            return moment.chosen(moment.plan, len(values)) if any(same(each, value) for each in values) else None
        case Several(items):
            return _all(items, value, moment) if isinstance(value, list) and len(value) == len(items) else None
        case Record(fields):
            if not isinstance(value, Mapping) or set(value) != set(fields):
                return None
            return _all([fields[key] for key in value], list(value.values()), moment)
        case Composed():
            return _composed(argument, value, moment)
        case Reference():
            return _referred(argument, value, moment)


def identity(call: PlannedCall, arguments: Mapping[str, object]) -> object:
    """What makes two calls of one planned call the same, for one that may be made once for each."""
    bound = {name: value for name, value in arguments.items() if not isinstance(call.arguments.get(name), Written)}
    return normal(bound)


def _all(items: Sequence[Argument], values: Sequence[object], moment: Moment) -> Label | None:
    labels = [match(item, value, moment) for item, value in zip(items, values, strict=True)]
    known = [label for label in labels if label is not None]
    return joined([moment.plan, *known]) if len(known) == len(labels) else None


def _composed(argument: Composed, value: object, moment: Moment) -> Label | None:
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    pattern = "(.+?)".join(re.escape(str(normal(f"|{piece}|"))[1:-1]) for piece in argument.pieces)
    fits = re.fullmatch(pattern, str(normal(value)))
    return None if fits is None else _all(argument.parts, fits.groups(), moment)


def _referred(reference: Reference, value: object, moment: Moment) -> Label | None:
    candidates = list(_candidates(reference, moment))
    whole = _one_of(candidates, value, moment, reference.kind)
    if whole is not None or not isinstance(value, list) or not value:
        return whole
    labels = [_one_of(candidates, each, moment, reference.kind) for each in value]
    known = [label for label in labels if label is not None]
    if len(known) < len(labels):
        return None
    if {repr(normal(each)) for each in value} == {repr(normal(each)) for each, _ in candidates}:
        return joined(label for _, label in candidates)  # all of them: nothing was chosen
    return joined(known)


def _one_of(candidates: Sequence[tuple[object, Label]], value: object, moment: Moment, kind: str) -> Label | None:
    if kind == "text":
        labels = [label for text, label in candidates if isinstance(value, str) and occurs(value, str(text))]
        choices = 2  # a text has many words
    else:
        labels = [label for each, label in candidates if same(each, value)]
        choices = len({repr(normal(each)) for each, _ in candidates})
    if not labels:
        return None
    return moment.chosen(min(labels, key=lambda label: label.level), choices)


def _candidates(reference: Reference, moment: Moment) -> Iterator[tuple[object, Label]]:
    """The values that a reference may stand for, each with its label."""
    last = max((n for n, step in enumerate(reference.path, 1) if step == "[*]"), default=0)
    outer, inner = reference.path[:last], reference.path[last:]
    elements = [
        (element, given)
        for given in moment.given.get(reference.of, ())
        for element in select(given.value, outer)
        if _is_as(element, reference.where)
    ]
    if reference.most or reference.least:
        elements = _extreme(elements, reference.most or reference.least, bool(reference.most))
    by = [*reference.where, *filter(None, (reference.most, reference.least))]
    for element, given in elements:
        label = joined([given.label(reference.path), *(given.label((*outer, f".{key}")) for key in by)])
        for value in select(element, inner):
            yield from ((each, label) for each in _taken(reference, value))


def _taken(reference: Reference, value: object) -> Iterator[object]:
    if reference.kind and reference.kind != "text":
        yield from found(reference.kind, value) if isinstance(value, str) else ()
    elif (reference.times, reference.plus) == (1.0, 0.0):
        yield value
    elif isinstance(value, int | float):
        yield round(value * reference.times + reference.plus, 9)


def _is_as(element: object, where: Mapping[str, object]) -> bool:
    if not where:
        return True
    return isinstance(element, Mapping) and all(key in element and same(element[key], where[key]) for key in where)


def _extreme(elements: list[tuple[object, Given]], key: str, most: bool) -> list[tuple[object, Given]]:
    """The element with the most, or least, in a field; none when there are several that differ."""
    ranked = [(each[key], (each, given)) for each, given in elements if _has_number(each, key)]  # type: ignore[index]  # a Mapping
    if not ranked:
        return []
    wanted = (max if most else min)(number for number, _ in ranked)
    best = [element for number, element in ranked if number == wanted]
    return best if len({repr(normal(each)) for each, _ in best}) == 1 else []  # the same was perhaps read twice


def _has_number(element: object, key: str) -> bool:
    return isinstance(element, Mapping) and isinstance(element.get(key), int | float)


def trusted_paths(labels: Sequence[str], tool: str) -> tuple[tuple[str, ...], ...]:
    """The trusted places of a result, from its stored labels."""
    prefix = f"tool {tool} "
    return tuple(parse(label.removeprefix(prefix)) for label in labels if label.startswith(prefix))
