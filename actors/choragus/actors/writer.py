"""The one writer: takes what is ready, in order, and commits it together.

While a batch is on its way to the disk the next one gathers, so one flush serves many turns. Whoever submits goes on
at once; what he tells the world waits until `done` is called. The kernel owns the writer's task; its death ends the
system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import Protocol, overload

from choragus.mailbox.address import ActorId
from choragus.mailbox.errors import CommitUnknown, FileBusy, StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Closure, Committed, Entry, Envelope, Rejected, Step, Turn

from . import fault
from .errors import MailboxFull, SystemStopped
from .event import Events
from .item import Cursor, Done, Held, Item, Joint, Landed, Line, Plain, fallen, together, turns_of
from .lease import lost
from .rescue import Rescue
from .weight import weight

BATCH = 256
TURNS = 1_000
"""Turns that may wait for the disk; beyond it durable actors pause."""
BACKLOG = 10_000
"""Messages from the host that may wait for the disk; beyond it `tell` raises and `send` waits."""
BYTES = 8_000_000
"""Bytes that may wait for the disk, whoever wrote them; beyond it likewise. The one that goes beyond it is let in."""
SLICE = 64
"""How many are told in a row what became of their item, before the event loop turns."""

_TURNS = (Turn, Joint)


class Pausing(Protocol):
    """Who waits for room."""

    def activate(self) -> None:
        """Go on."""
        ...


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
        events: Events,
    ) -> None:
        self._store = store
        self._node = node
        self._fence = fence
        self._clock = clock
        self._running = running
        self._rescue = Rescue(store, clock, events)
        self._pending: list[Line] = []
        self._in_flight = 0
        self._bytes = 0
        self._turns = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._pausing: dict[Pausing, None] = {}
        self._owed: tuple[tuple[ActorId, str], ...] = ()
        self._kept = 0
        self._ended = False

    @property
    def degraded(self) -> str:
        """Why nothing can be written at present; empty when all is well."""
        return self._rescue.reason

    @property
    def backlog(self) -> int:
        """What waits or is on its way to the disk."""
        return len(self._pending) + self._in_flight

    @overload
    def submit(self, item: Turn | Joint, done: Done) -> None: ...
    @overload
    def submit(self, item: Plain, done: Landed) -> None: ...
    def submit(self, item: Item, done: Landed) -> None:
        """Write the item with the next batch; `done` is called on the loop with what became of it.

        When the system ends before, it is not called.
        """
        heavy = weight(item)
        self._pending.append(Line(item, done, heavy))  # type: ignore[arg-type]  # only turns are refused
        self._bytes += heavy
        self._turns += isinstance(item, _TURNS)
        self._idle.clear()
        self._wake.set()

    # Room.

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

    def pauses(self, actor: Pausing) -> bool:
        """Whether an actor must not take another turn now; it is activated when it may."""
        if self._turns < TURNS and self._bytes < BYTES:
            return False
        self._pausing[actor] = None
        return True

    def end(self) -> None:
        """Nothing is written any more: let go of whoever waits for room."""
        self._ended = True
        self._room.set()

    async def flushed(self) -> None:
        """Wait until everything submitted so far has been settled."""
        await self._idle.wait()

    # The loop.

    async def run(self) -> None:
        """Commit batches until cancelled.

        Raises:
            LeaseLost: when another process has taken the file over.
            CorruptRecord: when the file is damaged.
            StoreError: when it is not the file any more that it was.
        """
        while True:
            await self._wake.wait()
            size = self._kept or await self._gathered()
            self._kept = 0
            size = together(self._pending[:size])
            taken, self._pending = self._pending[:size], self._pending[size:]
            if not self._pending:
                self._wake.clear()
            if taken:
                self._in_flight = len(taken)
                await self._write(taken)
                self._in_flight = 0
                self._let_in()
            if not self._pending:
                self._idle.set()
            await asyncio.sleep(0)

    async def _gathered(self) -> int:
        """Let actors that are at work add to the batch, for as long as it grows and has room; gives its size."""
        size = 0
        while size < len(self._pending) < BATCH:
            size = len(self._pending)
            await asyncio.sleep(0)
        return min(len(self._pending), BATCH)

    async def _write(self, taken: list[Line]) -> None:
        result = await self._commit(self._batch([line.item for line in taken]))
        if isinstance(result, Committed):
            await self._settle(taken, result)
        elif result.fenced:
            raise lost(self._store)
        else:
            self._retry(taken, result)

    async def _commit(self, batch: Batch) -> Committed | Rejected:
        if fault.hook is not None:
            await fault.hook("before commit", batch)
        try:
            result = await self._store.commit(batch)
        except (CommitUnknown, FileBusy) as error:
            result = await self._rescue.commit(batch, error)
        if fault.hook is not None:
            await fault.hook("after commit", batch)
        self._owed = () if isinstance(result, Committed) else batch.started
        return result

    async def _settle(self, taken: list[Line], result: Committed) -> None:
        for number, line in enumerate(taken, start=1):
            self._forget(line)
            line.done(result)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def _retry(self, taken: list[Line], result: Rejected) -> None:
        """Drop the offenders and all that stands upon them, the last first, and put the rest back at the front."""
        refused = result.offenders
        offenders = {id(line) for line in taken if any(turn.id in refused for turn in turns_of(line.item))}
        if not offenders:
            raise StoreError(f"the store refuses a batch for turns that are not in it: {dict(result.offenders)}")
        lost, self._pending = fallen(taken + self._pending, lambda line: id(line) in offenders)
        gone = {id(line) for line in lost}
        self._kept = sum(id(line) not in gone for line in taken)  # what is done anew meanwhile comes behind them
        self._wake.set()
        for line in reversed(lost):
            self._forget(line)
            line.done(result)

    def _forget(self, line: Line) -> None:
        self._bytes -= line.weight
        self._turns -= isinstance(line.item, _TURNS)

    def _let_in(self) -> None:
        self._room.set()
        if self._pausing and self._turns < TURNS and self._bytes < BYTES:
            pausing, self._pausing = self._pausing, {}
            for actor in pausing:
                actor.activate()

    def _batch(self, items: list[Item]) -> Batch:
        return Batch(
            node=self._node,
            fence=self._fence,
            at=self._clock(),
            turns=tuple(chain.from_iterable(map(turns_of, items))),
            appends=tuple(item for item in items if isinstance(item, Envelope)),
            closures=tuple(item for item in items if isinstance(item, Closure)),
            entries=tuple(item for item in items if isinstance(item, Entry)),
            steps=tuple(item for item in items if isinstance(item, Step)),
            cursors={item.name: item.position for item in items if isinstance(item, Cursor)},
            held=tuple(item.effect for item in items if isinstance(item, Held)),
            started=self._owed + self._running(),
        )
