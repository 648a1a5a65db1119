"""Digests and hash chains: how a changed byte is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha256

from .turn import Entry

Field = str | int | float | bytes | None

GENESIS = bytes(32)
"""The hash before a stream's first entry."""


def digest(*fields: Field) -> bytes:
    """16 bytes over the fields, each with its type and length, so that no two lists of fields give the same text."""
    return blake2b(_frame(fields), digest_size=16).digest()


def chain(previous: bytes, position: int, entry: Entry) -> bytes:
    """The hash of an entry at a position, given the hash of the one before: 32 bytes."""
    return sha256(_frame((previous, entry.stream, position, entry.kind, entry.at, entry.body))).digest()


def chain_batch(previous: bytes, number: int, at: float, heads: Iterable[tuple[str, int, bytes]]) -> bytes:
    """The hash of a batch: the one before, and the head (stream, position, hash) of every stream that it changed."""
    fields: list[Field] = [previous, number, at]
    for stream, position, head in sorted(heads):
        fields += [stream, position, head]
    return sha256(_frame(fields)).digest()


def _frame(fields: Iterable[Field]) -> bytes:
    return b"".join(_one(field) for field in fields)


def _one(field: Field) -> bytes:
    match field:
        case None:
            return b"n"
        case bytes():
            return b"b%d:%b" % (len(field), field)
        case str():
            text = field.encode("utf-8", "surrogatepass")
            return b"s%d:%b" % (len(text), text)
        case int():
            return b"i%d;" % field
        case float():
            return b"f%s;" % repr(field).encode()
