"""The one writer: takes what is ready, in order, and commits it together.

While a batch is on its way to the disk the next one gathers, so one flush serves many turns. The kernel owns its task;
its death ends the system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.errors import LeaseLost, StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Closure, Committed, Entry, Envelope, Rejected, Turn

from . import fault
from .errors import MailboxFull, SystemStopped
from .weight import weight

BATCH = 256
BACKLOG = 10_000
"""Messages from the host that may wait for the disk; beyond it `tell` raises and `send` waits."""
BYTES = 8_000_000
"""Bytes that may wait for the disk, whoever wrote them; beyond it likewise. The one that goes beyond it is let in."""

Done = Callable[[Committed | Rejected], None]


@attrs.frozen
class Cursor:
    """A reader's new position."""

    name: str
    position: int


@attrs.frozen
class Held:
    """An effect that is known not to have started."""

    effect: str


@attrs.frozen
class Mark:
    """Nothing of its own: makes a batch, and with it the marks of the turns that run."""


Item = Mark | Turn | Envelope | Closure | Entry | Cursor | Held


class Writer:
    """Group commit over one store.

    Args:
        running: gives (receiver, message id) of the turns that run while a batch is formed.
    """

    def __init__(
        self,
        store: Store,
        node: str,
        fence: int,
        clock: Callable[[], float],
        running: Callable[[], tuple[tuple[ActorId, str], ...]],
    ) -> None:
        self._store = store
        self._node = node
        self._fence = fence
        self._clock = clock
        self._running = running
        self._pending: list[tuple[Item, Done]] = []
        self._in_flight = 0
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._owed: tuple[tuple[ActorId, str], ...] = ()
        self._ended = False

    @property
    def backlog(self) -> int:
        """What waits or is on its way to the disk."""
        return len(self._pending) + self._in_flight

    def submit(self, item: Item, done: Done) -> None:
        """Write the item with the next batch; `done` is called on the loop with what became of it."""
        self._pending.append((item, done))
        self._bytes += weight(item)
        self._idle.clear()
        self._wake.set()

    @property
    def is_full(self) -> bool:
        """Whether a message from the host has to wait."""
        return self._bytes >= BYTES or self.backlog >= BACKLOG

    def check_room(self, receiver: str) -> None:
        """Refuse a message from the host when too many, or too many bytes, wait for the disk.

        Raises:
            MailboxFull: naming the bound.
        """
        if self.backlog >= BACKLOG:
            raise MailboxFull(f"{self.backlog} messages wait for the disk (the limit), one for {receiver}: use send")
        if self.is_full:
            raise MailboxFull(f"{self._bytes} bytes wait for the disk (limit {BYTES}), one for {receiver}: use send")

    async def has_room(self) -> None:
        """Wait until a message from the host may be submitted.

        Raises:
            SystemStopped: when the system ends meanwhile.
        """
        while self.is_full and not self._ended:
            self._room.clear()
            await self._room.wait()
        if self._ended:
            raise SystemStopped("the system ended while the message waited for room: it was not written")

    def end(self) -> None:
        """Nothing is written any more: let go of whoever waits for room."""
        self._ended = True
        self._room.set()

    async def flushed(self) -> None:
        """Wait until everything submitted so far has been settled."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit batches until cancelled.

        Raises:
            LeaseLost: when another process has taken the file over.
            CommitUnknown: when a commit failed and may or may not be on disk.
        """
        while True:
            await self._wake.wait()
            taken, self._pending = self._pending[:BATCH], self._pending[BATCH:]
            if not self._pending:
                self._wake.clear()
            if taken:
                self._in_flight = len(taken)
                await self._commit(taken)
                self._in_flight = 0
                self._room.set()
            if not self._pending:
                self._idle.set()
            await asyncio.sleep(0)

    async def _commit(self, taken: list[tuple[Item, Done]]) -> None:
        batch = self._batch([item for item, _ in taken])
        if fault.hook is not None:
            await fault.hook("before commit", batch)
        result = await self._store.commit(batch)
        if fault.hook is not None:
            await fault.hook("after commit", batch)
        if isinstance(result, Rejected):
            if result.fenced:
                raise LeaseLost(f"another process took the file over (this one was {self._node}): stop one of them")
            self._owed = batch.started
            self._retry(taken, result.offenders)
            return
        self._owed = ()
        for item, done in taken:
            self._bytes -= weight(item)
            done(result)

    def _retry(self, taken: list[tuple[Item, Done]], offenders: Mapping[str, str]) -> None:
        """Drop the offenders and put the rest back at the front."""
        kept: list[tuple[Item, Done]] = []
        for item, done in taken:
            if isinstance(item, Turn) and item.id in offenders:
                self._bytes -= weight(item)
                done(Rejected(offenders={item.id: offenders[item.id]}))
            else:
                kept.append((item, done))
        if len(kept) == len(taken):
            raise StoreError(f"the store refuses a batch for turns that are not in it: {dict(offenders)}")
        self._pending = kept + self._pending
        self._wake.set()

    def _batch(self, items: list[Item]) -> Batch:
        return Batch(
            node=self._node,
            fence=self._fence,
            at=self._clock(),
            turns=tuple(item for item in items if isinstance(item, Turn)),
            appends=tuple(item for item in items if isinstance(item, Envelope)),
            closures=tuple(item for item in items if isinstance(item, Closure)),
            entries=tuple(item for item in items if isinstance(item, Entry)),
            cursors={item.name: item.position for item in items if isinstance(item, Cursor)},
            held=tuple(item.effect for item in items if isinstance(item, Held)),
            started=self._owed + self._running(),
        )
