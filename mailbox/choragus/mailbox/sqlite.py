"""The store in one SQLite file, through aiosqlite: one connection, one thread, one hop per operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from sqlite3 import Connection, Error
from time import time
from typing import TypeVar, TypeVarTuple

import aiosqlite
import anyio
import attrs
from anyio import to_thread

from . import batch as writing
from . import lease as ownership
from . import query, searching
from .address import ActorId
from .document import Collection, Document, Hit
from .errors import StoreError
from .file import Synchronous, lock_path, open_file, translated
from .gathering import Gathering, each
from .lock import FileLock
from .pruning import prune
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
from .verification import verify_file

TOGETHER = 32
"""How many actors are read in one trip to the thread; with ten messages of 200 bytes each they take some 4 ms."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@attrs.define
class Handle:
    """The connection that a store uses at present, and how its commits are flushed."""

    connection: Connection
    synchronous: Synchronous

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def renew(self, path: Path) -> int:
        """Put a new connection to the same file in the place of this one; gives its `data_version`.

        The old one is closed last: without it the new one would read the write-ahead log as it stands in the system's
        cache, and take for committed what a flush has failed on.
        """
        old = self.connection
        with suppress(Error):  # a transaction that is left open may outlive its connection, and keep the file locked
            old.rollback()
        self.connection = open_file(path, visitor=True, synchronous=self.synchronous)
        with suppress(Error):
            old.close()
        return query.data_version(self.connection)


