"""What is written: messages as they wait, effects, logbook entries, views, and the turn that holds them together.

Everything here is a value. A turn is everything that one handler call changed; the store writes it whole or not at
all. Times are wall-clock seconds since the epoch; 0.0 means "at once" or "never set".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from math import inf

import attrs

from .address import ActorId
from .codec import Record
from .document import Document

SYSTEM_STREAM = "system"

ASIDE = inf
"""When a message is due that was set aside: never, until it is taken up again."""


class OnInterrupt(Enum):
    """What happens to an effect that was open when the process died."""

    RERUN = "rerun"
    """It only reads, or takes an idempotency key: run it again."""
    UNKNOWN = "unknown"
    """It cannot be undone: nobody guesses, the actor is told that its outcome is unknown."""


class EffectState(Enum):
    """Where an effect stands. Every state but OPEN, HELD and UNKNOWN is final, and then its row is gone."""

    OPEN = "open"
    HELD = "held"
    """Committed, and known not to have started when the process ended in order."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    """A person said what became of an unknown one."""
    CANCELLED = "cancelled"


@attrs.frozen(kw_only=True)
class Envelope:
    """A stored message.

    `id` is unique per receiver and stable over crashes: the sender and the sender's count. `seq` is given by the
    store and only orders. `then` names the receiver's method when the message is the answer to something that it
    asked for; `reply_to` is the durable actor that gets the handler's return value, at its method `reply_then`.
    An `answer` takes the place of the receiver's waiting timer of the same name; when that is gone it is dropped.
    """

    id: str
    receiver: ActorId
    sender: str
    record: Record
    due: float = 0.0
    timer: str = ""
    then: str = ""
    reply_to: str = ""
    reply_then: str = ""
    answer: bool = False
    key: str = ""
    trace: str = ""
    seq: int = 0
    attempts: int = 0
    interrupted: int = 0
    not_before: float = 0.0


@attrs.frozen(kw_only=True)
class Effect:
    """The intent of one call to the outside world; it is on disk before the call begins."""

    id: str
    actor: ActorId
    runner: str
    record: Record
    then: str
    on_interrupt: OnInterrupt
    created: float
    attempts: int = 0
    state: EffectState = EffectState.OPEN


@attrs.frozen(kw_only=True)
class Closure:
    """The result of an effect: closes the row and delivers the envelope, together."""

    effect: str
    state: EffectState
    envelope: Envelope


@attrs.frozen(kw_only=True)
class Step:
    """One step of a handler: the `number`th of its `name` for that message, begun; with a result, finished."""

    actor: ActorId
    message: str
    name: str
    number: int
    result: Record | None = None


@attrs.frozen
class Entry:
    """One line for an append-only, hash-chained stream. `body` is a JSON object."""

    stream: str
    kind: str
    at: float
    body: bytes


@attrs.frozen(kw_only=True)
class LogEntry:
    """An entry as it stands: `position` counts from 1 within its stream, `seq` orders all streams of the file."""

    seq: int
    stream: str
    position: int
    kind: str
    at: float
    body: bytes
    batch: int
    hash: bytes


@attrs.frozen(kw_only=True)
class View:
    """A small row for readers, replaced by (kind, key); `body` is a JSON object, None deletes the row."""

    kind: str
    key: str
    scope: str = ""
    sort: float = 0.0
    body: bytes | None


@attrs.frozen(kw_only=True)
class Attempt:
    """A failed try at a message: the new count, why, and when the next may begin."""

    message: str
    attempts: int
    error: str
    not_before: float


@attrs.frozen(kw_only=True)
class Parking:
    """A message taken out of its mailbox because it cannot be handled."""

    message: str
    reason: str


@attrs.frozen(kw_only=True)
class Parked:
    """A parked message as it is listed."""

    envelope: Envelope
    reason: str
    at: float


def requeued(envelope: Envelope, *, is_timer: bool) -> Envelope:
    """A parked message as it goes back to its mailbox; the ring of a ticker, which has gone on, as a plain message.

    A timer's time has come before it was parked: its place is now at the tail, as that of every other.

    Args:
        is_timer: whether its timer's name is still free.
    """
    fresh = attrs.evolve(envelope, due=0.0, attempts=0, interrupted=0, not_before=0.0)
    return fresh if is_timer and not _is_ring(envelope) else _without_timer(fresh)


def stashed(envelope: Envelope) -> Envelope:
    """The message as it is kept while it is set aside, behind what was set aside before."""
    return attrs.evolve(_without_timer(envelope), seq=0, due=ASIDE, not_before=0.0)


def _without_timer(envelope: Envelope) -> Envelope:
    return attrs.evolve(envelope, timer="", reply_then="" if _is_ring(envelope) else envelope.reply_then)


def _is_ring(envelope: Envelope) -> bool:
    return bool(envelope.timer and envelope.reply_then and not envelope.reply_to)


@attrs.frozen(kw_only=True)
class Turn:
    """Everything that one handler call changed, or one failed call recorded.

    The turn takes the actor from `revision` to `revision + 1`. `state` None leaves the state as it was. `sent` is the
    sender's count after this turn. A send with a `timer` name replaces the waiting one of that name.
    """

    id: str
    actor: ActorId
    fence: int
    revision: int
    consumed: tuple[str, ...] = ()
    state: Record | None = None
    sent: int = 0
    sends: tuple[Envelope, ...] = ()
    timers_cancelled: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    effects_settled: tuple[tuple[str, EffectState], ...] = ()
    entries: tuple[Entry, ...] = ()
    views: tuple[View, ...] = ()
    stepped: tuple[str, ...] = ()
    """Messages that are taken for good, whose steps need not be known any longer."""
    attempts: tuple[Attempt, ...] = ()
    parked: tuple[Parking, ...] = ()
    stashed: tuple[str, ...] = ()
    """Messages in hand that stay, set aside; a timer's is a plain message from then on."""
    unstashed: tuple[str, ...] = ()
    """Messages that were set aside, by this very turn too: they come before all that wait, in this order."""
    replies: tuple[tuple[str, Record], ...] = ()
    """(message id, reply) for consumed messages that carried a key: kept for whoever asks again."""
    ended: bool = False
    documents: tuple[Document, ...] = ()
    """Put, replaced or deleted, in this order; their indexes change in the same transaction."""
    scrubbed: tuple[str, ...] = ()
    """Collections whose index is written anew, so that nothing in it is left of what was deleted."""


