"""What is looked for is found wherever it may be, and the short way of encoding gives what the long one gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Generic, Literal, TypeVar
from uuid import UUID

import attrs
import msgspec
import pytest

from choragus.mailbox.codec import decode, encode, stored
from choragus.mailbox.errors import NotStorable
from choragus.mailbox.shape import Looks, foreign, infinite, not_finite

T = TypeVar("T")
NAN = float("nan")


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Hidden:
    _secret: int = 1
    shown: float = 0.0


@stored("test_shape.tree")
@attrs.frozen
class Tree:
    name: str
    weight: float | None = None
    below: tuple[Tree, ...] = ()
    parent: Tree | None = None


@stored("test_shape.box")
@attrs.frozen(kw_only=True)
class Box:
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    at: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    lasts: timedelta = timedelta(seconds=3)
    daily: time = time(3, 4)
    id: UUID = attrs.field(factory=lambda: UUID(int=7))
    price: Decimal = Decimal("1.20")
    raw: bytes = b"\x00"
    floats: list[float] = attrs.field(factory=list)
    named: Mapping[str, float] = attrs.field(factory=dict)
    anything: object = None
    plain: dict[str, object] = attrs.field(factory=dict)
    hidden: Hidden | None = None
    several: tuple[int, str, float] = (1, "a", 0.5)


@attrs.frozen
class Generically(Generic[T]):
    value: T


LOOKS = {
    "foreign": Looks(foreign, None, in_private=True),
    "infinite": Looks(infinite, not_finite, in_private=False),
}


@pytest.mark.parametrize(
    ("value", "is_foreign"),
    [
        (Box(), False),
        (Box(anything={"a": [1, None, 0.5, True]}, plain={"b": ["c"]}), False),
        (Tree("a", below=(Tree("b"),), parent=Tree("c")), False),
        ({"a": [1, {"b": None}]}, False),
        (Box(anything=Colour.RED), True),
        (Box(plain={"deep": [Colour.RED]}), True),
        (Box(anything=Hidden()), True),
        (Box(hidden=Hidden()), True),
        (Hidden(), True),
        (Generically(Hidden()), True),
        (Generically(1), False),
        ({"a": {1, 2}}, True),
        (Colour.RED, True),
    ],
    ids=repr,
)
def test_what_is_no_plain_json_is_found(value: object, is_foreign: bool) -> None:
    assert LOOKS["foreign"].at(value) is is_foreign


@pytest.mark.parametrize(
    "value",
    [
        NAN,
        [1.0, NAN],
        {"a": {"b": [NAN]}},
        Tree("a", weight=NAN),
        Tree("a", below=(Tree("b", below=(Tree("c", weight=float("inf")),)),)),
        Tree("a", parent=Tree("b", weight=-float("inf"))),
        Box(floats=[0.0, NAN]),
        Box(named={"a": NAN}),
        Box(anything=[{"a": NAN}]),
        Box(plain={"a": (NAN,)}),
        Box(hidden=Hidden(shown=NAN)),
        Box(several=(1, "a", NAN)),
        Generically(NAN),
        {NAN},
    ],
    ids=repr,
)
def test_no_number_is_found_wherever_it_is(value: object) -> None:
    assert LOOKS["infinite"].at(value)


@pytest.mark.parametrize("value", [Box(), Tree("a", weight=1e308), 0.0, 10**400, "nan", None, {"a": [1.5]}], ids=repr)
def test_numbers_pass(value: object) -> None:
    assert not LOOKS["infinite"].at(value)


@pytest.mark.parametrize(
    "value",
    [
        Box(),
        Box(anything={"a": [1, None]}, floats=[1.0], named={"x": 2.0}, hidden=Hidden(7, 0.5)),
        Tree("a", weight=0.25, below=(Tree("b"), Tree("c")), parent=Tree("d")),
    ],
    ids=repr,
)
def test_what_was_encoded_comes_back(value: object) -> None:
    assert decode(encode(value)) == value


def test_a_private_field_is_kept() -> None:
    body = msgspec.json.decode(encode(Box(hidden=Hidden(8))).body)

    assert body["hidden"]["_secret"] == 8


def test_a_nan_deep_inside_is_refused() -> None:
    with pytest.raises(NotStorable, match=r"^Tree cannot be stored: JSON has no NaN"):
        encode(Tree("a", below=(Tree("b", weight=NAN),)))
