"""Stable names for stored classes, and the way from an object to bytes and back.

A stored value is (tag, version, body): the registered name, never an import path, so a class may move between
modules and old bytes still load. Old versions pass through upcasters, plain functions on dictionaries. Values that
are no attrs class (the reply of an ask, say) are stored as JSON under the tag `json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import time, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import attrs
import msgspec
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.preconf.msgspec import make_converter

from .errors import CorruptRecord, NotStorable, StoredFault, UnknownRecord
from .shape import Looks, foreign, infinite, not_finite
from .swift import decoder_of
from .tags import import_tag, read_tables

T = TypeVar("T")
Fields = dict[str, object]
Upcaster = Callable[[Fields], Fields]

PLAIN = "json"

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_converter = make_converter()
_converter.register_unstructure_hook(Decimal, str)
_converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
for _scalar in (time, timedelta, UUID):  # what msgspec writes as text, it reads as well
    _converter.register_structure_hook(_scalar, lambda value, kind: msgspec.convert(value, kind))
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _: value)
_encode = _converter.encoder.encode
_FOREIGN = Looks(foreign, None, in_private=True)
"""For what msgspec would not write as cattrs has it; without any the way over dictionaries, 4 to 50 times as long, is
not needed."""
_INFINITE = Looks(infinite, not_finite, in_private=False)
"""For floats that are NaN or infinite: JSON would keep null in their place, and that is not what was given."""
_classes: dict[str, type] = {}
_tags: dict[type, Encoding] = {}
read_tables()


@attrs.frozen
class Encoding:
    """Under which name and version a class is stored, and how older versions reach this one."""

    tag: str
    version: int
    upcasters: Mapping[int, Upcaster]


@attrs.frozen
class Record:
    """A stored value: registered name, version, JSON bytes."""

    tag: str
    version: int
    body: bytes


def stored(
    tag: str, *, version: int = 1, upcasters: Mapping[int, Upcaster] | None = None
) -> Callable[[type[T]], type[T]]:
    """Register an attrs class for storage under a stable name.

    Args:
        tag: lower-case words with dots, unique in the process, for example `bank.deposit`. Never change it.
        version: from 1; raise it when the fields change so that old bytes no longer fit.
        upcasters: for each older version a function from its fields to those of the next version.

    Raises:
        StoredFault: when the name is badly formed or taken, the version is below 1, an upcaster is missing,
            or the class is no attrs class.
    """

    def register(cls: type[T]) -> type[T]:
        _check(cls, tag, version, upcasters or {})
        _classes[tag] = cls
        _tags[cls] = Encoding(tag, version, dict(upcasters or {}))
        return cls

    return register


def is_stored(cls: type) -> bool:
    """Whether instances of the class can be stored."""
    return cls in _tags


def tag_of(cls: type) -> str:
    """The class's stable name; raises NotStorable when it has none."""
    if cls not in _tags:
        raise NotStorable(_unregistered(cls))
    return _tags[cls].tag


def encode(value: object) -> Record:
    """The value as a record.

    Raises:
        NotStorable: when the value is an attrs object of an unregistered class, or holds what JSON cannot carry.
    """
    encoding = _tags.get(type(value))
    if encoding is None:
        if type(value) is not dict and attrs.has(type(value)):
            raise NotStorable(_unregistered(type(value)))
        return Record(PLAIN, 1, _dump(value))
    return Record(encoding.tag, encoding.version, _dump(value))


def decode(record: Record) -> object:
    """The value of a record, at today's version.

    Raises:
        UnknownRecord: when no imported class has that name, or the version is newer than the class's.
        CorruptRecord: when the bytes do not decode into the class.
    """
    if record.tag == PLAIN:
        return decode_as(object, record)
    cls = _classes.get(record.tag) or _imported(record.tag)
    if cls is None:
        raise UnknownRecord(f"no class is stored as {record.tag!r}: import the module that declares it with @stored")
    return decode_as(cls, record)


def decode_as(cls: type[T], record: Record) -> T:
    """The value of a record as an instance of that class (of any JSON type for `object`)."""
    swift = decoder_of(cls)
    if swift is not None and (record.tag == PLAIN or _is_todays(record)):
        with suppress(Exception):  # whatever is wrong, the long way finds a value or says what it is
            return swift(record.body)  # type: ignore[return-value]  # it gives that class
    try:
        fields: object = msgspec.json.decode(record.body)
        if record.tag != PLAIN:
            fields = _upcast(record, fields)
        return fields if cls is object else _converter.structure(fields, cls)  # type: ignore[return-value]  # object is every T
    except UnknownRecord:
        raise
    except (BaseValidationError, StructureHandlerNotFoundError, ValueError, TypeError, KeyError) as error:
        raise CorruptRecord(f"the stored {record.tag!r} version {record.version} does not decode: {error!r}") from error


def _imported(tag: str) -> type | None:
    """The class of a tag whose module was not imported by now."""
    import_tag(tag)
    return _classes.get(tag)


def _is_todays(record: Record) -> bool:
    cls = _classes.get(record.tag)
    return cls is not None and _tags[cls].version == record.version


def _upcast(record: Record, fields: object) -> object:
    encoding = _tags[_classes[record.tag]]
    if record.version > encoding.version:
        raise UnknownRecord(
            f"{record.tag!r} is stored at version {record.version}, this program knows {encoding.version}: upgrade it"
        )
    for version in range(record.version, encoding.version):
        fields = encoding.upcasters[version](fields)  # type: ignore[arg-type]  # an attrs class is stored as an object
    return fields


def _dump(value: object) -> bytes:
    try:
        body = _encode(_converter.unstructure(value) if _FOREIGN.at(value) else value)
        if b"null" in body and _INFINITE.at(value):
            raise ValueError("JSON has no NaN and no infinity")
        return body
    except (TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise NotStorable(
            f"{type(value).__name__} cannot be stored: {error}; use numbers, text, bytes, lists, dictionaries, "
            "dates, enums, and attrs classes of these"
        ) from error


def _check(cls: type, tag: str, version: int, upcasters: Mapping[int, Upcaster]) -> None:
    if not _NAME.fullmatch(tag) or tag == PLAIN:
        raise StoredFault(f"{tag!r} is no name to store {cls.__name__} under: use lower-case words with dots")
    if not attrs.has(cls):
        raise StoredFault(f"{cls.__name__} is no attrs class: put @stored above @attrs.frozen or @attrs.define")
    if version < 1 or set(upcasters) != set(range(1, version)):
        raise StoredFault(
            f"{tag!r} version {version} needs an upcaster for each older version: {list(range(1, version))}"
        )
    taken = _classes.get(tag)
    if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
        raise StoredFault(f"{tag!r} is already the name of {taken.__module__}.{taken.__qualname__}: choose another")


def _unregistered(cls: type) -> str:
    return f"{cls.__name__} is not registered for storage: put @stored('a.stable.name') above the class"
