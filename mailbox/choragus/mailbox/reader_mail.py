"""What waits in a file's mailboxes and what was parked, read by the standard library alone."""

from __future__ import annotations

from typing import NamedTuple

from .reader import Reader, digest

_ENVELOPE = (
    'receiver, id, shard, sender, tag, version, body, due, timer, "then", reply_to, reply_then, answer, key, trace, '
    "attempts, interrupted, not_before"
)


class MailRow(NamedTuple):
    """A message that waits: what it is, and how often its receiver has failed on it."""

    id: str
    receiver: str
    sender: str
    tag: str
    body: bytes
    attempts: int


class ParkedRow(NamedTuple):
    """A message that its receiver could not handle, why, and since when."""

    id: str
    receiver: str
    sender: str
    tag: str
    body: bytes
    reason: str
    at: float


def waiting(reader: Reader, receiver: str, now: float, limit: int = 10_000) -> list[MailRow]:
    """The messages of a mailbox that are due, in the order in which they came; damaged ones are left out."""
    statement = (
        f"SELECT seq, {_ENVELOPE}, error, digest FROM message WHERE receiver = ? AND due <= ? ORDER BY seq LIMIT ?"
    )
    rows = [row for row in reader.rows(statement, receiver, now, limit) if row[-1] == digest(*row[:-1])]
    return [MailRow._make((row[2], row[1], row[4], row[5], row[7], row[16])) for row in rows]


def parked(reader: Reader) -> list[ParkedRow]:
    """The parked messages, the oldest first."""
    rows = reader.rows(f"SELECT seq, {_ENVELOPE}, reason, at, digest FROM parked ORDER BY at, rowid")
    return [ParkedRow._make((row[2], row[1], row[4], row[5], row[7], _reason(row), row[20])) for row in rows]


def _reason(row: tuple[object, ...]) -> object:
    return row[19] if row[-1] == digest(*row[:-1]) else f"corrupt: its record is not what was written; {row[19]}"