@attrs.frozen(kw_only=True)
class Batch:
    """What one transaction writes: whole, or nothing."""

    node: str
    fence: int
    at: float
    turns: tuple[Turn, ...] = ()
    appends: tuple[Envelope, ...] = ()
    closures: tuple[Closure, ...] = ()
    started: tuple[tuple[ActorId, str], ...] = ()
    """(receiver, message id) of turns that are running while this batch is formed."""
    held: tuple[str, ...] = ()
    """Effects known not to have started, at the orderly end."""
    entries: tuple[Entry, ...] = ()
    steps: tuple[Step, ...] = ()
    """Steps that begin or end within a turn that has not ended; they stay when it fails."""
    cursors: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Known:
    """The answer to an append whose (receiver, key) was there before: the first message's id, and its reply if any."""

    id: str
    reply: Record | None


@attrs.frozen(kw_only=True)
class Committed:
    """The batch is on disk."""

    batch: int
    known: Mapping[str, Known] = attrs.field(factory=dict)
    """By the id of the appended message that was not appended because its key was there."""
    dropped: frozenset[str] = frozenset()
    """Ids of effects whose closure was ignored, because they were no longer open, and of answers that came too late."""


@attrs.frozen(kw_only=True)
class Rejected:
    """Nothing of the batch is on disk. `fenced`: this node no longer owns the file."""

    fenced: bool = False
    offenders: Mapping[str, str] = attrs.field(factory=dict)
    """By turn id: `revision` (another turn came first) or `consumed` (the message is gone)."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """An actor as last committed; revision 0 and no state when there never was a turn."""

    revision: int = 0
    state: Record | None = None
    last_turn: str = ""
    sent: int = 0
    ended: bool = False
    stash: tuple[str, ...] = ()
    """The messages that are set aside, in order."""


@attrs.frozen(kw_only=True)
class Claim:
    """Ownership of a file: the fence that every turn must carry, and whether the last owner ended in order."""

    fence: int
    clean: bool


@attrs.frozen(kw_only=True)
class Tombstone:
    """What is left of pruned entries: those of `stream` at positions 1 to `position` were there, and are gone.

    `hash` and `seq` are those of the last of them: the entry behind it, or the stream's head, continues from there.
    """

    stream: str
    position: int
    seq: int
    hash: bytes
    at: float

    @property
    def count(self) -> int:
        """How many entries are gone."""
        return self.position


@attrs.frozen(kw_only=True)
class Extent:
    """Where a stream begins and ends: `first` is 1 unless it was pruned, and `last` + 1 when nothing is left."""

    first: int = 1
    last: int = 0

    @property
    def count(self) -> int:
        """How many entries are there."""
        return self.last - self.first + 1


@attrs.frozen(kw_only=True)
class Pruning:
    """What `Store.prune` is asked to take away; `limit` bounds one call, so that it holds the file for short.

    `streams` say up to which position; `actors` have come to their end, `views` are named by kind and key. Kept replies
    of all actors go when they were given before `keys_before`.
    """

    at: float
    streams: Mapping[str, int] = attrs.field(factory=dict)
    actors: tuple[ActorId, ...] = ()
    views: tuple[tuple[str, str], ...] = ()
    keys_before: float = 0.0
    limit: int = 100


@attrs.frozen(kw_only=True)
class Pruned:
    """What one call of `Store.prune` took away. `in_use` says why it took nothing; `done`: nothing is left to take."""

    entries: int = 0
    records: int = 0
    """Finished effects, kept replies and parked messages."""
    states: int = 0
    done: bool = False
    in_use: str = ""
    seconds: float = attrs.field(default=0.0, eq=False)
    """How long the store was held for it."""


@attrs.frozen(kw_only=True)
class Verification:
    """What `verify` found; `problems` is empty when the file is whole. `tombstones` stand where entries were pruned.

    `forks` counts the streams that begin with a citation of another.
    """

    entries: int
    streams: int
    batches: int
    records: int
    problems: tuple[str, ...]
    tombstones: tuple[Tombstone, ...] = ()
    forks: int = 0
