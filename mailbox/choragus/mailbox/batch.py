"""The write: one transaction for a batch, as plain functions over a connection.

Facts are looked up, the batch is planned, the plan is written with a few statements per kind of row, and committed.
Whoever calls these runs them whole, in the thread that owns the connection: nothing here awaits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from sqlite3 import SQLITE_BUSY, Connection, Error, OperationalError
from typing import TypeVar

from .address import ActorId
from .bulk import Statement, amendment, answers, fill, filled, insertion, put, question
from .digest import digest
from .errors import CommitUnknown, NotStorable
from .facts import Standing, look_up, standing
from .filing import file
from .need import needs
from .plan import UNFINISHED, Facts, Plan, plan
from .row import (
    ACTOR_COLUMNS,
    BATCH_COLUMNS,
    CURSOR_COLUMNS,
    DEDUP_COLUMNS,
    EFFECT_COLUMNS,
    ENTRY_COLUMNS,
    HEAD_COLUMNS,
    MESSAGE_COLUMNS,
    PARKED_COLUMNS,
    STEP_COLUMNS,
    VIEW_COLUMNS,
    Row,
    actor_row,
    batch_row,
    effect_row,
    entry_row,
    message_row,
    parked_row,
    record_fields,
    sealed,
    step_row,
    text,
    view_row,
)
from .turn import Batch, Committed, Envelope, Rejected

T = TypeVar("T")

PUT_MESSAGE = insertion("message", f"{MESSAGE_COLUMNS}, started", conflict="(receiver, id) DO NOTHING")
PUT_PARKED = insertion("parked", PARKED_COLUMNS, replace=True)

_TAKE = Statement("DELETE FROM message WHERE seq IN (VALUES ", 1, ")")
_REWRITE = amendment("message", "seq", "attempts, not_before, error, digest, started")
_MARK = amendment("message", "receiver, id", "started")
_NEW = ", ".join(f"{column} = excluded.{column}" for column in ACTOR_COLUMNS.split(", ")[1:])
_PUT_ACTOR = insertion("actor", ACTOR_COLUMNS, conflict=f"(id) DO UPDATE SET {_NEW}")
_ADVANCE_ACTOR = amendment("actor", "id", "revision, sent, last_turn, ended, digest")
_CONTENT = question("hex(content)", "actor", "id")
_PUT_EFFECT = insertion("effect", EFFECT_COLUMNS)
_SETTLE = amendment("effect", "id", "state, digest")
_END = Statement("DELETE FROM effect WHERE id IN (VALUES ", 1, ")")
_SETTLED = question("hex(content) || attempts", "effect", "id")
_PUT_VIEW = insertion("view", VIEW_COLUMNS, replace=True)
_CHANGE_VIEW = amendment("view", "kind, key, scope, sort", "body, digest")
_PUT_KEY = insertion("dedup", DEDUP_COLUMNS, replace=True)
_PUT_CURSOR = insertion("cursor", CURSOR_COLUMNS, replace=True)
_PUT_STEP = insertion("step", STEP_COLUMNS, replace=True)
_PUT_ENTRY = insertion("entry", ENTRY_COLUMNS)
_PUT_HEAD = insertion("head", HEAD_COLUMNS)
_ADVANCE_HEAD = amendment("head", "number", "position, hash, digest")
_PUT_BATCH = insertion("batch", BATCH_COLUMNS)
_CONTENT_SIZE = 32
"""Hexadecimal digits of a digest."""


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
    outcome = transact(connection, lambda: _write_batch(connection, batch, standing(connection)))
    assert isinstance(outcome, Committed)  # a batch without turns has no offender
    return outcome


def transact(connection: Connection, work: Callable[[], T]) -> T:
    """What `work` gives, committed; rolled back when it gives `Rejected` or raises.

    Raises:
        CommitUnknown: when SQLite failed and may do better next time.
        sqlite3.Error: when it never will.
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
        is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == SQLITE_BUSY
        if is_busy or not isinstance(error, OperationalError):
            raise  # a damaged file, a value that will never do, or a lock, without which nothing was begun
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
    now = standing(connection)
    if (now.node, now.fence) != (batch.node, batch.fence):
        return Rejected(fenced=True)
    return _write_batch(connection, batch, now)


def _write_batch(connection: Connection, batch: Batch, now: Standing) -> Committed | Rejected:
    facts = look_up(connection, needs(batch), now)
    outcome = plan(batch, facts)
    if isinstance(outcome, Rejected):
        return outcome
    _write(connection, outcome, facts, batch.at + 0.0, now.streams)
    return Committed(batch=outcome.batch, known=outcome.known, dropped=frozenset(outcome.dropped))


