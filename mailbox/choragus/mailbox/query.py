"""The reads of the SQLite store, as plain functions over a connection."""

from __future__ import annotations

from functools import partial
from sqlite3 import Connection, DatabaseError
from time import time

import attrs

from .address import ActorId
from .audit import entry_name
from .batch import PUT_MESSAGE, PUT_PARKED, transact
from .bulk import put
from .codec import Record
from .digest import Field
from .errors import CorruptRecord
from .facts import buried, highest, look_up, name_of, number_of, standing
from .landing import landed, wanted
from .order import in_turn
from .phrase import shortened
from .row import (
    ACTOR_COLUMNS,
    CURSOR_COLUMNS,
    EFFECT_COLUMNS,
    ENTRY_COLUMNS,
    MESSAGE_COLUMNS,
    PARKED_COLUMNS,
    STEP_COLUMNS,
    TOMBSTONE_COLUMNS,
    VIEW_COLUMNS,
    Row,
    effect_of,
    entry_of,
    envelope_of,
    is_whole,
    message_row,
    parked_of,
    real,
    sealed,
    select,
    snapshot_of,
    step_of,
    tombstone_of,
    view_of,
    whole,
)
from .turn import (
    ASIDE,
    Batch,
    Committed,
    Effect,
    Entry,
    Envelope,
    Extent,
    LogEntry,
    Parked,
    Snapshot,
    Step,
    Tombstone,
    View,
    requeued,
)

CORRUPT = "corrupt: "
"""How the reason of a message begins that was parked because its bytes are not what was written."""


def load(connection: Connection, actor: ActorId) -> Snapshot:
    """The actor as last committed."""
    rows = select(connection, f"SELECT {ACTOR_COLUMNS} FROM actor WHERE id = ?", actor)
    snapshot = snapshot_of(rows[0]) if rows else Snapshot()
    stash = _stash(connection, actor)
    return attrs.evolve(snapshot, stash=stash) if stash else snapshot


def fetch(connection: Connection, actor: ActorId, limit: int, now: float) -> list[Envelope]:
    """What is due, in order; bad ones are parked."""
    statement = f"SELECT {MESSAGE_COLUMNS} FROM message WHERE receiver = ? AND due <= ? ORDER BY seq LIMIT ?"
    rows = select(connection, statement, actor, now, limit)
    if any(row[8] for row in rows):  # something has a time
        rows = in_turn(rows, _is_timer, partial(_due_timers, connection, actor, now))
    return _whole(connection, actor, rows, now)


def waiting(connection: Connection, now: float) -> list[ActorId]:
    """The actors that have due mail, the longest waiting first."""
    statement = "SELECT receiver FROM message WHERE due <= ? GROUP BY receiver ORDER BY min(seq)"
    return [receiver for (receiver,) in connection.execute(statement, (now,))]


def next_due(connection: Connection, now: float) -> float | None:
    """When the next message that is not due yet will be."""
    (due,) = connection.execute(
        "SELECT min(due) FROM message WHERE due > 0 AND due > ? AND due < ?", (now, ASIDE)
    ).fetchone()
    return None if due is None else real(due)


def steps(connection: Connection, actor: ActorId, message: str) -> list[Step]:
    """The steps that were taken for a message."""
    statement = f"SELECT {STEP_COLUMNS} FROM step WHERE actor = ? AND message = ? ORDER BY name, number"
    return [step_of(row) for row in select(connection, statement, actor, message)]


def rings(connection: Connection, now: float) -> list[Envelope]:
    """The rings of tickers that are not due yet."""
    ring = "timer <> '' AND answer = 0 AND reply_to = '' AND reply_then <> ''"
    rows = select(connection, f"SELECT {MESSAGE_COLUMNS} FROM message WHERE due > 0 AND due > ? AND {ring}", now)
    return [envelope_of(row) for row in rows if is_whole(row)]


