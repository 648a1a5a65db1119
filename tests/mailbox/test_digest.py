"""Digests and chains: their bytes are on disk, so they never change, and no two records share them."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choragus.mailbox.digest import GENESIS, Field, chain, chain_batch, digest
from choragus.mailbox.turn import Entry

ENTRY = Entry("run/1", "turn.done", 1.5, b'{"a": 1}')

FIELDS = st.lists(
    st.none()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
)


def test_the_digest_of_known_fields_stays_what_it_is() -> None:
    found = digest(1, "läuft", b"\x00\xff", None, -1.5, 2**40, "")

    assert found.hex() == "84c0d34655414a998eb9beac5da3e318"


def test_the_chain_of_a_known_entry_stays_what_it_is() -> None:
    first = chain(GENESIS, 1, ENTRY)

    assert first.hex() == "71c8f273832de65b0ded8689a103a3b1e70a51213e1140ddf01232a17549b082"
    assert chain(first, 2, ENTRY).hex() == "6f697c224c30228779235947eee0b54e91cdad279b8f350269308a4f06dca0bd"


def test_the_chain_of_a_known_batch_stays_what_it_is() -> None:
    assert (
        chain_batch(GENESIS, 1, 2.5, [("run/1", 2, b"h" * 32), ("a", 1, b"g" * 32)]).hex()
        == "7061528a6be6673f6cf3d4191652a774bf7302aee5c8f53258c2ecdcbd6d3b8d"
    )


@given(FIELDS, FIELDS)
def test_different_fields_have_different_digests(one: list[Field], other: list[Field]) -> None:
    same = [(type(field), repr(field)) for field in one] == [(type(field), repr(field)) for field in other]

    assert (digest(*one) == digest(*other)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1,), (1.0,)),
        (("1",), (1,)),
        (("a",), (b"a",)),
        (("",), (None,)),
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("a",)),
        ((0.0,), (-0.0,)),
    ],
    ids=["int-float", "text-int", "text-bytes", "empty-none", "border", "length", "zeros"],
)
def test_type_border_and_number_of_fields_count(one: tuple[Field, ...], other: tuple[Field, ...]) -> None:
    assert digest(*one) != digest(*other)


def test_half_a_surrogate_pair_has_a_digest() -> None:
    """It cannot be stored, but damaged text may read as one."""
    assert digest("a\udcff") != digest("a\udcfe")


def test_a_subclass_is_digested_as_what_sqlite_gives_back() -> None:
    class Key(str):
        __slots__ = ()

    assert digest(Key("a"), 1, None) == digest("a", 1, None)
    assert chain(GENESIS, 1, attrs.evolve(ENTRY, stream=Key("run/1"))) == chain(GENESIS, 1, ENTRY)


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^object has no place in a digest: use str, int, float, bytes or None$"):
        digest(object())  # type: ignore[arg-type]  # what the type checker refuses


@pytest.mark.parametrize(
    "changed",
    [
        attrs.evolve(ENTRY, stream="run/2"),
        attrs.evolve(ENTRY, kind="turn.failed"),
        attrs.evolve(ENTRY, at=1.25),
        attrs.evolve(ENTRY, body=b'{"a": 2}'),
    ],
    ids=["stream", "kind", "at", "body"],
)
def test_every_field_of_an_entry_counts(changed: Entry) -> None:
    assert chain(GENESIS, 1, changed) != chain(GENESIS, 1, ENTRY)


def test_the_place_of_an_entry_counts() -> None:
    assert len({chain(GENESIS, 1, ENTRY), chain(GENESIS, 2, ENTRY), chain(bytes(31) + b"\x01", 1, ENTRY)}) == 3


def test_the_order_of_heads_does_not_count() -> None:
    heads = [("a", 1, b"x"), ("b", 2, b"y")]

    assert chain_batch(GENESIS, 1, 0.0, heads) == chain_batch(GENESIS, 1, 0.0, reversed(heads))