class SqliteStore:
    """A `Store` in one file, write-ahead logged and flushed at every commit.

    Open it with `await SqliteStore.open(path)` and always `close` it: aiosqlite's thread keeps the interpreter alive.
    An operation runs whole in that thread as one function; when its caller is cancelled, it still runs to its end.
    """

    def __init__(self, path: Path, handle: Handle, database: aiosqlite.Connection) -> None:
        self.path = path
        self._handle = handle
        self._database = database
        self._lock = FileLock(lock_path(path))
        self._version = query.data_version(handle.connection)
        self._foreign = False
        self._is_closed = False
        self._loads = Gathering(partial(self._hop, partial(each, query.load)), TOGETHER)
        self._fetches = Gathering(partial(self._hop, partial(each, _fetch)), TOGETHER)

    @classmethod
    async def open(cls, path: Path | str, *, visitor: bool = False, synchronous: Synchronous = "FULL") -> SqliteStore:
        """A store over the file, created when it is missing or empty.

        Args:
            path: the database; `-wal`, `-shm` and `.lock` appear beside it.
            visitor: for a process beside the owner: creates and migrates nothing.
            synchronous: FULL flushes every commit; NORMAL may lose the last ones when the power fails.

        Raises:
            NotChoragusFile: when the path holds something else; it is left untouched.
            NewerSchema: when a newer choragus wrote the file; it is left untouched.
            StoreError: when the path cannot be used, or a visitor finds nothing there.
        """
        opening = asyncio.ensure_future(cls._open(Path(path), visitor, synchronous))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):  # a connection that nobody closes keeps the interpreter alive
                await asyncio.wait([opening])
                if opening.exception() is None:
                    await opening.result().close()
            raise

    @classmethod
    async def _open(cls, path: Path, visitor: bool, synchronous: Synchronous) -> SqliteStore:
        connection = await to_thread.run_sync(lambda: open_file(path, visitor=visitor, synchronous=synchronous))
        handle = Handle(connection, synchronous)
        # aiosqlite asks of its connection nothing but `close`
        database = aiosqlite.Connection(lambda: handle, iter_chunk_size=64)  # type: ignore[arg-type,return-value]
        await database
        try:
            with translated(path):  # the first read, which may be the first to need the -shm
                return cls(path, handle, database)
        except BaseException:
            await database.close()
            raise

    async def claim(self, node: str, ttl: float, now: float) -> Claim:
        """See `Store.claim`; the lock beside the file is taken too."""
        lease = ownership.Lease(node=node, fence=0, expires=now + ttl, clean=False, pid=0, locked=False)
        return await self._hop(ownership.claim, self._lock, self.path, lease, now)

    async def renew(self, node: str, ttl: float, now: float) -> bool:
        """See `Store.renew`."""
        return await self._hop(ownership.renew, self._lock, node, now + ttl)

    async def release(self, node: str) -> None:
        """See `Store.release`; the lock goes with it."""
        await self._hop(ownership.release, node)
        self._lock.release()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """See `Store.commit`."""
        return await self._hop(writing.apply, batch)

    async def append(self, envelopes: Sequence[Envelope]) -> Committed:
        """See `Store.append`."""
        committed = await self._hop(writing.append, envelopes, time())
        self._foreign = True
        return committed

    async def load(self, actor: ActorId) -> Snapshot:
        """See `Store.load`."""
        with translated(self.path):
            return await self._loads.ask(actor)

    async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
        """See `Store.fetch`; a message that waits out a backoff is in its place, with its `not_before`."""
        with translated(self.path):
            return await self._fetches.ask((actor, limit, now))

    async def waiting(self, now: float) -> list[ActorId]:
        """See `Store.waiting`; the longest waiting first."""
        return await self._hop(query.waiting, now)

    async def next_due(self, now: float) -> float | None:
        """See `Store.next_due`."""
        return await self._hop(query.next_due, now)

    async def rings(self, now: float) -> list[Envelope]:
        """See `Store.rings`."""
        return await self._hop(query.rings, now)

    async def effects(self) -> list[Effect]:
        """See `Store.effects`."""
        return await self._hop(query.effects)

    async def steps(self, actor: ActorId, message: str) -> list[Step]:
        """See `Store.steps`."""
        return await self._hop(query.steps, actor, message)

    async def read(self, stream: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """See `Store.read`."""
        return await self._hop(query.read, stream, after, limit)

    async def extent(self, stream: str) -> Extent:
        """See `Store.extent`."""
        return await self._hop(query.extent, stream)

    async def log(self, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """See `Store.log`."""
        return await self._hop(query.log, after, limit)

    async def views(self, kind: str, scope: str | None = None) -> list[View]:
        """See `Store.views`."""
        return await self._hop(query.views, kind, scope)

    async def view(self, kind: str, key: str) -> View | None:
        """See `Store.view`."""
        return await self._hop(query.view, kind, key)

    async def search(self, collection: str, query: str, limit: int = 10) -> list[Hit]:
        """See `Store.search`."""
        return await self._hop(searching.search, collection, query, limit)

    async def document(self, collection: str, id: str) -> Document | None:
        """See `Store.document`."""
        return await self._hop(searching.document, collection, id)

    async def documents(self, collection: str, after: int = 0, limit: int = 1000) -> list[Document]:
        """See `Store.documents`."""
        return await self._hop(searching.documents, collection, after, limit)

    async def picked(self, numbers: Sequence[int]) -> list[Document]:
        """See `Store.picked`."""
        return await self._hop(searching.picked, numbers)

    async def document_ids(
        self, collection: str, *, subject: str | None = None, before: float = inf, limit: int = 1000
    ) -> list[str]:
        """See `Store.document_ids`."""
        return await self._hop(searching.ids, collection, subject, before, limit)

    async def vectors(self, collection: str, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """See `Store.vectors`."""
        return await self._hop(searching.vectors, collection, after, limit)

    async def collections(self, name: str | None = None) -> list[Collection]:
        """See `Store.collections`."""
        return await self._hop(searching.collections, name)

    async def parked(self) -> list[Parked]:
        """See `Store.parked`."""
        return await self._hop(query.parked)

    async def requeue(self, receiver: ActorId, message: str) -> bool:
        """See `Store.requeue`; a message that was parked as corrupt raises CorruptRecord."""
        found = await self._hop(query.requeue, receiver, message)
        self._foreign = self._foreign or found
        return found

    async def cursor(self, name: str) -> int:
        """See `Store.cursor`."""
        return await self._hop(query.cursor, name)

    async def changed(self) -> bool:
        """See `Store.changed`; counted from `open`. What this object wrote otherwise than by `commit` counts too."""
        before = (self._version, False)
        now = (await self._hop(query.data_version), self._foreign)
        self._version, self._foreign = now[0], False
        return now != before

    async def prune(self, pruning: Pruning) -> Pruned:
        """See `Store.prune`."""
        pruned = await self._hop(prune, pruning)
        self._foreign = True
        return pruned

    async def tombstones(self) -> list[Tombstone]:
        """See `Store.tombstones`."""
        return await self._hop(query.tombstones)

    async def verify(self) -> Verification:
        """See `Store.verify`; in a thread of its own and on connections of its own: commits go on beside it."""
        if self._is_closed:
            raise StoreError(f"{self.path} is closed: open it again")
        with translated(self.path):
            return await to_thread.run_sync(verify_file, self.path)

    async def landed(self, batch: Batch) -> Committed | None:
        """See `Store.landed`."""
        return await self._hop(query.has_landed, batch)

    async def reopen(self) -> None:
        """See `Store.reopen`; whoever calls meanwhile waits, the lock beside the file is held throughout.

        Raises:
            StoreError: when the file cannot be opened; the connection is as it was, and it may be tried again.
        """
        self._version = await self._queued(self._handle.renew, self.path)
        self._foreign = True

    async def close(self) -> None:
        """See `Store.close`; without `release` before it, the next owner finds an unclean end."""
        self._is_closed = True
        try:
            await self._database.close()
        finally:
            self._lock.release()

    async def _hop(self, function: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run the function over the connection, in the connection's thread."""
        return await self._queued(lambda: function(self._handle.connection, *args))

    async def _queued(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run the function in the connection's thread, behind what was called before.

        The one use of aiosqlite's private `_execute`: its public calls run a statement each, 20 to 50 times slower
        per turn. A cancelled caller leaves the function running, since only the waiting is cancelled.
        """
        if self._is_closed:
            raise StoreError(f"{self.path} is closed: open it again")
        with translated(self.path):
            result: T = await self._database._execute(function, *args)  # type: ignore[no-untyped-call]
            return result


def _fetch(connection: Connection, asked: tuple[ActorId, int, float]) -> list[Envelope]:
    return query.fetch(connection, *asked)