def _write(connection: Connection, changes: Plan, facts: Facts, at: float, streams: int) -> None:
    _write_mail(connection, changes, facts)
    _write_actors(connection, changes)
    _write_effects(connection, changes)
    _write_rows(connection, changes, at)
    _write_entries(connection, changes, at, streams)
    if changes.documents or changes.scrubbed:
        file(connection, tuple(changes.documents.values()), changes.scrubbed)


def _write_mail(connection: Connection, changes: Plan, facts: Facts) -> None:
    errors, started = changes.errors, changes.started
    fill(connection, _TAKE, [(seq,) for seq in changes.taken.values()])
    fill(connection, _REWRITE, [_counts(envelope, errors[mail]) for mail, envelope in changes.rewritten.items()])
    put(connection, PUT_PARKED, [parked_row(one) for one in changes.parked])
    born = [
        (*message_row(min(envelope.seq, 0) or seq, envelope, errors.get(mail, "")), mail in started)
        for seq, (mail, envelope) in enumerate(changes.born.items(), start=facts.messages + 1)
    ]
    put(connection, PUT_MESSAGE, born)
    fill(connection, _MARK, [(*mail, 1) for mail in started if mail not in changes.born])


def _counts(envelope: Envelope, error: str) -> Row:
    row = message_row(envelope.seq, envelope, error)
    return (envelope.seq, envelope.attempts, envelope.not_before + 0.0, error, row[-1], 0)


def _write_actors(connection: Connection, changes: Plan) -> None:
    kept: list[ActorId] = []
    given: list[Row] = []
    for actor, change in changes.actors.items():
        if change.keeps_state and not change.is_new:
            kept.append(actor)
        else:
            state = record_fields(change.state)
            given.append((*actor_row(actor, change, digest(actor, *state)), *state))
    put(connection, _PUT_ACTOR, given)
    contents = answers(connection, _CONTENT, [(actor,) for actor in kept])
    rows = [actor_row(kept[place], changes.actors[kept[place]], bytes.fromhex(content)) for place, content in contents]
    fill(connection, _ADVANCE_ACTOR, [(row[0], row[2], *row[4:]) for row in rows])


def _write_effects(connection: Connection, changes: Plan) -> None:
    intended = [effect for effect in changes.effects.values() if effect.state in UNFINISHED]
    put(connection, _PUT_EFFECT, [effect_row(effect) for effect in intended])
    fill(connection, _END, [(effect,) for effect, state in changes.states.items() if state not in UNFINISHED])
    settled = [(effect, state) for effect, state in changes.states.items() if state in UNFINISHED]
    rows: list[Row] = []
    for place, kept in answers(connection, _SETTLED, [(effect,) for effect, _ in settled]):
        effect, state = settled[place]
        content, attempts = bytes.fromhex(kept[:_CONTENT_SIZE]), int(kept[_CONTENT_SIZE:])
        rows.append((effect, state.value, digest(effect, content, state.value, attempts)))
    fill(connection, _SETTLE, rows)


def _write_rows(connection: Connection, changes: Plan, at: float) -> None:
    gone = [identity for identity, view in changes.views.items() if view.body is None]
    if gone:
        connection.executemany("DELETE FROM view WHERE kind = ? AND key = ?", gone)
    views = [view_row(view) for view in changes.views.values() if view.body is not None]
    if filled(connection, _CHANGE_VIEW, views) < len(views):  # most have only another body: their indexes stay
        put(connection, _PUT_VIEW, views)
    keys = [
        sealed(receiver, key, known.id, *record_fields(known.reply), at)
        for (receiver, key), known in changes.keys.items()
    ]
    put(connection, _PUT_KEY, keys)
    put(connection, _PUT_STEP, [step_row(step) for step in changes.steps])
    if changes.stepped:
        connection.executemany("DELETE FROM step WHERE actor = ? AND message = ?", changes.stepped)
    put(connection, _PUT_CURSOR, [sealed(name, position) for name, position in changes.cursors.items()])


def _write_entries(connection: Connection, changes: Plan, at: float, streams: int) -> None:
    if changes.heads:
        given = count(streams + 1)
        numbers = {stream: head.number or next(given) for stream, head in changes.heads.items()}
        put(connection, _PUT_ENTRY, [entry_row(entry, numbers[entry.stream]) for entry in changes.entries])
        heads = [sealed(numbers[stream], stream, head.position, head.hash) for stream, head in changes.heads.items()]
        put(connection, _PUT_HEAD, [row for row in heads if not changes.heads[text(row[1])].number])
        known = [(row[0], *row[2:]) for row in heads if changes.heads[text(row[1])].number]
        fill(connection, _ADVANCE_HEAD, known)
        put(connection, _PUT_BATCH, [batch_row(changes.batch, at, changes.batch_hash)])
