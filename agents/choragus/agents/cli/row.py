"""A row of a timeline, and what the fields of an entry say in it. Pure."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .text import duration

Fields = dict[str, object]


class Row(NamedTuple):
    """One thing that happened. `tail` is never cut; a `whole` gist takes as many lines as it needs."""

    at: float
    step: str
    what: str
    gist: str = ""
    tail: str = ""
    whole: bool = False
    below: str = ""
    """Foreign text, in full, under the row."""


class Line(Protocol):
    """An entry of the logbook, whoever has read it."""

    @property
    def seq(self) -> int:
        """Its number in the file, from 1."""

    @property
    def stream(self) -> str:
        """Whose."""

    @property
    def position(self) -> int:
        """Where in it, from 1."""

    @property
    def kind(self) -> str:
        """What it tells."""

    @property
    def at(self) -> float:
        """When, in seconds since the epoch."""

    @property
    def body(self) -> bytes:
        """Its fields, as JSON."""


def by_of(data: Fields, reason: str) -> str:
    """Who, and why if it says so."""
    why = text_of(data, reason)
    return f"by {text_of(data, 'by')}" + (f": {why}" if why else "")


def listed_of(data: Fields, field: str) -> str:
    """The values of a list, in one line."""
    values = data.get(field)
    return ", ".join(str(one) for one in values) if isinstance(values, list) else ""


def part_of(data: Fields) -> str:
    """The part of the run."""
    return name_of(data, "actor").partition("/")[0]


def name_of(data: Fields, field: str) -> str:
    """A registered name without what all have."""
    return text_of(data, field).removeprefix("choragus.")


def took_of(data: Fields) -> str:
    """How long it took."""
    return duration(number_of(data, "ended") - number_of(data, "started"))


def text_of(data: Fields, field: str) -> str:
    """A field as text; nothing when it is missing."""
    return str(data.get(field, ""))


def whole_of(data: Fields, field: str) -> int:
    """A field as a whole number."""
    return int(number_of(data, field))


def number_of(data: Fields, field: str) -> float:
    """A field as a number; 0 when it is none."""
    value = data.get(field)
    return float(value) if isinstance(value, int | float) else 0.0