def effects(connection: Connection) -> list[Effect]:
    """The effects that are open or held, the oldest first."""
    statement = f"SELECT {EFFECT_COLUMNS} FROM effect WHERE state IN ('open', 'held') ORDER BY created, id"
    return [effect_of(row) for row in select(connection, statement)]


def read(connection: Connection, stream: str, after: int, limit: int) -> list[LogEntry]:
    """Entries of a stream behind a position and behind its tombstone, without a gap."""
    statement = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE stream = ? AND position > ? ORDER BY position LIMIT ?"
    after = max(after, buried(connection, stream))
    number = number_of(connection, stream)
    entries = [entry_of(row, stream) for row in select(connection, statement, number, after, limit)]
    for position, entry in enumerate(entries, start=after + 1):
        if entry.position != position:
            raise CorruptRecord(f"{entry_name(stream, position)} is missing: restore the file from a backup")
    return entries


def extent(connection: Connection, stream: str) -> Extent:
    """Where a stream begins and ends."""
    row = connection.execute("SELECT position FROM head WHERE stream = ?", (stream,)).fetchone()
    return Extent(first=buried(connection, stream) + 1, last=whole(row[0]) if row else 0)


def tombstones(connection: Connection) -> list[Tombstone]:
    """What is left of pruned entries, by stream."""
    rows = select(connection, f"SELECT {TOMBSTONE_COLUMNS} FROM tombstone ORDER BY stream")
    return [tombstone_of(row) for row in rows if is_whole(row)]


def log(connection: Connection, after: int, limit: int) -> list[LogEntry]:
    """Entries of all streams behind a `seq`."""
    statement = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = select(connection, statement, after, limit)
    names = {number: name_of(connection, number) for number in {row[1] for row in rows}}
    return [entry_of(row, names[row[1]]) for row in rows]


def views(connection: Connection, kind: str, scope: str | None) -> list[View]:
    """The rows of a kind, by sort and key; a damaged one is left out, so that it hides no other."""
    within = "" if scope is None else "AND scope = ?"
    statement = f"SELECT {VIEW_COLUMNS} FROM view WHERE kind = ? {within} ORDER BY sort, key"
    rows = select(connection, statement, kind, *([] if scope is None else [scope]))
    return [view_of(row) for row in rows if is_whole(row)]


def view(connection: Connection, kind: str, key: str) -> View | None:
    """One row."""
    rows = select(connection, f"SELECT {VIEW_COLUMNS} FROM view WHERE kind = ? AND key = ?", kind, key)
    return view_of(rows[0]) if rows else None


def parked(connection: Connection) -> list[Parked]:
    """The parked messages, oldest first."""
    rows = select(connection, f"SELECT {PARKED_COLUMNS} FROM parked ORDER BY at, rowid")
    return [parked_of(row) if is_whole(row) else _damaged(row) for row in rows]


def requeue(connection: Connection, receiver: ActorId, message: str) -> bool:
    """Put a parked message back at the tail of its mailbox."""
    return transact(connection, partial(_requeue, connection, receiver, message))


def cursor(connection: Connection, name: str) -> int:
    """A reader's position."""
    rows = select(connection, f"SELECT {CURSOR_COLUMNS} FROM cursor WHERE name = ?", name)
    if rows and not is_whole(rows[0]):
        raise CorruptRecord(f"cursor {name!r} does not match its digest")
    return whole(rows[0][1]) if rows else 0


def has_landed(connection: Connection, batch: Batch) -> Committed | None:
    """What a commit gave that failed, when it is on disk nevertheless."""
    statement = "SELECT 1 FROM entry WHERE stream = ? AND kind = ? AND at = ? AND body = ?"

    def is_logged(entry: Entry) -> bool:
        number, body = number_of(connection, entry.stream), shortened(entry.stream, entry.body)
        values = (number, entry.kind, entry.at + 0.0, body)
        return connection.execute(statement, values).fetchone() is not None

    def last_turn(actor: ActorId) -> str:
        row = connection.execute("SELECT last_turn FROM actor WHERE id = ?", (actor,)).fetchone()
        return row[0] if row else ""

    return landed(batch, look_up(connection, wanted(batch), standing(connection)), last_turn, is_logged)


