"""The head of a file's chain, exported and signed: what shows later that nobody wrote the file anew.

A chain of hashes needs no secret, so whoever may write to the file and knows its form can write all of it again, and
it closes. What was exported before, and lies where he cannot write, does not change with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import NamedTuple

from .errors import HeadsRefused

FORM = "choragus heads 1"
ALGORITHM = "hmac-sha256"
LEAST = 16
"""Bytes of a key, at least."""

NAMED = 20
"""So many streams are named that are not what they were."""


class Heads(NamedTuple):
    """Where a file's chain stood: its last batch, with its hash, and how many entries had been written.

    `made` is when it was exported, `at` when the batch was written, both in seconds since the epoch; `streams` are the
    position and hash of the last entry of each, when they were asked for.
    """

    batch: int
    hash: bytes
    at: float
    entries: int
    made: float
    streams: Mapping[str, tuple[int, bytes]]

    def dumped(self, key: bytes | None = None) -> str:
        """The heads as JSON, signed when there is a key.

        Raises:
            ValueError: when the key is too short.
        """
        told: dict[str, object] = {
            "format": FORM,
            "made": self.made,
            "batch": {"number": self.batch, "hash": self.hash.hex(), "at": self.at},
            "entries": self.entries,
            "streams": {name: [position, head.hex()] for name, (position, head) in sorted(self.streams.items())},
        }
        if key is not None:
            told["signature"] = {"algorithm": ALGORITHM, "value": _signature(told, key)}
        return json.dumps(told, indent=1)


def heads_of(connection: Connection, made: float, *, streams: bool = False) -> Heads:
    """Where the file's chain stands now."""
    connection.execute("BEGIN")
    try:
        last = connection.execute("SELECT number, hash, at FROM batch ORDER BY number DESC LIMIT 1").fetchone()
        number, hash_, at = last or (0, bytes(32), 0.0)
        written = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        rows = connection.execute("SELECT stream, position, hash FROM head") if streams else ()
        named = {name: (position, head) for name, position, head in rows}
    finally:
        connection.execute("ROLLBACK")
    return Heads(batch=number, hash=hash_, at=at, entries=written[0] if written else 0, made=made, streams=named)


def heads_from(text: str, key: bytes | None = None) -> Heads:
    """Exported heads, checked against the key that signed them.

    Args:
        key: None takes them as they are: then something else must have shown that they are what was exported.

    Raises:
        HeadsRefused: when they are no heads, or not signed with that key.
        ValueError: when the key is too short.
    """
    try:
        told = json.loads(text)
        signed = told.pop("signature", None)
        batch = told["batch"]
        heads = Heads(
            batch=int(batch["number"]),
            hash=bytes.fromhex(batch["hash"]),
            at=float(batch["at"]),
            entries=int(told["entries"]),
            made=float(told["made"]),
            streams={str(name): (int(place), bytes.fromhex(head)) for name, (place, head) in told["streams"].items()},
        )
        form, value = told["format"], None if signed is None else (signed["algorithm"], str(signed["value"]))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise HeadsRefused(f"these are no exported heads ({error}): give what `choragus heads` has printed") from error
    if form != FORM:
        raise HeadsRefused(f"heads of the form {form!r}, this choragus knows {FORM!r}: use the version that made them")
    if key is not None:
        _check(told, value, key)
    elif value is not None:
        raise HeadsRefused("the heads are signed, and nobody has checked by whom: give the key")
    return heads


def key_in(path: str) -> bytes:
    """The key that a file holds: all of its bytes, without white space at its ends.

    Raises:
        HeadsRefused: when it cannot be read or is too short.
    """
    try:
        with open(path, "rb") as file:
            key = file.read().strip()
    except OSError as error:
        raise HeadsRefused(f"the key {path} cannot be read: {error.strerror}") from error
    if len(key) < LEAST:
        raise HeadsRefused(f"the key in {path} has {len(key)} bytes, and {LEAST} are the least: `openssl rand -hex 32`")
    return key


def unlike(connection: Connection, heads: Heads) -> list[str]:
    """In what a file is not the one that the heads were exported from, one sentence each; what came later may be new.

    Args:
        connection: in a transaction.
    """
    if not heads.batch:
        return []
    row = connection.execute("SELECT hash FROM batch WHERE number = ?", (heads.batch,)).fetchone()
    if row is not None and row[0] == heads.hash:
        return []
    (last,) = connection.execute("SELECT ifnull(max(number), 0) FROM batch").fetchone()
    gone = connection.execute("SELECT 1 FROM gap WHERE first <= ? AND last > ?", (heads.batch, heads.batch)).fetchone()
    if row is not None:
        problem = (
            f"batch {heads.batch} is not the one of the exported heads: it or something before it was written anew"
        )
    elif last < heads.batch:
        problem = f"the file ends at batch {last}, and the exported heads are those of batch {heads.batch}: what came "
        problem += f"between was removed, and {heads.entries} entries were written by then"
    elif gone:
        problem = f"batch {heads.batch} of the exported heads was pruned since and shows nothing: export heads anew"
    else:
        problem = f"batch {heads.batch} of the exported heads is missing"
    found = [*_streams_unlike(connection, heads)]
    more = [f"{len(found) - NAMED} more streams are not what was exported"] if len(found) > NAMED else []
    return [problem, *found[:NAMED], *more]


def _streams_unlike(connection: Connection, heads: Heads) -> Iterable[str]:
    stones = dict(connection.execute("SELECT stream, position FROM tombstone").fetchall())
    statement = (
        "SELECT entry.hash, kind FROM entry JOIN head ON entry.stream = number WHERE head.stream = ? "
        "AND entry.position = ?"
    )
    for name, (position, hash_) in heads.streams.items():
        row = connection.execute(statement, (name, position)).fetchone()
        if row is not None and row[0] != hash_:
            told = f"entry {position} of stream {name!r} ({row[1]}) is not the one of the exported heads"
            yield f"{told}: it or one before it was changed"
        elif row is None and stones.get(name, 0) < position:
            yield f"entry {position} of stream {name!r} of the exported heads is missing: the end was removed"


def _check(told: Mapping[str, object], signed: tuple[object, str] | None, key: bytes) -> None:
    if signed is None:
        raise HeadsRefused("the heads are not signed: export them with --sign, or check them without a key")
    algorithm, value = signed
    if algorithm != ALGORITHM:
        raise HeadsRefused(f"the heads are signed by {algorithm!r}, and a key checks {ALGORITHM!r} only")
    from hmac import compare_digest

    if not compare_digest(value.encode(), _signature(told, key).encode()):
        raise HeadsRefused("the heads were not signed with this key, or changed since: they prove nothing")


def _signature(told: Mapping[str, object], key: bytes) -> str:
    if len(key) < LEAST:
        raise ValueError(f"a key of {len(key)} bytes: give {LEAST} or more")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    from hmac import digest  # it loads OpenSSL, for which whoever only looks into a file need not wait

    return digest(key, f"{FORM}\n{text}".encode(), "sha256").hex()
