"""What stands in a row or an entry, whatever its writer made of it: never an error, for the page has to come up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Fields: TypeAlias = Mapping[str, object]

MOST = 1e15
"""A number beyond it is none that anything here has counted, timed or paid; nor is an infinite one."""


def text(fields: Fields, name: str) -> str:
    """A field as text; empty when it is missing."""
    value = fields.get(name)
    return "" if value is None else str(value)


def number(fields: Fields, name: str) -> float:
    """A field as a number; 0 when it is none."""
    value = fields.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST
    return float(str(value)) if known else 0.0


def whole(fields: Fields, name: str) -> int:
    """A field as a whole number; 0 when it is none."""
    return int(number(fields, name))


def texts(fields: Fields, name: str) -> list[str]:
    """A field's list as texts; empty when it is none."""
    value = fields.get(name)
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def within(fields: Fields, name: str) -> Fields:
    """A field that has fields itself; none when it has not."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def each(fields: Fields, name: str) -> list[Fields]:
    """A field's list of what has fields."""
    value = fields.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list | tuple) else []
