"""The plan that a model commits before it reads anything untrusted: which calls it will make, and with what.

A call's arguments are plain JSON in which objects with a `$` stand for what is not known yet:

    {"$from": "mail", "path": "$[*].id", "where": {"sender": "bob@example.org"}}   what a call named `mail` gave
    {"$from": "ledger", "path": "$[*].amount", "times": 0.1, "plus": 5}            the same, reckoned
    {"$from": "page", "path": "$", "kind": "email"}                                an address in that text
    {"$text": "Dinner at {0}", "with": [{"$from": "search", "path": "$[0].name"}]} a text around them
    {"$one_of": ["10:00", "16:00"]}                                                one of these, by what is read
    {"$written": true}                                                             whatever the model writes then
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import frozen

from .kind import KINDS
from .path import parse

MOST = 200
"""Calls in one plan."""

MOST_PARTS = 3
"""References in one text."""

_OF_REFERENCE = {"$from", "path", "where", "most", "least", "kind", "times", "plus"}


class BadPlan(ValueError):
    """Raised when a plan is badly formed; the model is told and can mend it."""


@frozen
class Constant:
    """A value that is fixed by the plan."""

    value: object


@frozen(kw_only=True)
class Reference:
    """A value out of the result of an earlier call of the plan.

    Of the elements that the last `[*]` of the path stands for, those count whose fields are as in `where`, and of these
    the one with the most (or least) in a field. `kind` takes numbers, dates, addresses or words (`text`) out of a text.
    A number is multiplied by `times`, then `plus` is added.
    """

    of: str
    path: tuple[str, ...]
    where: Mapping[str, object]
    most: str = ""
    least: str = ""
    kind: str = ""
    times: float = 1.0
    plus: float = 0.0


@frozen
class Composed:
    """A text around references: `pieces` has one more element than `parts`."""

    pieces: tuple[str, ...]
    parts: tuple[Reference, ...]


@frozen
class OneOf:
    """One of a few values that the plan fixes."""

    values: tuple[object, ...]


@frozen
class Written:
    """What the model writes when it makes the call."""


@frozen
class Several:
    """A list, element by element."""

    items: tuple[Argument, ...]


@frozen
class Record:
    """An object, field by field."""

    fields: Mapping[str, Argument]


Argument: TypeAlias = Constant | Reference | Composed | OneOf | Written | Several | Record


@frozen(kw_only=True)
class PlannedCall:
    """A call that is to be made once; with `each` once for every different set of arguments that fits."""

    name: str
    tool: str
    arguments: Mapping[str, Argument]
    each: bool = False


def parse_plan(calls: Sequence[Mapping[str, object]], known: Sequence[str] = ()) -> tuple[PlannedCall, ...]:
    """The calls of a plan.

    Args:
        known: names of planned calls from before that may be referred to.

    Raises:
        BadPlan: something in it is badly formed, or a reference is to no earlier call of the plan.
    """
    if len(calls) > MOST:
        raise BadPlan(f"the plan has {len(calls)} calls and may have {MOST}: use each=true for calls that repeat")
    names = list(known)
    planned: list[PlannedCall] = []
    for number, call in enumerate(calls, len(names) + 1):
        where = f"call {number} of the plan"
        _check(where, call, {"tool", "name", "arguments", "each"})
        name, arguments = call.get("name", f"call{number}"), call.get("arguments", {})
        if not isinstance(call.get("tool"), str) or not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise BadPlan(f'{where} is {call!r}: write {{"name": ..., "tool": ..., "arguments": {{...}}}}')
        if name in names:
            raise BadPlan(f"{where} is named {name!r} as an earlier one: give it another name")
        fields = {str(key): _argument(f"{where}, {key}", value, names) for key, value in arguments.items()}
        planned.append(PlannedCall(name=name, tool=str(call["tool"]), arguments=fields, each=call.get("each") is True))
        names.append(name)
    return tuple(planned)


def _argument(where: str, value: object, names: Sequence[str]) -> Argument:
    if isinstance(value, list):
        return Several(tuple(_argument(f"{where}[{n}]", each, names) for n, each in enumerate(value)))
    if not isinstance(value, Mapping):
        return Constant(value)
    if "$from" in value:
        return _reference(where, value, names)
    if "$text" in value:
        return _composed(where, value, names)
    if "$one_of" in value:
        _check(where, value, {"$one_of"})
        choices = value["$one_of"]
        if not isinstance(choices, list) or not choices:
            raise BadPlan(f"{where}: $one_of is {choices!r}, give a list of values")
        return OneOf(tuple(choices))
    if "$written" in value:
        _check(where, value, {"$written"})
        return Written()
    return Record({str(key): _argument(f"{where}.{key}", each, names) for key, each in value.items()})


def _reference(where: str, value: Mapping[str, object], names: Sequence[str]) -> Reference:
    _check(where, value, _OF_REFERENCE)
    of, kind, conditions = value["$from"], value.get("kind", ""), value.get("where", {})
    times, plus = value.get("times", 1.0), value.get("plus", 0.0)
    if not isinstance(of, str) or of not in names:
        raise BadPlan(
            f"{where} is from {of!r}: name an earlier call of the plan ({', '.join(names) or 'there is none'})"
        )
    if kind not in ("", "text", *KINDS):
        raise BadPlan(f"{where} is of kind {kind!r}: choose from text, {', '.join(KINDS)}")
    if not isinstance(conditions, Mapping) or not isinstance(times, int | float) or not isinstance(plus, int | float):
        raise BadPlan(f"{where}: `where` is an object, `times` and `plus` are numbers")
    try:
        path = parse(str(value.get("path", "$")))
    except ValueError as error:
        raise BadPlan(f"{where}: {error}") from None
    most, least = str(value.get("most", "")), str(value.get("least", ""))
    return Reference(of=of, path=path, where=conditions, most=most, least=least, kind=str(kind), times=times, plus=plus)


def _composed(where: str, value: Mapping[str, object], names: Sequence[str]) -> Composed:
    _check(where, value, {"$text", "with"})
    text, parts = value["$text"], value.get("with", [])
    if not isinstance(text, str) or not isinstance(parts, list):
        raise BadPlan(f'{where}: write {{"$text": "... {{0}} ...", "with": [{{"$from": ...}}]}}')
    if len(parts) > MOST_PARTS:
        raise BadPlan(f"{where}: {len(parts)} references in one text, and {MOST_PARTS} are allowed")
    pieces: list[str] = []
    for number in range(len(parts)):
        before, mark, text = text.partition(f"{{{number}}}")
        if not mark:
            raise BadPlan(f"{where}: {{{number}}} is missing in $text, or not in order")
        pieces.append(before)
    references = [_argument(f"{where}.with[{n}]", part, names) for n, part in enumerate(parts)]
    wrong = [each for each in references if not isinstance(each, Reference)]
    if wrong:
        raise BadPlan(f"{where}: `with` takes references only, not {wrong[0]!r}")
    return Composed((*pieces, text), tuple(each for each in references if isinstance(each, Reference)))


def _check(where: str, value: Mapping[str, object], allowed: set[str]) -> None:
    unknown = sorted(set(map(str, value)) - allowed)
    if unknown:
        raise BadPlan(f"{where} has {unknown[0]!r}: it takes {', '.join(sorted(allowed))}")
