"""What the SQLite store looks up before a batch is planned: point reads by index, inside the batch's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection

from .address import ActorId
from .digest import GENESIS
from .errors import CorruptRecord
from .need import Mail, Named, Needs
from .plan import Facts, Head
from .row import MESSAGE_COLUMNS, Row, envelope_of, is_whole, record_of
from .turn import EffectState, Envelope, Known


def look_up(connection: Connection, needs: Needs) -> Facts:
    """The facts that a batch with those needs is planned on."""
    timers = timers_of(connection, needs.timers)
    mail = _mail(connection, needs.mail | needs.envelopes | {(named[0], message) for named, message in timers.items()})
    number, hash_ = last_batch(connection)
    return Facts(
        messages=highest(connection, "message"),
        front=lowest(connection) if needs.front else 0,
        entries=highest(connection, "entry"),
        batch=number,
        batch_hash=hash_,
        revisions=_revisions(connection, needs.actors),
        mail=mail,
        envelopes=_envelopes(connection, needs.envelopes),
        parked=frozenset(one for one in needs.appended if _is_parked(connection, one)),
        timers=timers,
        effects=_effects(connection, needs.effects),
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
    found: dict[Named, str] = {}
    statement = "SELECT id FROM message WHERE receiver = ? AND timer = ? AND timer <> '' AND answer = 0"
    for one in timers:
        row = connection.execute(statement, one).fetchone()
        if row:
            found[one] = row[0]
    return found


def _revisions(connection: Connection, actors: Iterable[ActorId]) -> dict[ActorId, int]:
    found: dict[ActorId, int] = {}
    for actor in actors:
        row = connection.execute("SELECT revision FROM actor WHERE id = ?", (actor,)).fetchone()
        if row:
            found[actor] = row[0]
    return found


def _mail(connection: Connection, mail: Iterable[Mail]) -> dict[Mail, int]:
    found: dict[Mail, int] = {}
    for one in mail:
        row = connection.execute("SELECT seq FROM message WHERE receiver = ? AND id = ?", one).fetchone()
        if row:
            found[one] = row[0]
    return found


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


def _is_parked(connection: Connection, mail: Mail) -> bool:
    statement = "SELECT 1 FROM parked WHERE receiver = ? AND id = ?"
    return connection.execute(statement, mail).fetchone() is not None


def _effects(connection: Connection, effects: Iterable[str]) -> dict[str, EffectState]:
    found: dict[str, EffectState] = {}
    for effect in effects:
        row = connection.execute("SELECT state FROM effect WHERE id = ?", (effect,)).fetchone()
        if row:
            found[effect] = EffectState(row[0])
    return found


def _known(connection: Connection, keys: Iterable[Named]) -> dict[Named, Known]:
    found: dict[Named, Known] = {}
    statement = "SELECT id, tag, version, body FROM dedup WHERE receiver = ? AND key = ?"
    for one in keys:
        row = connection.execute(statement, one).fetchone()
        if row:
            found[one] = Known(id=row[0], reply=record_of(*row[1:]))
    return found


def _keys(connection: Connection, replied: Iterable[Mail]) -> dict[Mail, str]:
    found: dict[Mail, str] = {}
    for one in replied:
        row = connection.execute("SELECT key FROM dedup WHERE receiver = ? AND id = ?", one).fetchone()
        if row:
            found[one] = row[0]
    return found


def _heads(connection: Connection, streams: Iterable[str]) -> dict[str, Head]:
    found: dict[str, Head] = {}
    for stream in streams:
        row = connection.execute("SELECT position, hash FROM head WHERE stream = ?", (stream,)).fetchone()
        if row:
            found[stream] = Head(position=row[0], hash=row[1])
    return found
