"""Readers: each makes one thing of a value in a TOML file, or says what is wrong with it, and where. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import attrs
from attrs import Attribute

from choragus.agents.errors import AgentError

from .spot import Spot

T = TypeVar("T")
Reader: TypeAlias = Callable[[Spot, object], object]

NONE = "none"
"""How "no limit", or None, is written in TOML, which has no word for it."""


def text(spot: Spot, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise spot.fault(f"{value!r} is no text: write one in quotes")
    return value


def texts(spot: Spot, value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list):
        raise spot.fault(f"{value!r} is no list of texts: write it in brackets")
    return tuple(text(spot, one) for one in value)


def plain(spot: Spot, value: object) -> object:
    """Whatever it is; who takes it checks it."""
    return value


def table(spot: Spot, value: object) -> Mapping[str, object]:
    """A table."""
    if not isinstance(value, dict):
        head = ".".join(spot.path)
        raise spot.fault(f"{value!r} is no table: write [{head}] as a line of its own, or {{ ... }}")
    return value


def fields(spot: Spot, value: object, readers: Mapping[str, Reader]) -> dict[str, object]:
    """A table of these keys, each read by its reader."""
    found = table(spot, value)
    for name in found:
        if name not in readers:
            raise spot.at(name).fault(f"unknown key; known are {', '.join(readers)}")
    return {name: readers[name](spot.at(name), one) for name, one in found.items()}


def flag(spot: Spot, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise spot.fault(f"{value!r} is neither true nor false: write one of them")
    return value


def items(reader: Callable[[Spot, object], T]) -> Callable[[Spot, object], tuple[T, ...]]:
    """A reader of a list whose values are all read by one reader."""

    def read(spot: Spot, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise spot.fault(f"{value!r} is no list: write it in brackets")
        return tuple(reader(spot.item(index), one) for index, one in enumerate(value))

    return read


def each(reader: Callable[[Spot, object], T]) -> Callable[[Spot, object], dict[str, T]]:
    """A reader of a table whose keys are names, and whose values are all read by one reader."""
    return lambda spot, value: {name: reader(spot.at(name), one) for name, one in table(spot, value).items()}


def built(
    cls: type[T], *, short: str = "", only: tuple[str, ...] = (), **readers: Reader
) -> Callable[[Spot, object], T]:
    """A reader of a table of the fields of an attrs class, which checks them itself.

    Args:
        short: the field that a value stands for which is no table: 3 for `{ times = 3 }`.
        only: the fields that a file may say; all by default.
        readers: for fields that are more than plain values.
    """
    known: dict[str, Attribute[object]] = {one.alias or one.name: one for one in attrs.fields(cls)}  # type: ignore[arg-type]  # an attrs class
    by_name: dict[str, Reader] = {name: readers.get(name, _value(str(one.type))) for name, one in known.items()}
    by_name = {name: reader for name, reader in by_name.items() if not only or name in only}
    required = [name for name, one in known.items() if one.default is attrs.NOTHING]

    def read(spot: Spot, value: object) -> T:
        given = {short: value} if short and not isinstance(value, dict) else value
        options = fields(spot, given, by_name)
        for name in required:
            if name not in options:
                raise spot.fault(f"{name} is missing: write {name} = ...")
        return made(cls, spot, options, spot if given is not value else None)

    return read


def made(cls: type[T], spot: Spot, options: Mapping[str, object], where: Spot | None = None) -> T:
    """The class with these options; what it says against them is told with the place of the one that it names.

    Args:
        where: the place that is told whatever it names.
    """
    try:
        return cls(**options)
    except (AgentError, TypeError, ValueError) as error:
        why = str(error)
        raise (where or named(spot, options, why)).fault(why.replace("None for no", f'"{NONE}" for no')) from None


def unless_false(reader: Callable[[Spot, object], T]) -> Callable[[Spot, object], T | None]:
    """The same, or None for false: it is switched off."""
    return lambda spot, value: None if value is False else reader(spot, value)


def _value(annotation: str) -> Reader:
    may_lack = "None" in annotation
    return lambda spot, value: None if may_lack and value == NONE else value


def named(spot: Spot, options: Mapping[str, object], error: str) -> Spot:
    """The place of the field that an error names first; of the table when it names none."""
    found = ((error.find(f"{name}="), name) for name in options)
    at = min(((where, name) for where, name in found if where >= 0), default=None)
    return spot if at is None else spot.at(at[1])
