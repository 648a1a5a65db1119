"""The short way from bytes to an object gives what the long way gives, and is only taken where it does."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import attrs
import pytest

from choragus.mailbox import codec
from choragus.mailbox.codec import Record, decode_as, encode, stored
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.swift import STABLE, decoder_of


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Inner:
    number: int = 0
    share: float | None = None


def _positive(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name}={value} is below 0")


@stored("swift.outer")
@attrs.frozen(kw_only=True)
class Outer:
    name: str
    colour: Colour = Colour.RED
    word: Literal["a", "b"] = "a"
    inner: tuple[Inner, ...] = ()
    more: dict[str, object] = attrs.field(factory=dict)
    only: Inner | None = None
    raw: bytes = b""
    count: int = attrs.field(default=0, validator=_positive)
    seven: int = attrs.field(default=7, converter=int, metadata={STABLE: True})


def _long(cls: type, record: Record) -> object:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codec, "decoder_of", lambda _: None)
        return decode_as(cls, record)


FULL = Outer(
    name="é\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    word="b",
    inner=(Inner(3, 1.0), Inner()),
    more={"x": [1, 2.5, {"y": None}], "z": True},
    only=Inner(-1),
    raw=b"\x00\xff",
    count=2**70,
)


@pytest.mark.parametrize("value", [FULL, Outer(name="")], ids=["full", "bare"])
def test_both_ways_give_the_same(value: Outer) -> None:
    record = encode(value)
    assert decoder_of(Outer) is not None

    quick, slow = decode_as(Outer, record), _long(Outer, record)

    assert quick == slow == value
    assert repr(quick) == repr(slow)
    assert hash(quick.inner) == hash(value.inner)


ODD = [
    b'{"name":"x","count":"5","unknown":1}',
    b'{"name":"x","count":3.0}',
    b'{"name":5}',
    b'{"name":"x","only":{"share":2}}',
    b'{"name":"x","inner":[{"number":true}]}',
]


@pytest.mark.parametrize("body", ODD)
def test_what_does_not_quite_fit_is_read_as_ever(body: bytes) -> None:
    record = Record("swift.outer", 1, body)

    quick, slow = decode_as(Outer, record), _long(Outer, record)

    assert repr(quick) == repr(slow)


BROKEN = [b"", b"{", b'{"word":"a"}', b'{"name":"x","colour":"blue"}', b'{"name":"x","word":"c"}', b"[]"]


@pytest.mark.parametrize("body", [*BROKEN, b'{"name":"x","count":-1}', b'{"name":"\xff"}'])
def test_what_is_broken_is_refused_in_the_same_words(body: bytes) -> None:
    record = Record("swift.outer", 1, body)
    with pytest.raises(CorruptRecord) as slow:
        _long(Outer, record)

    with pytest.raises(CorruptRecord) as quick:
        decode_as(Outer, record)

    assert str(quick.value) == str(slow.value)


@stored("swift.changed", version=2, upcasters={1: lambda fields: {"name": fields["title"]}})
@attrs.frozen
class Changed:
    name: str = ""


def test_an_older_version_is_brought_up_to_date() -> None:
    assert decoder_of(Changed) is not None

    assert decode_as(Changed, Record("swift.changed", 1, b'{"title":"old"}')) == Changed("old")


@attrs.frozen
class Converted:
    size: int = attrs.field(converter=abs)


@attrs.frozen
class Private:
    _name: str


@attrs.frozen
class Untold:
    many: list  # type: ignore[type-arg]  # what is not told is the subject


@attrs.frozen
class Either:
    one: int | str


@attrs.define
class Derived:
    half: int = 0
    whole: int = attrs.field(init=False, default=1)


@attrs.define(init=False)
class Own:
    half: int = 0

    def __init__(self, half: int) -> None:
        self.half = 2 * half


@attrs.frozen(cache_hash=True)
class Hashed:
    half: int = 0


@attrs.frozen
class Depending:
    half: int
    whole: int = attrs.Factory(lambda self: 2 * self.half, takes_self=True)


@attrs.frozen
class Holding:
    deep: tuple[Converted, ...] = ()


DOUBTFUL = [Converted, Private, Untold, Either, Derived, Own, Hashed, Depending, Holding, str, object]


@pytest.mark.parametrize("cls", DOUBTFUL)
def test_a_class_that_leaves_a_doubt_takes_the_long_way(cls: type) -> None:
    assert decoder_of(cls) is None
