"""What a class holds, by its annotations, so that what must be looked for in its values is looked for nowhere else.

A look is a function from a value to whether something was found in it; None where nothing can be found. Made once per
class, it visits only the fields that may hold what is looked for.
"""

from __future__ import annotations

import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Literal, TypeAlias, Union
from uuid import UUID

import attrs

Look: TypeAlias = Callable[[object], bool]

_ATOMS = frozenset({str, int, bool, float, type(None)})
_NO_FLOATS = _ATOMS - {float}
_LEAVES = (str, int, bytes, Enum, datetime, date, time, timedelta, Decimal, UUID, type(None))
LARGEST = sys.float_info.max
_SEVERAL = (list, tuple, set, frozenset)


class Looks:
    """One kind of thing that is looked for.

    Args:
        in_any: the look at what is annotated as anything, or in a way that says nothing.
        in_float: the look at floats.
        in_private: whether a class with a private field holds one.
    """

    def __init__(self, in_any: Look, in_float: Look | None, *, in_private: bool) -> None:
        self._in_any = in_any
        self._in_float = in_float
        self._in_private = in_private
        self._made: dict[type, Look | None] = {}

    def at(self, value: object) -> bool:
        """Whether there is one in the value."""
        cls = type(value)
        try:
            look = self._made[cls]
        except KeyError:
            look = self._of_class(cls)
        return look is not None and look(value)

    def _of_class(self, cls: type) -> Look | None:
        if not attrs.has(cls):
            self._made[cls] = self._of(cls if cls in _ATOMS else object)
            return self._made[cls]
        self._made[cls] = self._in_any  # a class that holds itself
        self._made[cls] = self._of_fields(cls)
        return self._made[cls]

    def _of_fields(self, cls: type) -> Look | None:
        fields = attrs.fields(cls)
        if self._in_private and any(field.name.startswith("_") for field in fields):
            return lambda _: True
        try:
            hints = typing.get_type_hints(cls)
        except (NameError, TypeError):
            hints = {}
        looks = [(field.name, self._of(hints.get(field.name, object))) for field in fields]
        return _all([(attrgetter(name), look) for name, look in looks if look is not None])

    def _of(self, hint: object) -> Look | None:
        if hint is float:
            return self._in_float
        if isinstance(hint, type) and not hasattr(hint, "__origin__"):
            if attrs.has(hint):
                return self._made[hint] if hint in self._made else self._of_class(hint)
            return None if issubclass(hint, _LEAVES) else self._in_any
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is Literal:
            return None
        if origin in (Union, types.UnionType):
            return self._of_union(args)
        if origin in _SEVERAL:
            return self._of_items([arg for arg in args if arg is not ...])
        if origin in (dict, Mapping):
            return _each_value(self._of(args[1]))
        return self._in_any

    def _of_union(self, args: Iterable[object]) -> Look | None:
        looks = [look for arg in args if (look := self._of(arg)) is not None]
        if not looks:
            return None
        if len(looks) == 1 and set(args) == {float, type(None)}:
            only = looks[0]
            return lambda value: value is not None and only(value)
        return self.at

    def _of_items(self, args: Iterable[object]) -> Look | None:
        if all(self._of(arg) is None for arg in args):
            return None
        return _each(self.at)


def _all(parts: list[tuple[Callable[[object], object], Look]]) -> Look | None:
    if not parts:
        return None

    def look(value: object) -> bool:
        for get, found in parts:  # noqa: SIM110  # twice as fast as any(): this runs several times in each turn
            if found(get(value)):
                return True
        return False

    return look


def _each(look: Look) -> Look:
    return lambda value: bool(value) and any(map(look, value))  # type: ignore[call-overload]  # a list, by its annotation


def not_finite(value: object) -> bool:
    """Whether a float is NaN or infinite; whatever else is where a float should be."""
    return not -LARGEST <= value <= LARGEST if type(value) is float else infinite(value)


def _each_value(look: Look | None) -> Look | None:
    return None if look is None else lambda value: any(map(look, value.values()))  # type: ignore[attr-defined]  # a mapping


def foreign(value: object) -> bool:
    """Whether anything in it is not plain JSON: another type than a dictionary, list, text, number, bool or None."""
    kind = type(value)
    if kind in _ATOMS:
        return False
    if kind is dict:
        value = value.values()  # type: ignore[attr-defined]  # a dict
    elif kind not in (list, tuple):
        return True
    if _ATOMS.issuperset(map(type, value)):  # type: ignore[call-overload]  # of some kind that holds several
        return False  # most: and so nothing is called for each
    return any(map(foreign, value))  # type: ignore[call-overload]  # as above


def infinite(value: object) -> bool:
    """Whether a float in it is NaN or infinite."""
    kind = type(value)  # the frequent kinds first
    if kind is str or kind is int or value is None or kind is bool:
        return False
    if kind is float or isinstance(value, float):
        return not math.isfinite(value)  # type: ignore[arg-type]  # a float
    if kind is dict or isinstance(value, Mapping):
        values = value.values()  # type: ignore[attr-defined]  # a mapping
        return not _NO_FLOATS.issuperset(map(type, values)) and any(map(infinite, values))
    if attrs.has(kind):
        return any(infinite(getattr(value, field.name)) for field in attrs.fields(kind))
    return isinstance(value, _SEVERAL) and any(map(infinite, value))
