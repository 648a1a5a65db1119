"""The kernel: owns every task of a system, and brings durable messages to their actors.

Volatile actors need the scheduler and the events of it only. With a store it also claims the file, runs the writer and
the effects, renews the lease, notices what visitors wrote, and wakes actors whose messages are due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from uuid import uuid4

from choragus.mailbox.address import ActorId, actor_id, key_of
from choragus.mailbox.codec import encode
from choragus.mailbox.errors import StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Entry, Envelope, Turn

from .actor import Actor, M
from .alarm import Alarm
from .asked import Asked
from .beat import beat_of
from .chronicle import Chronicle
from .core import Core
from .courier import Courier
from .draft import check_text
from .durable_cell import DurableCell
from .durable_life import Action, DurableLife
from .durable_ref import DurableRef
from .effect import Effects, Runner
from .errors import MessageParked, SystemStopped
from .item import Cursor, Landed, Mark
from .lease import Lease
from .news import News
from .population import Population, Regions
from .recovery import unfinished_effects
from .ref import Ref
from .w3c import TRACE
from .writer import Writer

POLL = 0.04
"""Seconds between two looks for what visitors wrote."""

FLUSH = 10.0
"""Seconds that the last commits have at the end."""


class Kernel(Core):
    """The core, and with `open` the durable half of one system.

    Args:
        clock: wall time in seconds since the epoch.
        fatal: told once when a kernel loop dies; the system ends.
    """

    def __init__(self, clock: Callable[[], float], fatal: Callable[[BaseException], None]) -> None:
        super().__init__(fatal)
        self.asked = Asked(self.loop, self.events)
        self.running: set[DurableLife] = set()
        self.cautious = False
        self.shy: set[tuple[type, str]] = set()
        self.quick: set[tuple[type, str]] = set()
        self.fence = 0
        self.node = uuid4().hex
        self.clock = clock
        self.awake_since = clock()
        self.resources: object = None
        self._opened = False
        self._owes_sweep = False
        self._was_set_back = False
        self._closing = False
        self._has_given_up = False
        self._regions: Regions = {}
        self._population = Population(self, {}, frozenset())
        self._count = 0
        self._alarm = Alarm(self.loop, clock, self._ring)
        self._news = News()

    @property
    def degraded(self) -> str:
        """Why nothing reaches the disk at present; empty when all is well."""
        return self.writer.degraded if self._opened else ""

    @property
    def population(self) -> Population:
        """The durable actors that are in memory."""
        return self._population

    # Opening and closing.

    async def open(
        self,
        store: Store,
        regions: Regions,
        runners: Mapping[str, Runner],
        *,
        resources: object = None,
        held: frozenset[str] = frozenset(),
    ) -> None:
        """Claim the store and go on where it was left.

        Args:
            resources: for the actors, as they are.
            held: keys whose actors are not woken; their messages and effects stay as they are.

        Raises:
            FileInUse: when a live process owns it.
        """
        self.store = store
        self.resources = resources
        self._regions = regions
        self._population = Population(self, regions, held)
        self._lease = Lease(store, self.node, self.clock)
        claim = await self._lease.claim()
        self.fence = claim.fence
        self.awake_since = self.clock()
        self.cautious = not claim.clean
        self.writer = Writer(store, self.node, claim.fence, self.clock, self._marks, self.events)
        self._chronicle = Chronicle(self.writer, self.clock, self.events)
        self.courier = Courier(self.cell, self._alarm, self.clock, self.writer)
        self.effects = Effects(self, runners)
        for work in (self.writer.run(), self._lease.keep(self._renewed), self._poll()):
            self.keep(work)
        opened = encode({"node": self.node, "fence": claim.fence, "clean": claim.clean}).body
        self.writer.submit(Entry(SYSTEM_STREAM, "system.opened", self.clock(), opened), lambda _: None)
        self._opened = True

    async def resume(self) -> None:
        """Settle open effects and wake every actor that has mail; called once the regions are up.

        Raises:
            StoreError: when the disk fails, and goes on failing; the file is then left as a crash would leave it.
        """
        if not self._opened:
            return
        try:
            await self._resume()
        except StoreError:
            self._has_given_up = True
            raise

    async def _resume(self) -> None:
        mine = [effect for effect in await self.store.effects() if self._population.runs(effect.actor)]
        started, interrupted = await unfinished_effects(self.store, self.writer, self.fence, mine)
        for effect in started:
            self.effects.start(effect)
        for effect in interrupted:
            self.effects.recover(effect)
        await self._find_astray()
        await self._sweep()

    async def release(self, key: str) -> None:
        """Wake the held actors of that key; effects of theirs that were open at the opening are not begun."""
        self._population.release(key)
        self._population.hint(one for one in await self.store.waiting(self.clock()) if key_of(one) == key)

    async def quiesce(self, timeout: float) -> None:
        """Refuse questions; durable actors finish their turns; then effects end, each by its kind."""
        self._closing = True
        if self._opened:
            await self._unless_dead(self._population.stop(timeout))
            await self._unless_dead(self.effects.close(timeout))
            self.asked.give_up_replies()

    async def close(self) -> None:
        """Flush, end every task, give the file up. After a failure the file is left as a crash would leave it."""
        if self._watchdog is not None:
            self._watchdog.close()
        if self._opened:
            self._chronicle.close()
            if not self._leaves_it_be:
                await self._flush()
        if self._opened and not self._closing:
            await self.effects.close(0.0)
        self.stopped = self._closing = True
        self._alarm.off()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=FLUSH)
        await self.scheduler.close()
        await self.processes.close()
        self._end_waits()
        if self._opened:
            self._opened = False
            await self._give_file_up()
        self.events.close()

    @property
    def _leaves_it_be(self) -> bool:
        """Whether nothing more may, or can, be written to the file."""
        return self.has_died or self._has_given_up

    async def _flush(self) -> None:
        flushed = self.loop.create_task(self.writer.flushed())
        await asyncio.wait({flushed, self._died}, timeout=FLUSH, return_when=asyncio.FIRST_COMPLETED)
        if not flushed.done():
            flushed.cancel()
            if not self.has_died:
                why = f": {self.degraded}" if self.degraded else ""
                self.fail(TimeoutError(f"{self.writer.backlog} writes did not reach the disk within {FLUSH:g} s{why}"))

    async def _give_file_up(self) -> None:
        try:
            if not self._leaves_it_be:
                await self.store.release(self.node)
        except Exception as error:
            self.fail(error)
        finally:
            await self.store.close()

    async def _unless_dead(self, work: Coroutine[object, object, None]) -> None:
        """Wait for the work, or for the kernel's death."""
        task = self.loop.create_task(work)
        await asyncio.wait({task, self._died}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    def _end_waits(self) -> None:
        if self._opened:
            self.writer.end()
        self.asked.give_up()

    # Mail.

    def durable_ref(self, actor: type[Actor[M]], key: str) -> Ref[M]:
        """The durable actor of that type and key.

        Raises:
            LookupError: when the class is no durable actor, or is not among the system's `actors`.
            ValueError: when the key is empty.
        """
        name = getattr(actor, "type_name", "")
        known = self._regions.get(name)
        if known is None or known[0] is not actor:
            raise LookupError(
                f"{actor.__name__} is not a durable actor of this system: pass System(..., actors=[{actor.__name__}])"
            )
        if not key:
            raise ValueError(f"a {actor.__name__} needs a key, any text that is not empty")
        check_text(key)
        return DurableRef(actor_id(name, key), actor, self)

    def post(self, envelope: Envelope, done: Landed) -> None:
        """Write a message from the host."""
        self.courier.post(envelope, done)

    def envelope(self, receiver: ActorId, message: object, *, key: str = "", trace: str = "") -> Envelope:
        """A message from the host, encoded; refused when the system has stopped."""
        if self.stopped:
            raise SystemStopped(f"the system has stopped; nothing can be sent to {receiver}")
        check_text(key, trace)
        self._count += 1
        sender = f"host:{self.fence}"
        return Envelope(
            id=f"{sender}#{self._count}",
            receiver=receiver,
            sender=sender,
            record=encode(message),
            key=key,
            trace=trace or TRACE.get(),
        )

    def check_open(self, receiver: ActorId) -> None:
        """Refuse a question that could not be answered any more.

        Raises:
            SystemStopped: from the beginning of the shutdown.
        """
        if self._closing or self.stopped:
            raise SystemStopped(f"the system is stopping; {receiver} cannot be asked")

    def look_for_parked(self, receiver: ActorId, message: str) -> None:
        """Tell whoever waits for the reply to that message when it is parked: there will be none."""
        self.keep(self._look_for_parked(receiver, message))

    async def _look_for_parked(self, receiver: ActorId, message: str) -> None:
        with suppress(StoreError):  # the ask then ends by its timeout
            for parked in await self.store.parked():
                if (parked.envelope.receiver, parked.envelope.id) == (receiver, message):
                    self.asked.answer(receiver, message, None, MessageParked(receiver, message, parked.reason))

    def cell(self, id: ActorId) -> DurableCell | None:
        """The actor's cell, made when it is not there; None when this system does not run it."""
        return self._population.cell(id)

    def turn_committed(self, turn: Turn, actions: list[Action]) -> None:
        """Let out what waited for the turn."""
        for effect in turn.effects:
            self.effects.start(effect)
        for action in actions:
            action()
        if turn.entries:
            self._news.entered(turn.entries)

    def actor_done(self, id: ActorId) -> None:
        """Have an actor leave memory that expects hardly anything any more, if it is idle in a moment."""
        self.loop.call_soon(self._population.done, id)

    def actor_ended(self, id: ActorId) -> None:
        """Drop an actor that has ended, unless it still has mail to park."""
        self._population.ended(id)

    def cancel_effect(self, effect: str) -> None:
        """Stop an effect whose row has been settled."""
        self.effects.cancel(effect)

    # Readers of streams.

    def reader(self, stream: str = "", kind: str = "") -> asyncio.Event:
        """An event that is set whenever entries were committed: of that kind, to that stream, or to any.

        Give it back with `reader_done`.
        """
        return self._news.reader(stream, kind)

    def reader_done(self, event: asyncio.Event, stream: str = "", kind: str = "") -> None:
        """The reader needs no more wake-ups."""
        self._news.done(event, stream, kind)

    def wake_readers(self) -> None:
        """Set every reader's event."""
        self._news.wake()

    def move_cursor(self, name: str, position: int) -> None:
        """Keep a reader's position with the next batch."""
        self.writer.submit(Cursor(name, position), lambda _: None)

    def lease_is_fresh(self) -> bool:
        """Whether less than half of the lease has passed: only then may an effect start."""
        return self._lease.is_fresh

    # Kernel loops.

    def _renewed(self) -> None:
        """Have disk know of turns that take long."""
        if self.running:
            self.writer.submit(Mark(), lambda _: None)

    async def _poll(self) -> None:
        last = self.clock()
        while True:
            await asyncio.sleep(POLL)
            before, last = last, self.clock()
            if last < before:
                self.awake_since = min(self.awake_since, last)
                self._was_set_back = True
            self._alarm.look()
            try:
                if self._was_set_back:
                    await self._find_astray()
                    self._was_set_back = False
                if await self.store.changed() or self._owes_sweep:
                    await self._sweep()
                    self._news.wake()
            except StoreError:  # the disk fails for now
                self._owes_sweep = True

    async def _find_astray(self) -> None:
        """Have rings put anew that wait for too long because the clock was set back, here or between two openings."""
        now = self.clock()
        for ring in await self.store.rings(now):
            beat = beat_of(ring)
            if beat is not None and beat.is_astray(now) and (cell := self.cell(ring.receiver)) is not None:
                cell.put_anew(ring)

    async def _sweep(self) -> None:
        """Hint every actor that has due mail, and be woken when the next is due."""
        now = self.clock()
        self._population.hint(await self.store.waiting(now))
        due = await self.store.next_due(now)
        if due is not None:
            self._alarm.set(due)
        self._owes_sweep = False

    def _ring(self) -> None:
        self._owes_sweep = True  # if the disk fails, the next poll tries again
        if not self.stopped:
            self.keep(self._sweep_if_possible())

    async def _sweep_if_possible(self) -> None:
        with suppress(StoreError):
            await self._sweep()

    def _marks(self) -> tuple[tuple[ActorId, str], ...]:
        marks: list[tuple[ActorId, str]] = []
        for cell in self.running:
            if not cell.marked and cell.current is not None and not cell.inbox.is_early(cell.current.envelope.id):
                cell.marked = True
                marks.append((cell.id, cell.current.envelope.id))
        return tuple(marks)
