"""What a rule of the configuration asks about a value, as words: `{ above = 100 }`, `{ prefix = "inv-" }`."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from .decision import is_among
from .path import PathBoundary
from .pattern import Pattern
from .url import UrlBoundary

Number = int | float | Decimal
Holds = Callable[[object], bool]
MISSING = object()
"""Stands for a value that is not there; none but `missing` holds of it."""


def predicate(word: str, wanted: object) -> Holds:
    """The test of that name.

    It raises TypeError for a value that it says nothing about (`above` of a word): the rule then denies, for what
    cannot be judged must not pass.

    Raises:
        LookupError: when there is no such word.
        TypeError, ValueError: when what is wanted is nothing for it; the text says what to write.
    """
    if word not in _WORDS:
        raise LookupError(word)
    return _WORDS[word](wanted)


def words() -> tuple[str, ...]:
    """The words of predicates, sorted."""
    return tuple(sorted([*_WORDS, "not"]))


def negated(tests: Sequence[Holds]) -> Holds:
    """Holds when not all of these do."""
    return lambda value: not all(test(value) for test in tests)


def _compared(compare: Callable[[Number, Number], bool]) -> Callable[[object], Holds]:
    def make(wanted: object) -> Holds:
        if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not math.isfinite(wanted):
            raise TypeError("a number")
        limit: Number = wanted

        def holds(value: object) -> bool:
            if type(value) is int or (type(value) is float and value - value == 0.0):
                return compare(value, limit)
            return compare(_number(value), limit)

        return holds

    return make


def _number(value: object) -> Number:
    """Also of text: amounts of money are passed as text."""
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise TypeError(f"{value!r} is no number") from None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return value


def _equals(wanted: object) -> Holds:
    if isinstance(wanted, Mapping | list):
        raise TypeError("a text, a number or true or false")
    return lambda value: (type(value) is type(wanted) and value == wanted) or _is_same_number(value, wanted)


def _is_same_number(value: object, wanted: object) -> bool:
    numbers = [one for one in (value, wanted) if isinstance(one, int | float) and not isinstance(one, bool)]
    return len(numbers) == 2 and numbers[0] == numbers[1]


def _one_of(wanted: object) -> Holds:
    if not isinstance(wanted, list) or not wanted:
        raise TypeError("a list of values")
    tests = [_equals(one) for one in wanted]
    return lambda value: any(test(value) for test in tests)


def _texts(wanted: object) -> tuple[str, ...]:
    found = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise TypeError("a text that is not empty, or a list of them")
    return tuple(found)


def _prefix(wanted: object) -> Holds:
    beginnings = _texts(wanted)
    return lambda value: _text(value).startswith(beginnings)


def _suffix(wanted: object) -> Holds:
    endings = _texts(wanted)
    return lambda value: _text(value).endswith(endings)


def _contains(wanted: object) -> Holds:
    within = tuple(one.casefold() for one in _texts(wanted))
    return lambda value: any(one in _text(value).casefold() for one in within)


def _matches(wanted: object) -> Holds:
    if not isinstance(wanted, str):
        raise TypeError("a text: a pattern for the whole value")
    pattern = Pattern(wanted)
    return lambda value: pattern.matches(_text(value))


def _glob(wanted: object) -> Holds:
    globs = _texts(wanted)
    return lambda value: is_among(_text(value), globs)


def _longer_than(wanted: object) -> Holds:
    if type(wanted) is not int or wanted < 0:
        raise TypeError("a whole number, 0 or more")
    return lambda value: _length(value) > wanted


def _path_within(wanted: object) -> Holds:
    if not isinstance(wanted, str):
        raise TypeError("a text: an absolute path")
    boundary = PathBoundary(wanted)
    return lambda value: not boundary.permits(_text(value))


def _url_public(wanted: object) -> Holds:
    if not isinstance(wanted, bool):
        raise TypeError("true or false")
    boundary = UrlBoundary()
    return lambda value: (not boundary.permits(_text(value))) == wanted


def _url_host(wanted: object) -> Holds:
    boundary = UrlBoundary(hosts=_texts(wanted))
    return lambda value: not boundary.permits(_text(value))


def _missing(wanted: object) -> Holds:
    if not isinstance(wanted, bool):
        raise TypeError("true or false")
    return lambda value: (value is MISSING) == wanted


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _length(value: object) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise TypeError(f"{value!r} has no length")
    return len(value)


_WORDS: dict[str, Callable[[object], Holds]] = {
    "above": _compared(operator.gt),
    "at_least": _compared(operator.ge),
    "at_most": _compared(operator.le),
    "below": _compared(operator.lt),
    "contains": _contains,
    "equals": _equals,
    "glob": _glob,
    "longer_than": _longer_than,
    "matches": _matches,
    "missing": _missing,
    "one_of": _one_of,
    "path_within": _path_within,
    "prefix": _prefix,
    "suffix": _suffix,
    "url_host": _url_host,
    "url_public": _url_public,
}
