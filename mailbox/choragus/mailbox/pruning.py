"""Taking away what is no longer wanted: one short transaction, as plain functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from time import perf_counter

import attrs

from .address import ActorId
from .batch import transact
from .bulk import insertion, put
from .burial import Link, gap, links, tombstone
from .digest import digest
from .facts import buried, last_batch, number_of
from .plan import ActorChange
from .row import (
    ACTOR_COLUMNS,
    ENTRY_COLUMNS,
    GAP_COLUMNS,
    LINK_COLUMNS,
    TOMBSTONE_COLUMNS,
    actor_row,
    entry_of,
    record_fields,
    sealed,
    select,
    snapshot_of,
    tombstone_row,
)
from .turn import Pruned, Pruning

_PUT_TOMBSTONE = insertion("tombstone", TOMBSTONE_COLUMNS, replace=True)
_PUT_LINK = insertion("link", LINK_COLUMNS, replace=True)
_PUT_GAP = insertion("gap", GAP_COLUMNS, replace=True)
_PUT_ACTOR = insertion("actor", ACTOR_COLUMNS, replace=True)

_OLD_KEYS = """
SELECT receiver, key FROM dedup AS known WHERE at < ?
    AND NOT EXISTS (SELECT 1 FROM message WHERE receiver = known.receiver AND id = known.id)
    AND NOT EXISTS (SELECT 1 FROM parked WHERE receiver = known.receiver AND id = known.id)
