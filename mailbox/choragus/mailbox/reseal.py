"""What migrations ask of Python: new digests for records that were whole, and none for those that were not."""

from __future__ import annotations

from sqlite3 import Connection

from .digest import Field, digest
from .phrase import shortened
from .schema import ENTRY, HEAD


def teach(connection: Connection) -> None:
    """Give the connection the functions that `MIGRATIONS` use; text comes as bytes, for it may be damaged."""
    connection.create_function("shortened", 2, _shortened, deterministic=True)
    connection.create_function("resealed_head", 5, _resealed_head, deterministic=True)
    connection.create_function("resealed_entry", 10, _resealed_entry, deterministic=True)


def _shortened(stream: bytes, body: bytes) -> bytes:
    try:
        return shortened(stream.decode(), body)
    except UnicodeDecodeError:
        return body


def _resealed_head(old: bytes, number: int, stream: bytes, position: int, hash_: bytes) -> bytes:
    try:
        name = stream.decode()
    except UnicodeDecodeError:
        return bytes(HEAD.size)
    is_whole = old == digest(name, position, hash_)
    return digest(number, name, position, hash_) if is_whole else bytes(HEAD.size)


def _resealed_entry(
    old: bytes, number: int, seq: int, stream: bytes, position: int, kind: bytes, *rest: Field
) -> bytes:
    try:
        name, word = stream.decode(), kind.decode()
    except UnicodeDecodeError:
        return bytes(ENTRY.size)
    at, body, batch, hash_ = rest
    if old != digest(seq, name, position, word, at, body, batch, hash_) or not isinstance(body, bytes):
        return bytes(ENTRY.size)
    return digest(seq, number, position, word, at, shortened(name, body), batch, hash_)[: ENTRY.size]
