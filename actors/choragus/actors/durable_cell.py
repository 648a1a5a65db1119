"""The cell of a durable actor: loads it, runs one turn at a time, and goes on when the turn is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import attrs

from choragus.mailbox.address import ActorId, key_of
from choragus.mailbox.codec import Record, decode, decode_as, encode
from choragus.mailbox.errors import CorruptRecord, UnknownRecord
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Attempt, Committed, Envelope, Parking, Rejected, Turn

from .cell import GRACE, Failure, Status
from .draft import Draft
from .durable import DurableActor
from .errors import MessageParked, TurnTimeout
from .event import Events, Failed, Parked, Restarted, Suspended, Zombie
from .inbox import Inbox
from .inside import CURRENT
from .message import AskFailed
from .scheduler import Scheduler
from .writer import Mark, Writer

INTERRUPTIONS = 20
"""How often a message may be interrupted by the process's death before it is parked."""

Action = Callable[[], None]


class Region(Protocol):
    """Who decides about the failures of durable actors of one type."""

    path: str
    attempts: int

    def delay(self, attempts: int) -> float:
        """Seconds before the next try at a message that failed that often."""
        ...

    def durable_failed(self, child: DurableCell, failure: Failure) -> None:
        """Take note; the child waits for `restart` or `suspend`. Never blocks."""
        ...


class DurableHost(Protocol):
    """What a durable cell needs from the kernel."""

    loop: asyncio.AbstractEventLoop
    scheduler: Scheduler
    events: Events
    stopped: bool
    store: Store
    writer: Writer
    fence: int
    cautious: bool
    running: set[DurableCell]

    def clock(self) -> float: ...

    def turn_committed(self, turn: Turn, dropped: frozenset[str], actions: list[Action]) -> None:
        """Let out what waited for the turn."""
        ...

    def answer_host(self, envelope: Envelope, result: object, error: BaseException | None) -> None:
        """Resolve the future of a host that asked, if there is one."""
        ...


