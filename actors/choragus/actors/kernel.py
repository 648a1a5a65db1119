"""The kernel: owns every task of a system, and brings durable messages to their actors.

Volatile actors need the scheduler and the events of it only. With a store it also claims the file, runs the writer and
the effects, renews the lease, notices what visitors wrote, and wakes actors whose messages are due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from uuid import uuid4

from choragus.mailbox.address import ActorId, actor_id, key_of, type_of
from choragus.mailbox.codec import encode
from choragus.mailbox.errors import LeaseLost
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Committed, Entry, Envelope, Rejected, Turn

from .actor import Actor, M
from .durable import DurableActor
from .durable_cell import Action, DurableCell, Region
from .durable_ref import DurableRef
from .effect import Effects, Runner
from .errors import SystemStopped
from .event import Events
from .ref import Ref
from .scheduler import Scheduler
from .writer import Cursor, Mark, Writer

LEASE = 10.0
"""Seconds that a claim holds without being renewed."""

POLL = 0.04
"""Seconds between two looks for what visitors wrote."""


class Kernel:
    """Tasks, clock, scheduler and events of one system; with `open`, its durable half.

    Args:
        clock: wall time in seconds since the epoch.
        fatal: told once when a kernel loop dies; the system ends.
    """

    def __init__(self, clock: Callable[[], float], fatal: Callable[[BaseException], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.events = Events()
        self.scheduler = Scheduler(self.loop, fatal)
        self.stopped = False
        self.running: set[DurableCell] = set()
        self.cautious = False
        self.fence = 0
        self.node = uuid4().hex
        self.clock = clock
        self.resources: object = None
        self.held: frozenset[str] = frozenset()
        self._fatal = fatal
        self._opened = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._regions: Mapping[str, tuple[type[DurableActor[object, object]], Region]] = {}
        self._cells: dict[ActorId, DurableCell] = {}
        self._asked: dict[tuple[ActorId, str], asyncio.Future[object]] = {}
        self._count = 0
        self._renewed = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = float("inf")
        self._readers: set[asyncio.Event] = set()

    # Opening and closing.

    async def open(
        self,
        store: Store,
        regions: Mapping[str, tuple[type[DurableActor[object, object]], Region]],
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
        self.held = held
        self._regions = regions
        claim = await store.claim(self.node, LEASE, self.clock())
        self._renewed = monotonic()
        self.fence = claim.fence
        self.cautious = not claim.clean
        self.writer = Writer(store, self.node, claim.fence, self.clock, self._marks)
        self.effects = Effects(self, runners)
        for work in (self.writer.run(), self._renew(), self._poll()):
            self.keep(work)
        opened = encode({"node": self.node, "fence": claim.fence, "clean": claim.clean}).body
        self.writer.submit(Entry(SYSTEM_STREAM, "system.opened", self.clock(), opened), lambda _: None)
        self._opened = True

    async def resume(self) -> None:
        """Settle open effects and wake every actor that has mail; called once the regions are up."""
        for effect in await self.store.effects():
            if key_of(effect.actor) not in self.held:
                self.effects.recover(effect)
        await self._sweep()

    async def quiesce(self, timeout: float) -> None:
        """Durable actors finish their turns; then effects end, each by its kind."""
        if self._opened:
            await asyncio.gather(*(cell.stop(timeout) for cell in tuple(self._cells.values())))
            await self.effects.close(timeout)

    async def close(self, clean: bool) -> None:
        """Flush, end every task, give the file up; `clean` False leaves it as a crash would."""
        if self._opened and clean:
            await self._flush()
        self.stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=10.0)
        await self.scheduler.close()
        self._give_up_asks()
        if self._opened:
            if clean:
                await self.store.release(self.node)
            await self.store.close()

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
        return DurableRef(actor_id(name, key), actor, self)

    def post(self, envelope: Envelope, done: Callable[[Committed | Rejected], None]) -> None:
        """Make a message from the host durable and deliver it."""

        def appended(result: Committed | Rejected) -> None:
            done(result)
            if isinstance(result, Committed) and envelope.id not in result.known:
                self.deliver(envelope)

        self.writer.submit(envelope, appended)

    def envelope(self, receiver: ActorId, message: object, *, key: str = "", trace: str = "") -> Envelope:
        """A message from the host, encoded; refused when the system has stopped."""
        if self.stopped:
            raise SystemStopped(f"the system has stopped; nothing can be sent to {receiver}")
        self._count += 1
        sender = f"host:{self.fence}"
        return Envelope(
            id=f"{sender}#{self._count}", receiver=receiver, sender=sender, record=encode(message), key=key, trace=trace
        )

    def expect(self, envelope: Envelope) -> asyncio.Future[object]:
        """The future of the reply to a message from the host."""
        future: asyncio.Future[object] = self.loop.create_future()
        where = (envelope.receiver, envelope.id)
        self._asked[where] = future
        future.add_done_callback(lambda _: self._asked.pop(where, None))
        return future

    def join(self, envelope: Envelope, earlier: str, future: asyncio.Future[object]) -> None:
        """The message was asked before under another id: take the reply of that one."""
        self._asked[(envelope.receiver, earlier)] = future

    def answer_host(self, envelope: Envelope, result: object, error: BaseException | None) -> None:
        """Resolve the future of a host that asked, if there is one."""
        future = self._asked.get((envelope.receiver, envelope.id))
        if future is not None and not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def deliver(self, envelope: Envelope) -> None:
        """Bring a message that is on disk to its actor, when it is due."""
        if envelope.due > self.clock():
            self._set_alarm(envelope.due)
        elif (cell := self.cell(envelope.receiver)) is not None:
            cell.deliver(envelope)

    def cell(self, id: ActorId) -> DurableCell | None:
        """The actor's cell, made when it is not there; None when this system does not run it."""
        cell = self._cells.get(id)
        known = self._regions.get(type_of(id))
        if cell is None and known is not None and key_of(id) not in self.held and not self.stopped:
            cell = self._cells[id] = DurableCell(self, known[1], id, known[0])
        return cell

    def turn_committed(self, turn: Turn, dropped: frozenset[str], actions: list[Action]) -> None:
        """Let out what waited for the turn."""
        for envelope in turn.sends:
            if envelope.id not in dropped:
                self.deliver(envelope)
        for effect in turn.effects:
            self.effects.start(effect)
        for action in actions:
            action()
        if turn.entries:
            self.wake_readers()

    def cancel_effect(self, effect: str) -> None:
        """Stop an effect whose row has been settled."""
        self.effects.cancel(effect)

    # Readers of streams.

    def reader(self) -> asyncio.Event:
        """An event that is set whenever entries were committed; give it back with `reader_done`."""
        event = asyncio.Event()
        self._readers.add(event)
        return event

    def reader_done(self, event: asyncio.Event) -> None:
        """The reader needs no more wake-ups."""
        self._readers.discard(event)

    def wake_readers(self) -> None:
        """Set every reader's event."""
        for event in self._readers:
            event.set()

    def move_cursor(self, name: str, position: int) -> None:
        """Keep a reader's position with the next batch."""
        self.writer.submit(Cursor(name, position), lambda _: None)

    def lease_is_fresh(self) -> bool:
        """Whether less than half of the lease has passed: only then may an effect start."""
        return monotonic() - self._renewed < LEASE / 2

    # Kernel loops.

    def keep(self, work: Awaitable[None]) -> None:
        """Run a loop as long as the system runs; when it fails, the system ends."""
        task = self.loop.create_task(_await(work), name="choragus:kernel")
        self._tasks.add(task)
        task.add_done_callback(self._loop_ended)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 4)
            asked = monotonic()
            if not await self.store.renew(self.node, LEASE, self.clock()):
                raise LeaseLost(f"the lease of node {self.node} was taken over by another process: stop one of them")
            self._renewed = asked
            if self.running:
                self.writer.submit(Mark(), lambda _: None)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            if await self.store.changed():
                await self._sweep()
                self.wake_readers()

    async def _sweep(self) -> None:
        """Hint every actor that has due mail, and be woken when the next is due."""
        now = self.clock()
        self._hint(await self.store.waiting(now))
        due = await self.store.next_due(now)
        if due is not None:
            self._set_alarm(due)

    def _hint(self, actors: Iterable[ActorId]) -> None:
        for id in actors:
            if (cell := self.cell(id)) is not None:
                cell.hint()

    def _set_alarm(self, due: float) -> None:
        if due >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self.loop.call_later(max(0.0, due - self.clock()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._alarm_at = float("inf")
        if not self.stopped:
            self.keep(self._sweep())

    def _marks(self) -> tuple[tuple[ActorId, str], ...]:
        marks: list[tuple[ActorId, str]] = []
        for cell in self.running:
            if not cell.marked and cell.current is not None:
                cell.marked = True
                marks.append((cell.id, cell.current.id))
        return tuple(marks)

    async def _flush(self) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(self.writer.flushed()), 10.0)
        except TimeoutError as error:
            self._fatal(error)

    def _give_up_asks(self) -> None:
        for (receiver, id), future in tuple(self._asked.items()):
            if not future.done():
                future.set_exception(
                    SystemStopped(
                        f"the system stopped before {receiver} answered {id}; what is on disk is handled next time"
                    )
                )


async def _await(work: Awaitable[None]) -> None:
    await work
