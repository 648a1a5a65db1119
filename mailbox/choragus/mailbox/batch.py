"""The write: one transaction for a batch, as plain functions over a connection.

Facts are looked up, the batch is planned, the plan is written with one `executemany` per kind of row, and committed.
Whoever calls these runs them whole, in the thread that owns the connection: nothing here awaits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from sqlite3 import Connection, Error
from typing import TypeVar

from .address import ActorId
from .digest import digest
from .errors import CommitUnknown, NotStorable
from .facts import look_up
from .plan import ActorChange, Facts, Plan, needs, plan
from .row import (
    ACTOR_COLUMNS,
    EFFECT_COLUMNS,
    ENTRY_COLUMNS,
    MESSAGE_COLUMNS,
    PARKED_COLUMNS,
    VIEW_COLUMNS,
    Row,
    actor_row,
    effect_row,
    entry_row,
    insert,
    message_row,
    parked_row,
    record_fields,
    sealed,
    view_row,
)
from .turn import Batch, Committed, Envelope, Rejected

T = TypeVar("T")


def apply(connection: Connection, batch: Batch) -> Committed | Rejected:
    """Commit a batch, or write nothing of it and say why.

    Raises:
        CommitUnknown: when SQLite failed; whether the batch is on disk shows after reopening.
        NotStorable: when a text or number does not fit SQLite; nothing was written.
    """
    return transact(connection, partial(_apply, connection, batch))


def append(connection: Connection, envelopes: Sequence[Envelope], at: float) -> Committed:
    """Put messages from outside; whoever holds the lease is not asked."""
    batch = Batch(node="", fence=0, at=at, appends=tuple(envelopes))
    outcome = transact(connection, partial(_write_batch, connection, batch))
    assert isinstance(outcome, Committed)  # a batch without turns has no offender
    return outcome


def transact(connection: Connection, work: Callable[[], T]) -> T:
    """What `work` gives, committed; rolled back when it gives `Rejected` or raises.

    Raises:
        CommitUnknown: when SQLite failed.
    """
    try:
        if connection.in_transaction:  # an earlier rollback failed as well
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        outcome = work()
        connection.execute("ROLLBACK" if isinstance(outcome, Rejected) else "COMMIT")
        return outcome
    except Error as error:
        _roll_back(connection)
        raise CommitUnknown(f"the transaction failed, reopening the file shows what is on disk: {error}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        _roll_back(connection)
        raise NotStorable(f"SQLite cannot keep a value of this transaction, nothing was written: {error}") from error
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: Connection) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except Error:  # the failure that brought us here is the one to report; the next transaction tries again
        pass


def _apply(connection: Connection, batch: Batch) -> Committed | Rejected:
    owner = connection.execute("SELECT node, fence FROM lease").fetchone()
    if owner != (batch.node, batch.fence):
        return Rejected(fenced=True)
    return _write_batch(connection, batch)


def _write_batch(connection: Connection, batch: Batch) -> Committed | Rejected:
    facts = look_up(connection, needs(batch))
    outcome = plan(batch, facts)
    if isinstance(outcome, Rejected):
        return outcome
    _write(connection, outcome, facts, batch.at + 0.0)
    return Committed(batch=outcome.batch, known=outcome.known, dropped=frozenset(outcome.dropped))


def _write(connection: Connection, changes: Plan, facts: Facts, at: float) -> None:
    _write_mail(connection, changes, facts)
    _write_actors(connection, changes)
    _write_effects(connection, changes)
    _write_views(connection, changes)
    _write_keys(connection, changes, at)
    _write_entries(connection, changes, at)


def _write_mail(connection: Connection, changes: Plan, facts: Facts) -> None:
    errors, started = changes.errors, changes.started
    connection.executemany("DELETE FROM message WHERE seq = ?", [(seq,) for seq in changes.taken.values()])
    if changes.rewritten:
        _rewrite(connection, changes)
    if changes.parked:
        rows = [parked_row(one, errors.get((one.envelope.receiver, one.envelope.id), "")) for one in changes.parked]
        insert(connection, "parked", PARKED_COLUMNS, rows, or_replace=True)
    born = [
        (*message_row(seq, envelope, errors.get(mail, "")), mail in started)
        for seq, (mail, envelope) in enumerate(changes.born.items(), start=facts.messages + 1)
    ]
    insert(connection, "message", f"{MESSAGE_COLUMNS}, started", born, tail="ON CONFLICT (receiver, id) DO NOTHING")
    marks = [mail for mail in started if mail not in changes.born]
    connection.executemany("UPDATE message SET started = 1 WHERE receiver = ? AND id = ?", marks)


def _rewrite(connection: Connection, changes: Plan) -> None:
    statement = "UPDATE message SET attempts = ?, not_before = ?, error = ?, started = 0, digest = ? WHERE seq = ?"
    rows: list[Row] = []
    for mail, envelope in changes.rewritten.items():
        error = changes.errors[mail]
        row = message_row(envelope.seq, envelope, error)
        rows.append((envelope.attempts, envelope.not_before + 0.0, error, row[-1], envelope.seq))
    connection.executemany(statement, rows)


def _write_actors(connection: Connection, changes: Plan) -> None:
    kept: list[Row] = []
    given: list[Row] = []
    for actor, change in changes.actors.items():
        if change.keeps_state and not change.is_new:
            kept.append(_kept_row(connection, actor, change))
        else:
            state = record_fields(change.state)
            given.append((*actor_row(actor, change, digest(actor, *state)), *state))
    columns = ACTOR_COLUMNS.split(", ")[2:]
    update = ", ".join(f"{column} = excluded.{column}" for column in columns)
    insert(connection, "actor", ACTOR_COLUMNS, given, tail=f"ON CONFLICT (id) DO UPDATE SET {update}")
    statement = "UPDATE actor SET revision = ?, sent = ?, last_turn = ?, ended = ?, digest = ? WHERE id = ?"
    connection.executemany(statement, kept)


def _kept_row(connection: Connection, actor: ActorId, change: ActorChange) -> Row:
    (content,) = connection.execute("SELECT content FROM actor WHERE id = ?", (actor,)).fetchone()
    _, _, revision, _, sent, last_turn, ended, seal = actor_row(actor, change, content)
    return (revision, sent, last_turn, ended, seal, actor)


def _write_effects(connection: Connection, changes: Plan) -> None:
    insert(connection, "effect", EFFECT_COLUMNS, [effect_row(effect) for effect in changes.effects.values()])
    settled: list[Row] = []
    for effect, state in changes.states.items():
        kept = connection.execute("SELECT content, attempts FROM effect WHERE id = ?", (effect,)).fetchone()
        settled.append((state.value, digest(effect, kept[0], state.value, kept[1]), effect))
    connection.executemany("UPDATE effect SET state = ?, digest = ? WHERE id = ?", settled)


def _write_views(connection: Connection, changes: Plan) -> None:
    gone = [identity for identity, view in changes.views.items() if view.body is None]
    rows = [view_row(view) for view in changes.views.values() if view.body is not None]
    connection.executemany("DELETE FROM view WHERE kind = ? AND key = ?", gone)
    insert(connection, "view", VIEW_COLUMNS, rows, or_replace=True)


def _write_keys(connection: Connection, changes: Plan, at: float) -> None:
    keys = [
        sealed(receiver, key, known.id, *record_fields(known.reply), at)
        for (receiver, key), known in changes.keys.items()
    ]
    insert(connection, "dedup", "receiver, key, id, tag, version, body, at, digest", keys, or_replace=True)
    cursors = [sealed(name, position) for name, position in changes.cursors.items()]
    insert(connection, "cursor", "name, position, digest", cursors, or_replace=True)


def _write_entries(connection: Connection, changes: Plan, at: float) -> None:
    if not changes.heads:
        return
    insert(connection, "entry", ENTRY_COLUMNS, [entry_row(entry) for entry in changes.entries])
    heads = [sealed(stream, head.position, head.hash) for stream, head in changes.heads.items()]
    insert(connection, "head", "stream, position, hash, digest", heads, or_replace=True)
    row = sealed(changes.batch, at, changes.batch_hash)
    insert(connection, "batch", "number, at, hash, digest", [row])