class DurableCell:
    """One durable actor in memory. `current` is the message whose handler runs, `marked` whether disk knows of it."""

    def __init__(self, host: DurableHost, region: Region, id: ActorId, cls: type[DurableActor[object, object]]) -> None:
        self.id = id
        self.path = f"{region.path}/{key_of(id)}"
        self.status = Status.STARTING
        self.incarnation = 0
        self.current: Envelope | None = None
        self.marked = False
        self.inbox = Inbox(id, host.store)
        self._host = host
        self._region = region
        self._class = cls
        self._actor: DurableActor[object, object] | None = None
        self._loaded = False
        self._revision = 0
        self._sent = 0
        self._record: Record | None = None
        self._ended = False
        self._busy = False
        self._overdue = False
        self._worker: asyncio.Task[object] | None = None
        self._idle = asyncio.Event()

    # Mail and life: called on the loop by the kernel and the region.

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due."""
        self.inbox.deliver(envelope)
        self.activate()

    def hint(self) -> None:
        """There may be due mail on disk that nobody delivered."""
        self.inbox.hint()
        self.activate()

    def activate(self) -> None:
        """Stand in the ready queue, unless busy, failed or stopping."""
        if not self._busy and self.status in (Status.STARTING, Status.RUNNING):
            self._busy = True
            self._idle.clear()
            self._host.scheduler.activate(self)

    def restart(self) -> None:
        """A new incarnation, from the state of the last completed turn."""
        if self.status is not Status.FAILED:
            return
        self.status = Status.STARTING
        self._host.events.publish(Restarted(self.path, self.incarnation + 1))
        self._rest()

    def suspend(self, error: BaseException) -> None:
        """Give the actor up until the next opening; its messages wait on disk."""
        self.status = Status.STOPPED
        self._rest()
        self._host.events.publish(Suspended(self.path, error))

    async def stop(self, timeout: float) -> None:
        """Finish the turn in hand and its commit; past `timeout` seconds cancel it. What waits stays on disk."""
        self.status = Status.STOPPED if self.status is Status.STOPPED else Status.STOPPING
        if self._busy and not await self._rested(timeout) and self._worker is not None:
            self._worker.cancel()
            await self._rested(GRACE)
        self.incarnation += 1
        self.status = Status.STOPPED

    async def _rested(self, timeout: float) -> bool:
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True

    # One turn: runs in a worker.

    async def drain(self) -> int:
        """Run one turn, or load what is needed for it."""
        worker = self._worker = asyncio.current_task()
        try:
            envelope = await self._head()
            if envelope is not None:
                await self._handle(envelope)
        finally:
            if self._worker is worker:
                self._worker = None
        return 1

    async def _head(self) -> Envelope | None:
        """The message to try now. Without one the cell rests, or holds its mailbox until the retry is due."""
        try:
            await self._load()
            await self.inbox.refill(self._host.clock())
        except (CorruptRecord, UnknownRecord) as error:
            self._broken(error)
            return None
        head = self.inbox.head
        if head is None or self.status not in (Status.STARTING, Status.RUNNING):
            self._rest()
            return None
        self.status = Status.RUNNING
        wait = head.not_before - self._host.clock()
        if wait > 0:
            self._host.loop.call_later(wait, self._rest)
            return None
        return head

    async def _load(self) -> None:
        if not self._loaded:
            snapshot = await self._host.store.load(self.id)
            self._revision, self._sent, self._record = snapshot.revision, snapshot.sent, snapshot.state
            self._ended = snapshot.ended
            self._loaded = True

    async def _handle(self, envelope: Envelope) -> None:
        try:
            message = self._admit(envelope)
        except (UnknownRecord, CorruptRecord) as error:
            self._park(envelope, None, str(error))
            return
        try:
            actor = self._incarnate()
        except (UnknownRecord, CorruptRecord) as error:
            self._broken(error)
            return
        await self._run(actor, envelope, message)

    def _admit(self, envelope: Envelope) -> object:
        if self._ended:
            raise UnknownRecord(f"{self.id} has ended")
        if envelope.interrupted > INTERRUPTIONS:
            raise CorruptRecord(f"the process died {envelope.interrupted} times over it (the limit is {INTERRUPTIONS})")
        return decode(envelope.record)

    def _incarnate(self) -> DurableActor[object, object]:
        if self._actor is None:
            self.incarnation += 1
            actor = self._blank()
            declared = self._class.__choragus_state__
            actor.state = actor.initial() if self._record is None else decode_as(declared, self._record)
            self._actor = actor
        return self._actor

    def _blank(self) -> DurableActor[object, object]:
        actor = self._class()
        actor.key = key_of(self.id)
        actor.attach(self.path, self._host)
        return actor

    async def _run(self, actor: DurableActor[object, object], envelope: Envelope, message: object) -> None:
        incarnation = self.incarnation
        draft = self._draft(envelope)
        await self._begin(envelope)
        watchdog = self._host.loop.call_later(self._class.turn_timeout, self._expire)
        token = CURRENT.set(draft)
        actor._draft = draft
        try:
            result = await self._call(actor, envelope, message)
            self._still(incarnation)
            turn = self._close(actor, draft, envelope, result)
        except asyncio.CancelledError as error:
            if incarnation == self.incarnation and not self._host.stopped:
                why = self._why(error)
                self._finished(incarnation)
                self._failed(envelope, message, why)
            raise
        except Exception as error:
            self._still(incarnation)
            self._finished(incarnation)
            self._failed(envelope, message, error)
        else:
            self._submit(turn, draft.actions, lambda: self._succeeded(envelope, turn, result))
        finally:
            draft.open = False
            watchdog.cancel()
            CURRENT.reset(token)
            self._finished(incarnation)

    async def _begin(self, envelope: Envelope) -> None:
        """After an unclean end the message is first marked as started: it may be what killed the process."""
        self.current = envelope
        self.marked = False
        self._host.running.add(self)
        if self._host.cautious:
            marked = self._host.loop.create_future()
            self._host.writer.submit(Mark(), marked.set_result)
            await marked

    def _finished(self, incarnation: int) -> None:
        if incarnation == self.incarnation:
            self.current = None
            self._overdue = False
            self._host.running.discard(self)

    async def _call(self, actor: DurableActor[object, object], envelope: Envelope, message: object) -> object:
        if envelope.then:
            result = getattr(actor, envelope.then.partition("\n")[0])(message)
            return await result if asyncio.iscoroutine(result) else result
        handler = self._class.__choragus_table__.get(type(message))
        if handler is None:
            raise TypeError(f"{self.id} has no handler for {type(message).__name__}")
        result = handler.function(actor, message)
        return await result if handler.is_async else result  # type: ignore[misc]  # a coroutine when it is async

    def _draft(self, envelope: Envelope | None) -> Draft:
        return Draft(
            self.id,
            id=f"{self.id}@{self._host.fence}.{self._revision + 1}",
            fence=self._host.fence,
            revision=self._revision,
            sent=self._sent,
            at=self._host.clock(),
            consumed=envelope,
        )

    def _close(self, actor: DurableActor[object, object], draft: Draft, envelope: Envelope, result: object) -> Turn:
        """Encode what the handler left behind; a value that cannot be stored fails the turn here."""
        declared = self._class.__choragus_state__
        if type(actor.state) is not declared:
            raise TypeError(f"{self.id}.state is a {type(actor.state).__name__}: it is declared as {declared.__name__}")
        state = encode(actor.state)
        replies = ((envelope.id, encode(result)),) if envelope.key else ()
        if envelope.reply_to:
            draft.answer(envelope, encode(result))
        return draft.close(None if state == self._record else state, replies)

    # What becomes of a turn: called on the loop when it is on disk.

    def _submit(self, turn: Turn, actions: list[Action], then: Action) -> None:
        def done(result: Committed | Rejected) -> None:
            if isinstance(result, Rejected):
                self._reload()
                return
            self._revision = turn.revision + 1
            self._sent = turn.sent
            self._record = turn.state or self._record
            self._ended = turn.ended
            self._host.turn_committed(turn, result.dropped, actions)
            then()

        self._host.writer.submit(turn, done)

    def _succeeded(self, envelope: Envelope, turn: Turn, result: object) -> None:
        self._host.answer_host(envelope, result, None)
        self.inbox.take(envelope)
        self._rest()

    def _failed(self, envelope: Envelope, message: object, error: BaseException) -> None:
        """Record the failure; the retry and the supervisor's decision wait until it is on disk."""
        self._actor = None
        self._host.events.publish(Failed(self.path, error, envelope.record.tag))
        attempts = envelope.attempts + 1
        reason = f"{type(error).__name__}: {error}"
        if attempts >= self._region.attempts:
            self._park(envelope, message, f"failed {attempts} times, last with {reason}", error)
            return
        later = self._host.clock() + self._region.delay(attempts)
        draft = self._draft(None)
        draft.entry(self._stream(), "actor.failed", self._note(envelope, reason=reason, attempts=attempts))
        attempt = Attempt(message=envelope.id, attempts=attempts, error=reason, not_before=later)
        turn = attrs.evolve(draft.close(None, ()), attempts=(attempt,))

        def done() -> None:
            self.inbox.replace_head(attrs.evolve(envelope, attempts=attempts, not_before=later))
            self._tell_region(Failure(self.path, error, envelope.record.tag))

        self._submit(turn, [], done)

    def _park(self, envelope: Envelope, message: object, reason: str, cause: BaseException | None = None) -> None:
        """Take a message that cannot be handled out of the way, and tell whoever waits for it."""
        parking = Parking(message=envelope.id, reason=reason)
        draft = self._draft(None)
        state = self._on_parked(draft, message, parking)
        if state is None:
            draft = self._draft(None)
        draft.entry(self._stream(), "message.parked", self._note(envelope, reason=reason))
        if envelope.reply_to:
            draft.answer(envelope, encode(AskFailed(self.id, reason)))
        turn = attrs.evolve(draft.close(None if state == self._record else state, ()), parked=(parking,))

        def done() -> None:
            error = MessageParked(self.path, envelope.id, reason)
            error.__cause__ = cause
            self._host.events.publish(Parked(self.path, envelope.id, reason))
            self._host.answer_host(envelope, None, error)
            self.inbox.take(envelope)
            self._rest()

        self._submit(turn, draft.actions, done)

    def _on_parked(self, draft: Draft, message: object, parking: Parking) -> Record | None:
        """The state after the actor's own `on_parked`; None when that failed as well and nothing of it counts."""
        token = CURRENT.set(draft)
        try:
            actor = self._incarnate()
            actor._draft = draft
            actor.on_parked(message, parking)
            return encode(actor.state)
        except Exception as error:
            self._actor = None
            self._host.events.publish(Failed(self.path, error, "on_parked"))
            return None
        finally:
            CURRENT.reset(token)

    def _broken(self, error: Exception) -> None:
        """The actor cannot be loaded: a failure without a message."""
        self._loaded = False
        self._actor = None
        self._host.events.publish(Failed(self.path, error))
        self._tell_region(Failure(self.path, error))

    def _tell_region(self, failure: Failure) -> None:
        if self.status in (Status.STARTING, Status.RUNNING):
            self.status = Status.FAILED
            self._region.durable_failed(self, failure)
        else:
            self._rest()

    def _rest(self) -> None:
        """Nothing in hand: go on with what waits, or fall idle."""
        self._busy = False
        if self.inbox and self.status in (Status.STARTING, Status.RUNNING):
            self.activate()
        else:
            self._idle.set()

    def _reload(self) -> None:
        """Another turn came first, or the message is gone: begin again from what is on disk."""
        self._loaded = False
        self._actor = None
        self.inbox.forget()
        self._rest()

    # Handlers that take too long.

    def _expire(self) -> None:
        """The handler is overdue: cancel it; when it resists, cut it off and let the failure stand."""
        if self._worker is not None and self.current is not None:
            self._overdue = True
            self._worker.cancel()
            self._host.loop.call_later(GRACE, self._cut_off, self.incarnation, self.current)

    def _cut_off(self, incarnation: int, envelope: Envelope) -> None:
        if incarnation != self.incarnation or self.current is not envelope:
            return
        error = self._why(TurnTimeout())
        self._finished(incarnation)
        self.incarnation += 1
        self._worker = None
        self._host.events.publish(Zombie(self.path, envelope.record.tag))
        self._failed(envelope, None, error)

    def _why(self, error: BaseException) -> BaseException:
        if not self._overdue:
            return error
        limit = self._class.turn_timeout
        return TurnTimeout(f"{self.path} took longer than {limit:g} s (turn_timeout of {self._class.__name__})")

    def _still(self, incarnation: int) -> None:
        """End the worker of a handler that was cut off: a worker that was cancelled is never used again."""
        if incarnation != self.incarnation:
            raise asyncio.CancelledError(f"{self.path} was cut off")

    def _stream(self) -> str:
        return self._blank().stream

    def _note(self, envelope: Envelope, **fields: object) -> bytes:
        return encode({"actor": self.path, "message": envelope.id, "type": envelope.record.tag, **fields}).body
