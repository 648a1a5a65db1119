"""Digests and hash chains: how a changed byte is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha256

import msgspec

from .turn import Entry, LogEntry

Field = str | int | float | bytes | None

pack = msgspec.msgpack.Encoder().encode
"""How the fields of a digest are framed, for whoever checks many."""

GENESIS = bytes(32)
"""The hash before a stream's first entry."""


def digest(*fields: Field) -> bytes:
    """16 bytes over the fields, each with its type and length, so that no two lists of fields give the same text.

    The fields are framed as MessagePack, ten times faster than the plain frame of the chains: a commit digests four
    records per turn.

    Raises:
        TypeError: when a field is of none of the types.
    """
    try:
        text = pack(fields)
    except (TypeError, UnicodeEncodeError, OverflowError):
        text = _pack_odd(fields)
    return blake2b(text, digest_size=16).digest()


def chain(previous: bytes, position: int, entry: Entry | LogEntry) -> bytes:
    """The hash of an entry at a position of its stream, given the hash of the one before: 32 bytes."""
    stream, kind, at, body = entry.stream, entry.kind, entry.at, entry.body
    if type(stream) is type(kind) is str and type(at) is float and type(body) is bytes:
        # what `_frame` gives, in one piece: a commit chains an entry per turn
        place, name = stream.encode("utf-8", "surrogatepass"), kind.encode("utf-8", "surrogatepass")
        before = (len(previous), previous, len(place), place, position, len(name), name)
        text = b"b%d:%bs%d:%bi%d;s%d:%bf%b;b%d:%b" % (*before, repr(at).encode(), len(body), body)
    else:
        text = _frame((previous, stream, position, kind, at, body))
    return sha256(text).digest()


def chain_batch(previous: bytes, number: int, at: float, heads: Iterable[tuple[str, int, bytes]]) -> bytes:
    """The hash of a batch: the one before, and the head (stream, position, hash) of every stream that it changed."""
    if type(previous) is bytes and type(number) is int and type(at) is float:
        said = b"b%d:%bi%d;f%b;" % (len(previous), previous, number, repr(at).encode())
    else:
        said = _frame((previous, number, at))
    return sha256(said + b"".join([_frame(head) for head in sorted(heads)])).digest()


def _pack_odd(fields: Iterable[Field]) -> bytes:
    """Subclasses as what they hold; what MessagePack cannot carry, half a surrogate pair say, as in a chain."""
    bare = [_bare(field) for field in fields]
    try:
        return pack(bare)
    except (UnicodeEncodeError, OverflowError):
        return _frame(bare)


def _frame(fields: Iterable[Field]) -> bytes:
    parts: list[bytes] = []
    for field in fields:
        # the common types first and without a call
        if type(field) is str:
            text = field.encode("utf-8", "surrogatepass")
            parts.append(b"s%d:%b" % (len(text), text))
        elif type(field) is int:
            parts.append(b"i%d;" % field)
        elif type(field) is bytes:
            parts.append(b"b%d:%b" % (len(field), field))
        elif type(field) is float:
            parts.append(b"f%s;" % repr(field).encode())
        elif field is None:
            parts.append(b"n")
        else:
            parts.append(_frame((_bare(field),)))
    return b"".join(parts)


def _bare(field: Field) -> Field:
    """The value of a subclass as SQLite keeps it: an enum's text, a boolean's number."""
    match field:
        case None:
            return None
        case str():
            return str.__str__(field)
        case int():
            return int(field)
        case float():
            return float(field)
        case bytes():
            return bytes(field)
    raise TypeError(f"{type(field).__name__} has no place in a digest: use str, int, float, bytes or None")
