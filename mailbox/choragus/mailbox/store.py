"""The store: what the runtime needs from whatever keeps its turns. Nothing above this line knows SQL."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol

from .address import ActorId
from .document import Collection, Document, Hit
from .turn import (
    Batch,
    Claim,
    Committed,
    Effect,
    Envelope,
    Extent,
    LogEntry,
    Parked,
    Pruned,
    Pruning,
    Rejected,
    Snapshot,
    Step,
    Tombstone,
    Verification,
    View,
)


class Store(Protocol):
    """One durable home for mailboxes, states, effects, streams and views.

    One process at a time owns it (`claim`) and commits turns; others are visitors, which read, `append` and `requeue`.
    No method is cancelled half-way: a caller that goes away leaves the operation to finish.
    """

    async def claim(self, node: str, ttl: float, now: float) -> Claim:
        """Own the store: the fence is one higher than any before.

        On an unclean end of the last owner, messages marked `started` get one more `interrupted`, and open effects one
        more of their `attempts`.

        Raises:
            FileInUse: when a live owner holds it, with a lease that has not expired.
        """
        ...

    async def renew(self, node: str, ttl: float, now: float) -> bool:
        """Push the lease's end out; False when the lease is lost."""
        ...

    async def release(self, node: str) -> None:
        """Give the store up in order: the next owner finds it clean."""
        ...

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """Write the batch in one transaction, flushed, or nothing of it.

        Raises:
            CommitUnknown: when the transaction failed such that it may or may not be on disk.
        """
        ...

    async def append(self, envelopes: Sequence[Envelope]) -> Committed:
        """Put messages from outside; needs no claim.

        Idempotent by (receiver, id) while the message waits, and by (receiver, key) for as long as the key is kept.
        """
        ...

    async def load(self, actor: ActorId) -> Snapshot:
        """The actor as last committed, and what it has set aside; of that, messages whose digest is wrong are parked.

        Raises:
            CorruptRecord: when the stored state is not what was written.
        """
        ...

    async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
        """What is due for the actor, in order; a message whose digest is wrong is parked instead.

        A message in backoff is due: it comes in its place, with its `not_before`. Timers have the places in which they
        were set, and fill them in the order of their time.
        """
        ...

    async def waiting(self, now: float) -> list[ActorId]:
        """The actors that have due mail."""
        ...

    async def next_due(self, now: float) -> float | None:
        """When the next message that is not due yet will be."""
        ...

    async def rings(self, now: float) -> list[Envelope]:
        """The rings of tickers that are not due yet, of all actors; damaged ones are left out.

        A ring is a timer's message with a `reply_then` and no `reply_to`.
        """
        ...

    async def effects(self) -> list[Effect]:
        """The effects that are open or held."""
        ...

    async def steps(self, actor: ActorId, message: str) -> list[Step]:
        """The steps that were begun for a message that still waits, by name and number; finished ones have a result.

        Raises:
            CorruptRecord: when one is not what was written.
        """
        ...

    async def read(self, stream: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Entries of one stream behind a position, in order; those that were pruned are passed over.

        Raises:
            CorruptRecord: when one of them is missing or not what was written.
        """
        ...

    async def extent(self, stream: str) -> Extent:
        """Where the stream begins and ends."""
        ...

    async def log(self, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Entries of all streams behind a `seq`, in commit order; those that were pruned are passed over."""
        ...

    async def views(self, kind: str, scope: str | None = None) -> list[View]:
        """The rows of a kind (within a scope), by `sort` and key; damaged ones are left out: see `verify`."""
        ...

    async def view(self, kind: str, key: str) -> View | None:
        """One row."""
        ...

    async def search(self, collection: str, query: str, limit: int = 10) -> list[Hit]:
        """The documents of a collection that fit a query best, best first; of equals the oldest first.

        The query is words, whatever it holds: nothing in it is syntax. Those with any of its words come, scored by BM25
        with the figures of that collection alone; but a word that stands in more than 1,000 documents only orders what
        rarer words have found, unless there are none, or these have found too few. Damaged documents are left out: see
        `verify`.
        """
        ...

    async def document(self, collection: str, id: str) -> Document | None:
        """One document.

        Raises:
            CorruptRecord: when it is not what was written.
        """
        ...

    async def documents(self, collection: str, after: int = 0, limit: int = 1000) -> list[Document]:
        """The documents of a collection behind a number, in the order in which they were put.

        Raises:
            CorruptRecord: when one of them is not what was written.
        """
        ...

    async def picked(self, numbers: Sequence[int]) -> list[Document]:
        """The documents of those numbers, in that order; without those that are gone, or damaged."""
        ...

    async def document_ids(
        self, collection: str, *, subject: str | None = None, before: float = inf, limit: int = 1000
    ) -> list[str]:
        """The ids of documents whose `at` is before a time, oldest first, or of one subject's; damaged ones too."""
        ...

    async def vectors(self, collection: str, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """Number and vector of the documents behind a number that have one, in order; not checked, see `picked`."""
        ...

    async def collections(self, name: str | None = None) -> list[Collection]:
        """How the collections stand, by name; or only the one of that name, if it is there.

        Raises:
            CorruptRecord: when one is not what was written.
        """
        ...

    async def parked(self) -> list[Parked]:
        """The parked messages, oldest first."""
        ...

    async def requeue(self, receiver: ActorId, message: str) -> bool:
        """Put a parked message at the tail of its mailbox, its counts at zero; False when it is not parked.

        Raises:
            CorruptRecord: when it was parked because its bytes are not what was sent.
        """
        ...

    async def cursor(self, name: str) -> int:
        """A reader's position, as committed in `Batch.cursors`; 0 when never set."""
        ...

    async def changed(self) -> bool:
        """Whether somebody else has written since the last call, or since the store was opened.

        Whatever did not come by `commit` is somebody else's, `append` and `requeue` on this object included.
        """
        ...

    async def prune(self, pruning: Pruning) -> Pruned:
        """Take away, in one short transaction, at most `limit` entries and records; call it until it is `done`.

        Needs no claim: whatever is in use stays, and the owner notices what is gone. Nothing is taken at all, and
        `in_use` says why, while a message waits for one of the actors, an effect of theirs is open or held, or a reader
        with a cursor has not come to the last of the entries. Entries go first, oldest first, and leave a tombstone.
        Then effects, kept replies and parked messages of the actors go, and at last the views and the actors' states.
        An actor stays as one that has ended: it begins no second life, and what is sent to it is parked. A kept reply
        whose message still waits, or is parked, stays. A limit of 0 only looks whether anything is in use.
        """
        ...

    async def tombstones(self) -> list[Tombstone]:
        """What is left of pruned entries, by stream."""
        ...

    async def verify(self) -> Verification:
        """Check every digest, every hash chain, and the file itself; tombstones are accepted and reported."""
        ...

    async def landed(self, batch: Batch) -> Committed | None:
        """Whether a batch is on disk whose commit raised `CommitUnknown`; asked after `reopen`, by its owner.

        Gives what the commit would have given, without `dropped`, or None: then it may be committed again. Nothing else
        must have been committed since.
        """
        ...

    async def reopen(self) -> None:
        """Begin anew on the same records after a `CommitUnknown`, with nothing of the failed transaction in memory.

        The claim stays, and with it the fence. What is read from now on is what is on disk: `load` tells by revision
        and `last_turn` which turns of the failed batch are. Yet until the next transaction has committed, a crash may
        still raise one that was read as absent; so tell nobody before. The next `changed` says yes.

        Raises:
            StoreError: when that is not possible; it may be tried again.
        """
        ...

    async def close(self) -> None:
        """Let go of every resource; claims end with it."""
        ...