LIMIT ?"""


def prune(connection: Connection, pruning: Pruning) -> Pruned:
    """Take away a part, at most `limit` rows; see `Store.prune`."""
    keys: list[tuple[str, str]] = []
    if pruning.keys_before and pruning.limit:  # looked for before the file is locked, for there is no index by time
        keys = connection.execute(_OLD_KEYS, (pruning.keys_before, pruning.limit)).fetchall()
    began = 0.0

    def work() -> Pruned:
        nonlocal began
        began = perf_counter()  # the transaction has begun: nobody else writes
        return _prune(connection, pruning, keys)

    pruned = transact(connection, work)
    return attrs.evolve(pruned, seconds=perf_counter() - began)


def _prune(connection: Connection, pruning: Pruning, keys: Sequence[tuple[str, str]]) -> Pruned:
    in_use = _in_use(connection, pruning)
    if in_use or not pruning.limit:
        return Pruned(in_use=in_use)
    entries, left = 0, pruning.limit
    for stream, upto in pruning.streams.items():
        gone = _bury(connection, stream, upto, left, pruning.at)
        entries, left = entries + gone, left - gone
    records = _clear(connection, pruning.actors, left)
    left -= records
    old = _forget(connection, keys[: max(0, left)])
    left -= old
    if left <= 0:
        return Pruned(entries=entries, records=records + old)
    states = sum(_end(connection, actor) for actor in pruning.actors)
    connection.executemany("DELETE FROM view WHERE kind = ? AND key = ?", pruning.views)
    return Pruned(entries=entries, records=records + old, states=states, done=True)


def _in_use(connection: Connection, pruning: Pruning) -> str:
    for actor in pruning.actors:
        statement = "SELECT id FROM message WHERE receiver = ? ORDER BY seq LIMIT 1"
        row = connection.execute(statement, (actor,)).fetchone()
        if row:
            return f"message {row[0]!r} waits for {actor}"
        statement = "SELECT id FROM effect WHERE actor = ? AND state IN ('open', 'held') ORDER BY created, id LIMIT 1"
        row = connection.execute(statement, (actor,)).fetchone()
        if row:
            return f"effect {row[0]!r} of {actor} is not finished"
    for stream, upto in pruning.streams.items():
        statement = "SELECT seq FROM entry WHERE stream = ? AND position <= ? ORDER BY position DESC LIMIT 1"
        (seq,) = connection.execute(statement, (number_of(connection, stream), upto)).fetchone() or (0,)
        statement = "SELECT name, position FROM cursor WHERE position < ? ORDER BY name LIMIT 1"
        row = connection.execute(statement, (seq,)).fetchone()
        if row:
            return f"reader {row[0]!r} has come to entry {row[1]} of the file, and stream {stream!r} goes to {seq}"
    return ""


def _bury(connection: Connection, stream: str, upto: int, limit: int, at: float) -> int:
    within = "stream = ? AND position > ? AND position <= ?"
    statement = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE {within} ORDER BY position LIMIT ?"
    after, number = buried(connection, stream), number_of(connection, stream)
    found = select(connection, statement, number, after, upto, max(0, limit))
    entries = [entry_of(row, stream) for row in found]
    if not entries:
        return 0
    stone = tombstone(entries, at)
    next_one = "SELECT batch FROM entry WHERE stream = ? AND position = ?"
    following = connection.execute(next_one, (number, stone.position + 1)).fetchone()
    connection.execute("DELETE FROM entry WHERE stream = ? AND position <= ?", (number, stone.position))
    put(connection, _PUT_TOMBSTONE, [tombstone_row(stone)])
    for link in links(entries, following[0] if following else None):
        _unlink(connection, link)
    return len(entries)


def _unlink(connection: Connection, link: Link) -> None:
    """A batch has lost its entries of a stream: keep what its hash covers, or close the gap when they were its last.

    The entries of a batch stand next to each other, so that those which are left are the nearest.
    """
    statement = "SELECT batch FROM entry WHERE seq < ? ORDER BY seq DESC LIMIT 1"
    below = connection.execute(statement, (link.seq,)).fetchone() or (0,)
    above = connection.execute("SELECT batch FROM entry WHERE seq > ? ORDER BY seq LIMIT 1", (link.seq,)).fetchone()
    if link.batch in (below[0], above[0] if above else None):
        put(connection, _PUT_LINK, [sealed(link.batch, link.stream, link.position, link.hash)])
        return
    closed = gap(below[0], above[0] if above else None, last_batch(connection)[0])
    assert closed is not None  # the batch itself lies in it
    span = (closed.first, closed.last)
    connection.execute("DELETE FROM link WHERE batch BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM batch WHERE number >= ? AND number < ?", span)
    connection.execute("DELETE FROM gap WHERE first BETWEEN ? AND ?", span)
    put(connection, _PUT_GAP, [sealed(*span)])


def _clear(connection: Connection, actors: Sequence[ActorId], limit: int) -> int:
    """Finished effects, kept replies, parked messages and their steps, as many as the limit allows."""
    gone = 0
    for table, column in (("effect", "actor"), ("dedup", "receiver"), ("parked", "receiver"), ("step", "actor")):
        some = f"SELECT rowid FROM {table} WHERE {column} = ? LIMIT ?"
        statement = f"DELETE FROM {table} WHERE rowid IN ({some})"
        for actor in actors:
            gone += connection.execute(statement, (actor, max(0, limit - gone))).rowcount
    return gone


def _forget(connection: Connection, keys: Sequence[tuple[str, str]]) -> int:
    statement = "DELETE FROM dedup WHERE receiver = ? AND key = ?"
    return sum(connection.execute(statement, key).rowcount for key in keys)


def _end(connection: Connection, actor: ActorId) -> bool:
    """Leave the actor as one that has ended; one that is in somebody's memory is behind by a revision."""
    rows = select(connection, f"SELECT {ACTOR_COLUMNS} FROM actor WHERE id = ?", actor)
    if not rows:
        return False
    was = snapshot_of(rows[0])
    if was.ended and was.state is None:
        return False
    change = ActorChange(
        revision=was.revision + 1,
        last_turn=was.last_turn,
        sent=was.sent,
        ended=True,
        state=None,
        keeps_state=False,
        is_new=False,
    )
    nothing = record_fields(None)
    put(connection, _PUT_ACTOR, [(*actor_row(actor, change, digest(actor, *nothing)), *nothing)])
    return True