def data_version(connection: Connection) -> int:
    """A number that changes when another connection has written."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _is_timer(row: Row) -> bool:
    timer, is_answer, due = row[9], row[13], row[8]
    return bool(timer and not is_answer and isinstance(due, float) and due > 0.0)


def _due_timers(connection: Connection, actor: ActorId, now: float, limit: int) -> list[Row]:
    timer = "timer <> '' AND answer = 0 AND due > 0 AND due <= ?"
    within = f"message INDEXED BY message_timer WHERE receiver = ? AND {timer}"  # not by `due`, through all actors'
    statement = f"SELECT {MESSAGE_COLUMNS} FROM {within} ORDER BY due, seq LIMIT ?"
    return select(connection, statement, actor, now, limit)


def _stash(connection: Connection, actor: ActorId) -> tuple[str, ...]:
    statement = f"SELECT {MESSAGE_COLUMNS} FROM message WHERE receiver = ? AND due = 9e999 ORDER BY seq"
    rows = select(connection, statement, actor)
    return tuple(envelope.id for envelope in _whole(connection, actor, rows, time()))


def _whole(connection: Connection, actor: ActorId, rows: list[Row], now: float) -> list[Envelope]:
    """The messages in these rows; bad ones are parked."""
    good = [row for row in rows if is_whole(row)]
    if len(good) < len(rows):
        transact(connection, partial(_quarantine, connection, actor, [row for row in rows if row not in good], now))
    return [envelope_of(row) for row in good]


def _damaged(row: Row) -> Parked:
    parked = parked_of(row)
    return attrs.evolve(parked, reason=f"{CORRUPT}{parked.reason}")


def _quarantine(connection: Connection, actor: ActorId, rows: list[Row], now: float) -> None:
    for row in rows:
        reason = f"{CORRUPT}the stored message does not match its digest"
        seq, _, *kept = (_fitting(value, model) for value, model in zip(row[:-2], _MODEL, strict=True))
        _delete(connection, row)
        put(connection, PUT_PARKED, [sealed(seq, actor, *kept, reason, now + 0.0)])


_MODEL: Row = message_row(0, Envelope(id="", receiver=ActorId(""), sender="", record=Record("", 1, b"")))[:-2]
"""One value of each column's type."""


def _fitting(value: Field, model: Field) -> Field:
    """The value where it can still be kept: a damaged row must fit its table."""
    if type(value) is not type(model):
        return model
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _delete(connection: Connection, row: Row) -> None:
    try:
        connection.execute("DELETE FROM message WHERE seq = ?", (row[0],))
    except DatabaseError:  # the index still holds the key from before the damage
        connection.execute("REINDEX message")
        connection.execute("DELETE FROM message WHERE seq = ?", (row[0],))


def _requeue(connection: Connection, receiver: ActorId, message: str) -> bool:
    statement = f"SELECT {PARKED_COLUMNS} FROM parked WHERE receiver = ? AND id = ?"
    rows = select(connection, statement, receiver, message)
    if not rows:
        return False
    row = rows[0]
    parked = parked_of(row)
    if not is_whole(row) or parked.reason.startswith(CORRUPT):
        raise CorruptRecord(f"message {message!r} to {receiver!r} is not what was sent, so it stays parked")
    named = (receiver, parked.envelope.timer)
    taken = connection.execute(
        "SELECT 1 FROM message WHERE receiver = ? AND timer = ? AND timer <> '' AND answer = 0", named
    )
    fresh = requeued(parked.envelope, is_timer=taken.fetchone() is None)
    connection.execute("DELETE FROM parked WHERE receiver = ? AND id = ?", (receiver, message))
    put(connection, PUT_MESSAGE, [(*message_row(highest(connection, "message") + 1, fresh), 0)])
    return True
