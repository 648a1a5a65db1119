"""Stored values: stable names and bytes, old versions that still load, and mistakes refused where they are made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

import attrs
import pytest

from choragus.mailbox.codec import (
    PLAIN,
    Fields,
    Record,
    Upcaster,
    decode,
    decode_as,
    encode,
    is_stored,
    stored,
    tag_of,
)
from choragus.mailbox.errors import ChoragusError, CorruptRecord, NotStorable, StoredFault, UnknownRecord


class Currency(Enum):
    EURO = "eur"


@stored("test_codec.line")
@attrs.frozen
class Line:
    text: str
    amount: Decimal


@stored("test_codec.invoice")
@attrs.frozen
class Invoice:
    number: int
    currency: Currency
    due: date
    lines: tuple[Line, ...]
    notes: dict[str, object] = attrs.field(factory=dict)
    scan: bytes = b""
    paid: datetime | None = None
    rate: float = 1.0


INVOICE = Invoice(
    number=7,
    currency=Currency.EURO,
    due=date(2026, 11, 30),
    lines=(Line("tea ☕", Decimal("4.20")),),
    notes={"who": ["a", None, True]},
    scan=b"\x00\xff",
    paid=datetime(2026, 11, 1, 12, 30, tzinfo=UTC),
)

GOLDEN = (
    '{"currency":"eur","due":"2026-11-30","lines":[{"amount":"4.20","text":"tea ☕"}],'
    '"notes":{"who":["a",null,true]},"number":7,"paid":"2026-11-01T12:30:00Z","rate":1.0,"scan":"AP8="}'
).encode()

OLDER = (
    '{"number":7,"currency":"eur","due":"2026-11-30","lines":[{"text":"tea ☕","amount":"4.20"}],'
    '"notes":{"who":["a",null,true]},"scan":"AP8=","paid":"2026-11-01T12:30:00Z","rate":1.0}'
).encode()
"""The same as an earlier version wrote it, its fields in another order."""


def split_name(fields: Fields) -> Fields:
    first, _, last = str(fields.pop("name")).partition(" ")
    return {**fields, "first": first, "last": last}


def add_country(fields: Fields) -> Fields:
    return {**fields, "country": "NO"}


@stored("test_codec.person", version=3, upcasters={1: split_name, 2: add_country})
@attrs.frozen
class Person:
    first: str
    last: str
    country: str


@attrs.frozen
class Stranger:
    """Nobody registered it."""


def test_the_bytes_of_a_value_stay_what_they_are() -> None:
    assert encode(INVOICE) == Record("test_codec.invoice", 1, GOLDEN)


def test_stored_bytes_come_back_as_the_value() -> None:
    assert decode(Record("test_codec.invoice", 1, GOLDEN)) == INVOICE
    assert decode(Record("test_codec.invoice", 1, OLDER)) == INVOICE


def test_a_field_that_is_not_stored_takes_its_default_and_an_unknown_one_is_ignored() -> None:
    body = b'{"number":7,"currency":"eur","due":"2026-11-30","lines":[],"later":1}'

    assert decode(Record("test_codec.invoice", 1, body)) == Invoice(7, Currency.EURO, date(2026, 11, 30), ())


@pytest.mark.parametrize(
    ("version", "body"),
    [
        (1, b'{"name":"Ada Lovelace"}'),
        (2, b'{"first":"Ada","last":"Lovelace"}'),
        (3, b'{"first":"Ada","last":"Lovelace","country":"NO"}'),
    ],
)
def test_every_version_ever_stored_still_loads(version: int, body: bytes) -> None:
    assert decode(Record("test_codec.person", version, body)) == Person("Ada", "Lovelace", "NO")


def test_a_value_is_stored_at_todays_version() -> None:
    assert encode(Person("a", "b", "c")).version == 3


def test_a_newer_version_is_not_guessed() -> None:
    text = r"^'test_codec\.person' is stored at version 4, this program knows 3: upgrade it$"

    with pytest.raises(UnknownRecord, match=text):
        decode(Record("test_codec.person", 4, b"{}"))


def test_s20_an_unknown_name_says_what_to_import() -> None:
    with pytest.raises(UnknownRecord, match=r"^no class is stored as 'test_codec\.gone': import the module that"):
        decode(Record("test_codec.gone", 1, b"{}"))


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, "text", [1, [2]], {"a": {"b": None}}],
    ids=["none", "bool", "int", "float", "text", "list", "dict"],
)
def test_a_plain_value_is_stored_as_json(value: object) -> None:
    record = encode(value)

    assert (record.tag, record.version) == (PLAIN, 1)
    assert decode(record) == value


def test_a_record_can_be_read_as_the_class_that_is_expected() -> None:
    assert decode_as(Person, encode(Person("a", "b", "c"))) == Person("a", "b", "c")
    assert decode_as(list[int], Record(PLAIN, 1, b"[1,2]")) == [1, 2]


def test_who_is_stored_and_under_which_name() -> None:
    assert [is_stored(cls) for cls in (Line, Stranger)] == [True, False]
    assert tag_of(Line) == "test_codec.line"


@pytest.mark.parametrize("refused", [lambda: encode(Stranger()), lambda: tag_of(Stranger)], ids=["encode", "tag_of"])
def test_a_class_that_nobody_registered_is_refused(refused: Callable[[], object]) -> None:
    with pytest.raises(NotStorable, match=r"^Stranger is not registered for storage: put @stored"):
        refused()


@pytest.mark.parametrize("value", [object(), {"a": print}, [1j]], ids=["object", "function", "complex"])
def test_a_value_that_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(NotStorable, match=r"^\w+ cannot be stored: .*; use numbers, text, bytes, lists"):
        encode(value)


@pytest.mark.parametrize(
    "body",
    [b"", b'{"first":"Ada"', b"\xff", b"[]", b"null", b"{}", b'{"first":"A","last":"B"}'],
    ids=["empty", "cut", "no-text", "list", "null", "no-fields", "field-missing"],
)
def test_bytes_that_do_not_decode_are_corrupt(body: bytes) -> None:
    with pytest.raises(CorruptRecord, match=r"^the stored 'test_codec\.person' version 3 does not decode: "):
        decode(Record("test_codec.person", 3, body))


def test_an_old_version_that_its_upcaster_cannot_read_is_corrupt() -> None:
    with pytest.raises(CorruptRecord, match=r"^the stored 'test_codec\.person' version 1 does not decode: KeyError"):
        decode(Record("test_codec.person", 1, b"{}"))


@pytest.mark.parametrize("name", ["", "Person", "a b", "a.", ".a", "a/b", "1a", PLAIN])
def test_a_badly_formed_name_is_refused(name: str) -> None:
    with pytest.raises(StoredFault, match=r"^'.*' is no name to store Stranger under: use lower-case words with dots$"):
        stored(name)(Stranger)


def test_a_name_belongs_to_one_class() -> None:
    with pytest.raises(StoredFault, match=r"^'test_codec\.line' is already the name of .*\.Line: choose another$"):
        stored("test_codec.line")(Stranger)


def test_a_class_that_is_defined_again_keeps_its_name() -> None:
    """As a module does that is loaded anew."""

    def define() -> type:
        @stored("test_codec.again")
        @attrs.frozen
        class Again:
            pass

        return Again

    define()
    latest = define()

    assert type(decode(Record("test_codec.again", 1, b"{}"))) is latest


def test_only_attrs_classes_have_names() -> None:
    class Plain:
        pass

    with pytest.raises(StoredFault, match=r"^Plain is no attrs class: put @stored above @attrs\.frozen or"):
        stored("test_codec.plain")(Plain)


@pytest.mark.parametrize(
    ("version", "upcasters"),
    [(0, {}), (2, {}), (3, {2: add_country}), (1, {1: add_country}), (2, {1: add_country, 2: add_country})],
    ids=["zero", "none", "gap", "too-many", "for-itself"],
)
def test_each_older_version_needs_its_upcaster(version: int, upcasters: dict[int, Upcaster]) -> None:
    text = rf"^'test_codec\.late' version {version} needs an upcaster for each older version: "

    with pytest.raises(StoredFault, match=text):
        stored("test_codec.late", version=version, upcasters=upcasters)(Stranger)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(StoredFault, TypeError), (NotStorable, TypeError), (UnknownRecord, LookupError), (CorruptRecord, ValueError)],
)
def test_errors_are_ours_and_the_builtin_ones(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, ChoragusError)
    assert issubclass(error, builtin)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_a_number_that_json_cannot_carry_is_refused(number: float) -> None:
    """It would be kept as null, and the state that holds it could never be loaded again."""
    with pytest.raises(NotStorable, match=r"^Invoice cannot be stored: JSON has no NaN and no infinity"):
        encode(attrs.evolve(INVOICE, rate=number))
    with pytest.raises(NotStorable, match=r"^dict cannot be stored: JSON has no NaN"):
        encode({"a": [number]})
    with pytest.raises(NotStorable, match=r"^set cannot be stored: JSON has no NaN"):
        encode({number})
