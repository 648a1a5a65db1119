"""What the SQLite store looks up before a batch is planned: point reads by index, inside the batch's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

import attrs

from .address import ActorId
from .bulk import answers, question
from .digest import GENESIS, Field
from .errors import CorruptRecord
from .need import Mail, Named, Needs
from .plan import Facts, Head
from .row import HEAD_COLUMNS, MESSAGE_COLUMNS, Row, envelope_of, is_whole, record_of, select, text, whole
from .turn import EffectState, Envelope, Known

_STANDING = """
SELECT (SELECT node FROM lease), (SELECT fence FROM lease),
    ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0),
    ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0),
    ifnull((SELECT max(number) FROM head), 0),
    EXISTS (SELECT 1 FROM parked),
    EXISTS (SELECT 1 FROM step),
    ifnull((SELECT max(number) FROM batch), 0),
    ifnull((SELECT hash FROM batch ORDER BY number DESC LIMIT 1), ?)"""
_TIMER = question("hex(id)", "message", "receiver, timer", where="message.timer <> '' AND answer = 0")
_REVISION = question("revision", "actor", "id")
_SEQ = question("seq", "message", "receiver, id")
_PARKED = question("1", "parked", "receiver, id")
_STATE = question("state", "effect", "id")
_KEY = question("hex(key)", "dedup", "receiver, id")
_HEAD = question("hex(hash) || position || ':' || number", "head", "stream")
_HASH = 64
"""Hexadecimal digits of a hash."""


@attrs.frozen
class Standing:
    """How far the file has come: who owns it, the highest numbers given out,
    whether anything is parked, whether there is any step, and the last batch's hash.
    """

    node: str | None
    fence: int | None
    messages: int
    entries: int
    streams: int
    any_parked: bool
    any_steps: bool
    batch: int
    batch_hash: bytes


def standing(connection: Connection) -> Standing:
    """How far the file has come."""
    return Standing(*connection.execute(_STANDING, (GENESIS,)).fetchone())


def look_up(connection: Connection, needs: Needs, now: Standing) -> Facts:
    """The facts that a batch with those needs is planned on."""
    timers = timers_of(connection, needs.timers)
    mail = _mail(connection, needs.mail | needs.envelopes | {(named[0], message) for named, message in timers.items()})
    return Facts(
        messages=now.messages,
        front=lowest(connection) if needs.front else 0,
        entries=now.entries,
        batch=now.batch,
        batch_hash=now.batch_hash,
        revisions=_revisions(connection, needs.actors),
        mail=mail,
        envelopes=_envelopes(connection, needs.envelopes),
        parked=_parked(connection, needs.appended) if now.any_parked else frozenset(),
        timers=timers,
        effects=_effects(connection, needs.effects),
        any_steps=bool(now.any_steps),
        known=_known(connection, needs.keys),
        keys=_keys(connection, needs.replied),
        heads=_heads(connection, needs.streams),
    )


def highest(connection: Connection, table: str) -> int:
    """The highest `seq` that the table ever gave out."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


def buried(connection: Connection, stream: str) -> int:
    """The position up to which the stream was pruned; 0 when it never was."""
    row = connection.execute("SELECT position FROM tombstone WHERE stream = ?", (stream,)).fetchone()
    return int(row[0]) if row else 0


def number_of(connection: Connection, stream: str) -> int:
    """The number that entries know the stream by; 0 when it has none.

    Raises:
        CorruptRecord: when the stream's head is not what was written.
    """
    rows = select(connection, f"SELECT {HEAD_COLUMNS} FROM head WHERE stream = ?", stream)
    if rows and not is_whole(rows[0]):
        raise CorruptRecord(f"the head of stream {stream!r} does not match its digest")
    return whole(rows[0][0]) if rows else 0


def name_of(connection: Connection, number: Field) -> str:
    """The stream of that number.

    Raises:
        CorruptRecord: when it has no head, or one that is not what was written.
    """
    rows = select(connection, f"SELECT {HEAD_COLUMNS} FROM head WHERE number = ?", number)
    if not rows or not is_whole(rows[0]):
        raise CorruptRecord(f"the head of stream number {number!r} does not match its digest, or is missing")
    return text(rows[0][1])


def lowest(connection: Connection) -> int:
    """The lowest `seq` of a waiting message, at most 0: what is put before it gets numbers below 0."""
    (found,) = connection.execute("SELECT ifnull(min(seq), 0) FROM message").fetchone()
    return min(int(found), 0)


def last_batch(connection: Connection) -> tuple[int, bytes]:
    """The last batch's number and hash."""
    row: tuple[int, bytes] | None
    row = connection.execute("SELECT number, hash FROM batch ORDER BY number DESC LIMIT 1").fetchone()
    return row or (0, GENESIS)


def timers_of(connection: Connection, timers: Iterable[Named]) -> dict[Named, str]:
    """The message ids of those timers that wait."""
    named = list(timers)
    return {named[place]: bytes.fromhex(id).decode() for place, id in answers(connection, _TIMER, named)}


def _revisions(connection: Connection, actors: Iterable[ActorId]) -> dict[ActorId, int]:
    named = list(actors)
    found = answers(connection, _REVISION, [(one,) for one in named])
    return {named[place]: int(revision) for place, revision in found}


def _mail(connection: Connection, mail: Iterable[Mail]) -> dict[Mail, int]:
    named = list(mail)
    return {named[place]: int(seq) for place, seq in answers(connection, _SEQ, named)}


def _envelopes(connection: Connection, mail: Iterable[Mail]) -> dict[Mail, Envelope]:
    found: dict[Mail, Envelope] = {}
    statement = f"SELECT {MESSAGE_COLUMNS} FROM message WHERE receiver = ? AND id = ?"
    for one in mail:
        row: Row | None = connection.execute(statement, one).fetchone()
        if row:
            if not is_whole(row):
                raise CorruptRecord(f"message {one[1]!r} to {one[0]!r} does not match its digest")
            found[one] = envelope_of(row)
    return found


def _parked(connection: Connection, mail: Sequence[Mail]) -> frozenset[Mail]:
    return frozenset(mail[place] for place, _ in answers(connection, _PARKED, mail))


def _effects(connection: Connection, effects: Iterable[str]) -> dict[str, EffectState]:
    named = list(effects)
    found = answers(connection, _STATE, [(one,) for one in named])
    return {named[place]: EffectState(state) for place, state in found}


def _known(connection: Connection, keys: Iterable[Named]) -> dict[Named, Known]:
    found: dict[Named, Known] = {}
    statement = "SELECT id, tag, version, body FROM dedup WHERE receiver = ? AND key = ?"
    for one in keys:
        row = connection.execute(statement, one).fetchone()
        if row:
            found[one] = Known(id=row[0], reply=record_of(*row[1:]))
    return found


def _keys(connection: Connection, replied: Iterable[Mail]) -> dict[Mail, str]:
    named = list(replied)
    return {named[place]: bytes.fromhex(key).decode() for place, key in answers(connection, _KEY, named)}


def _heads(connection: Connection, streams: Iterable[str]) -> dict[str, Head]:
    named = list(streams)
    found: dict[str, Head] = {}
    for place, head in answers(connection, _HEAD, [(one,) for one in named]):
        position, number = head[_HASH:].split(":")
        found[named[place]] = Head(position=int(position), hash=bytes.fromhex(head[:_HASH]), number=int(number))
    return found
