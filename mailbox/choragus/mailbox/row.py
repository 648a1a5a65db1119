"""Between values and rows of the SQLite store: every row leaves with its digest, and is checked against it on return.

Times become `time + 0.0`, so that an integer or a negative zero is digested as the float that SQLite gives back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from sqlite3 import Connection, OperationalError
from typing import TypeAlias, TypeVar, cast

from .address import ActorId, shard_of
from .audit import entry_name
from .codec import Record
from .digest import Field, digest
from .errors import CorruptRecord
from .phrase import shortened, spelled_out
from .plan import ActorChange
from .schema import (
    ACTOR,
    BATCH,
    CURSOR,
    DEDUP,
    EFFECT,
    ENTRY,
    GAP,
    HEAD,
    LEASE,
    LINK,
    MESSAGE,
    META,
    PARKED,
    STEP,
    TOMBSTONE,
    VIEW,
    Table,
)
from .turn import Effect, EffectState, Envelope, LogEntry, OnInterrupt, Parked, Snapshot, Step, Tombstone, View

Row = tuple[Field, ...]
"""What SQLite gives and takes; the digest of a row stands where its table says."""

T = TypeVar("T")

_Message: TypeAlias = tuple[
    *tuple[int, ActorId, str, int, str, str, int, bytes, float, str, str, str, str],
    *tuple[int, str, str, int, int, float],
]
_KINDS = (int, str, str, int, str, str, int, bytes, float, str, str, str, str, int, str, str, int, int, float)
"""The types of the first columns of `message` and `parked`."""

MESSAGE_COLUMNS = f"{', '.join(MESSAGE.sealed)}, digest"
PARKED_COLUMNS = f"{', '.join(PARKED.sealed)}, digest"
ACTOR_COLUMNS = f"{', '.join(ACTOR.sealed)}, digest, {', '.join(ACTOR.content[1:])}"
EFFECT_COLUMNS = f"{', '.join(EFFECT.sealed)}, digest, {', '.join(EFFECT.content[1:])}"
ENTRY_COLUMNS = f"{', '.join(ENTRY.sealed)}, digest"
VIEW_COLUMNS = f"{', '.join(VIEW.sealed)}, digest"
META_COLUMNS = f"{', '.join(META.sealed)}, digest"
HEAD_COLUMNS = f"{', '.join(HEAD.sealed)}, digest"
BATCH_COLUMNS = f"{', '.join(BATCH.sealed)}, digest"
DEDUP_COLUMNS = f"{', '.join(DEDUP.sealed)}, digest"
CURSOR_COLUMNS = f"{', '.join(CURSOR.sealed)}, digest"
LEASE_COLUMNS = f"{', '.join(LEASE.sealed)}, digest"
TOMBSTONE_COLUMNS = f"{', '.join(TOMBSTONE.sealed)}, digest"
LINK_COLUMNS = f"{', '.join(LINK.sealed)}, digest"
STEP_COLUMNS = f"{', '.join(STEP.sealed)}, digest"
GAP_COLUMNS = f"{', '.join(GAP.sealed)}, digest"


def sealed(*fields: Field) -> Row:
    """The fields and their digest."""
    return (*fields, digest(*fields))


def is_whole(row: Row) -> bool:
    """Whether the last column is the digest of those before it."""
    return row[-1] == digest(*row[:-1])


def message_row(seq: int, envelope: Envelope, error: str = "") -> Row:
    """A row of `message`, in the order of MESSAGE_COLUMNS."""
    record = envelope.record
    return sealed(
        seq,
        envelope.receiver,
        envelope.id,
        shard_of(envelope.receiver),
        envelope.sender,
        record.tag,
        record.version,
        record.body,
        envelope.due + 0.0,
        envelope.timer,
        envelope.then,
        envelope.reply_to,
        envelope.reply_then,
        int(envelope.answer),
        envelope.key,
        envelope.trace,
        envelope.attempts,
        envelope.interrupted,
        envelope.not_before + 0.0,
        error,
    )


def parked_row(parked: Parked) -> Row:
    """A row of `parked`, in the order of PARKED_COLUMNS."""
    envelope = parked.envelope
    return sealed(*message_row(envelope.seq, envelope, parked.reason)[:-1], parked.at + 0.0)


def envelope_of(row: Row) -> Envelope:
    """The message in a row of `message` that is whole: each value has the type with which it was written."""
    fields = cast("_Message", row[:19])
    seq, receiver, id, _, sender, tag, version, body, due, timer, then, reply_to, reply_then = fields[:13]
    answer, key, trace, attempts, interrupted, not_before = fields[13:]
    return Envelope(
        seq=seq,
        receiver=receiver,
        id=id,
        sender=sender,
        record=Record(tag, version, body),
        due=due,
        timer=timer,
        then=then,
        reply_to=reply_to,
        reply_then=reply_then,
        answer=answer == 1,
        key=key,
        trace=trace,
        attempts=attempts,
        interrupted=interrupted,
        not_before=not_before,
    )


def parked_of(row: Row) -> Parked:
    """The parked message in a row of `parked`, unchecked but for the types."""
    for value, kind in zip(row, _KINDS, strict=False):
        _typed(value, kind)
    return Parked(envelope=envelope_of(row), reason=text(row[19]), at=real(row[20]))


def record_fields(record: Record | None) -> tuple[str | None, int | None, bytes | None]:
    """Tag, version and body of a record that may be absent."""
    return (record.tag, record.version, record.body) if record else (None, None, None)


def actor_row(actor: ActorId, change: ActorChange, content: bytes) -> Row:
    """The columns of `actor` up to its digest; those of the state follow."""
    return sealed(actor, shard_of(actor), change.revision, content, change.sent, change.last_turn, int(change.ended))


def snapshot_of(row: Row) -> Snapshot:
    """The actor in a row of ACTOR_COLUMNS.

    Raises:
        CorruptRecord: when the row or the state is not what was written.
    """
    actor, _, revision, content, sent, last_turn, ended = row[:7]
    if row[7] != digest(*row[:7]) or content != digest(actor, *row[8:]):
        raise CorruptRecord(f"the state of actor {actor!r} does not match its digest: restore it from a backup")
    return Snapshot(
        revision=whole(revision),
        state=record_of(*row[8:]),
        last_turn=text(last_turn),
        sent=whole(sent),
        ended=bool(ended),
    )


def effect_row(effect: Effect) -> Row:
    """A row of `effect`, in the order of EFFECT_COLUMNS."""
    content: Row = (
        *(effect.actor, effect.runner, effect.record.tag, effect.record.version, effect.record.body, effect.then),
        *(effect.on_interrupt.value, effect.created + 0.0),
    )
    return (*sealed(effect.id, digest(effect.id, *content), effect.state.value, effect.attempts), *content)


def effect_of(row: Row) -> Effect:
    """The effect in a row of EFFECT_COLUMNS.

    Raises:
        CorruptRecord: when the row is not what was written.
    """
    identity, content, state, attempts = row[:4]
    if row[4] != digest(*row[:4]) or content != digest(identity, *row[5:]):
        raise CorruptRecord(f"effect {identity!r} does not match its digest: restore it from a backup")
    return Effect(
        id=text(identity),
        state=EffectState(state),
        attempts=whole(attempts),
        actor=ActorId(text(row[5])),
        runner=text(row[6]),
        record=Record(text(row[7]), whole(row[8]), raw(row[9])),
        then=text(row[10]),
        on_interrupt=OnInterrupt(row[11]),
        created=real(row[12]),
    )


def entry_row(entry: LogEntry, number: int) -> Row:
    """A row of `entry`, in the order of ENTRY_COLUMNS, in the stream of that number."""
    body = shortened(entry.stream, entry.body)
    fields = (entry.seq, number, entry.position, entry.kind, entry.at, body, entry.batch, entry.hash)
    return (*fields, digest(*fields)[: ENTRY.size])


def batch_row(number: int, at: float, hash_: bytes) -> Row:
    """A row of `batch`, in the order of BATCH_COLUMNS."""
    return (number, at, hash_, digest(number, at, hash_)[: BATCH.size])


def entry_of(row: Row, stream: str) -> LogEntry:
    """The entry in a row of ENTRY_COLUMNS, in the stream of that name.

    Raises:
        CorruptRecord: when the row is not what was written.
    """
    if row[-1] != digest(*row[:-1])[: ENTRY.size]:
        raise CorruptRecord(f"{entry_name(stream, row[2])} does not match its digest")
    return unchecked_entry(row, stream)


def unchecked_entry(row: Row, stream: str) -> LogEntry:
    """The entry in a row of ENTRY_COLUMNS, whatever its digest says; without a body when that is in no known form."""
    try:
        body = spelled_out(stream, raw(row[5]))
    except ValueError:
        body = b""
    return LogEntry(
        seq=whole(row[0]),
        stream=stream,
        position=whole(row[2]),
        kind=text(row[3]),
        at=real(row[4]),
        body=body,
        batch=whole(row[6]),
        hash=raw(row[7]),
    )


def view_row(view: View) -> Row:
    """A row of `view`, in the order of VIEW_COLUMNS."""
    return sealed(view.kind, view.key, view.scope, view.sort + 0.0, view.body)


def view_of(row: Row) -> View:
    """The view in a row of VIEW_COLUMNS.

    Raises:
        CorruptRecord: when the row is not what was written.
    """
    if not is_whole(row):
        raise CorruptRecord(f"view {row[0]!r} {row[1]!r} does not match its digest")
    return View(kind=text(row[0]), key=text(row[1]), scope=text(row[2]), sort=real(row[3]), body=raw(row[4]))


def step_row(step: Step) -> Row:
    """A row of `step`, in the order of STEP_COLUMNS."""
    return sealed(step.actor, step.message, step.name, step.number, *record_fields(step.result))


def step_of(row: Row) -> Step:
    """The step in a row of STEP_COLUMNS.

    Raises:
        CorruptRecord: when the row is not what was written.
    """
    actor, message, name, number = row[:4]
    if not is_whole(row):
        raise CorruptRecord(f"step {name!r} of {actor!r} does not match its digest: restore the file from a backup")
    kept = record_of(*row[4:7])
    return Step(actor=ActorId(text(actor)), message=text(message), name=text(name), number=whole(number), result=kept)


def tombstone_row(stone: Tombstone) -> Row:
    """A row of `tombstone`, in the order of TOMBSTONE_COLUMNS."""
    return sealed(stone.stream, stone.position, stone.seq, stone.hash, stone.at + 0.0)


def tombstone_of(row: Row) -> Tombstone:
    """The tombstone in a row of TOMBSTONE_COLUMNS, unchecked."""
    return Tombstone(stream=text(row[0]), position=whole(row[1]), seq=whole(row[2]), hash=raw(row[3]), at=real(row[4]))


def record_of(tag: Field, version: Field, body: Field) -> Record | None:
    """The record of three columns; None when they are empty."""
    return None if tag is None else Record(text(tag), whole(version), raw(body))


def describe(table: Table, row: Sequence[Field]) -> str:
    """How a record is named to people; the row holds the table's sealed columns first."""
    names = [f"{column} {row[table.sealed.index(column)]!r}" for column in table.key]
    return f"{table.name} with {' and '.join(names)}"


@contextmanager
def lenient(connection: Connection) -> Iterator[None]:
    """Read damaged text too, so that its digest can be compared."""
    before = connection.text_factory
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = before


def select(connection: Connection, statement: str, *parameters: Field) -> list[Row]:
    """All rows, also those whose text is no longer text."""
    try:
        return connection.execute(statement, parameters).fetchall()
    except OperationalError:
        with lenient(connection):
            return connection.execute(statement, parameters).fetchall()


def text(value: Field) -> str:
    """The value, which must be text."""
    return _typed(value, str)


def whole(value: Field) -> int:
    """The value, which must be an integer."""
    return _typed(value, int)


def real(value: Field) -> float:
    """The value, which must be a float."""
    return _typed(value, float)


def raw(value: Field) -> bytes:
    """The value, which must be bytes."""
    return _typed(value, bytes)


def _typed(value: Field, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise CorruptRecord(f"a stored {kind.__name__} reads as {value!r}")
    return value
