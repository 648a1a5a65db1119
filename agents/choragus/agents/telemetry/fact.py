"""What is told of a run, before it takes the form of any SDK: spans, events, links and measured values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from .identity import SpanRef

Fields: TypeAlias = Mapping[str, object]
"""The body of an entry."""

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = dict[str, Value]

MOST_EVENTS = 128
"""Events that a span keeps, as OpenTelemetry's own do by default; the last ones are dropped and counted."""


@attrs.frozen(kw_only=True)
class Happened:
    """An event on a span; `at` is seconds since the epoch."""

    name: str
    at: float
    attributes: Attributes


@attrs.frozen(kw_only=True)
class Link:
    """A link to another span."""

    to: SpanRef
    attributes: Attributes


@attrs.frozen(kw_only=True)
class SpanFact:
    """A span that has ended; times are seconds since the epoch, `error` is its low-cardinality type or empty."""

    at: SpanRef
    parent: SpanRef | None
    name: str
    attributes: Attributes
    started: float
    ended: float
    error: str = ""
    is_client: bool = False
    events: tuple[Happened, ...] = ()
    dropped_events: int = 0
    links: tuple[Link, ...] = ()

    @property
    def told(self) -> str:
        """Which one it is, for people."""
        return f"span {self.name!r} ({self.at.trace:032x}/{self.at.span:016x})"


@attrs.frozen
class Point:
    """A value for a metric."""

    metric: str
    value: float
    attributes: Attributes

    @property
    def told(self) -> str:
        """Which one it is, for people."""
        return f"a value of {self.metric}"


@attrs.define
class Facts:
    """What entries have come to, in their order."""

    spans: list[SpanFact] = attrs.field(factory=list)
    points: list[Point] = attrs.field(factory=list)


def text(fields: Fields, name: str, default: str = "") -> str:
    """A field as text."""
    value = fields.get(name, default)
    return value if isinstance(value, str) else default


def number(fields: Fields, name: str) -> float:
    """A field as a number; 0 where there is none."""
    value = fields.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def whole(fields: Fields, name: str) -> int:
    """A field as a whole number."""
    return int(number(fields, name))


def mapping(fields: Fields, name: str) -> Fields:
    """A field as an object; empty where there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}
