"""The cell of a durable actor: loads it, runs one turn at a time, and goes on when the turn is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

import attrs

from choragus.mailbox.address import ActorId, key_of
from choragus.mailbox.errors import CorruptRecord, UnknownRecord
from choragus.mailbox.turn import Committed, Envelope, Rejected, Turn

from .asked import Asked
from .beat import beat_of
from .deadline import Deadlines
from .durable import DurableActor
from .errors import ActorSuspended, MessageParked, TurnTimeout
from .event import Events, Failed, Parked, Restarted, Suspended, Zombie
from .execution import Execution, Work, admit
from .inbox import Inbox
from .reason import reason
from .region import Region
from .scheduler import TAINTED, Scheduler, has_changed
from .setback import failed_turn, parked_turn
from .standing import Around, Standing
from .status import GRACE, Failure, Status
from .writer import Mark, Writer

LIVE = (Status.STARTING, Status.RUNNING)

Action = Callable[[], None]


class DurableHost(Around, Protocol):
    """What a durable cell needs from the kernel."""

    loop: asyncio.AbstractEventLoop
    scheduler: Scheduler
    deadlines: Deadlines
    events: Events
    asked: Asked
    stopped: bool
    writer: Writer
    cautious: bool
    awake_since: float
    running: set[DurableCell]

    def turn_committed(self, turn: Turn, dropped: frozenset[str], actions: list[Action]) -> None:
        """Let out what waited for the turn."""
        ...


class DurableCell:
    """One durable actor in memory. `current` is the message whose handler runs, `marked` whether disk knows of it.

    `faults` counts the failures in a row that had nothing to do with a message: the actor could not be loaded.
    """

    def __init__(self, host: DurableHost, region: Region, id: ActorId, cls: type[DurableActor[object, object]]) -> None:
        self.id = id
        self.path = f"{region.path}/{key_of(id)}"
        self.status = Status.STARTING
        self.incarnation = 1
        self.current: Work | None = None
        self.marked = False
        self.faults = 0
        self.inbox = Inbox(id, host.store)
        self._host = host
        self._region = region
        self._standing = Standing(host, id, self.path, cls)
        self._execution: Execution | None = None
        self._busy = False
        self._astray: list[Envelope] = []
        self._hold: asyncio.TimerHandle | None = None
        self._suspended: BaseException | None = None
        self._worker: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    # Mail and life: called on the loop by the kernel and the region.

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is held back: the cell may be dropped, for everything is on disk."""
        waits = self._hold is not None or self.inbox or self._astray
        return not self._busy and not waits and self.status in LIVE

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two turns."""
        return "" if self.current is None else type(self.current.message).__name__

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due."""
        if self._suspended is not None:
            self._host.asked.answer(self.id, envelope.id, None, ActorSuspended(self.path, self._suspended))
        self.inbox.deliver(envelope)
        self.activate()

    def hint(self) -> None:
        """There may be due mail on disk that nobody delivered."""
        self.inbox.hint()
        self.activate()

    def put_anew(self, ring: Envelope) -> None:
        """Put a ticker's ring anew: the clock was set back, and it would wait for too long."""
        self._astray.append(ring)
        self.activate()

    def activate(self) -> None:
        """Stand in the ready queue, unless busy, held back, failed or stopping."""
        if not self._busy and self._hold is None and self.status in LIVE:
            self._busy = True
            self._host.scheduler.activate(self)

    def restart(self) -> None:
        """A new incarnation, from the state of the last completed turn."""
        if self.status is Status.FAILED:
            self.status = Status.STARTING
            self._host.events.publish(Restarted(self.path, self.incarnation))
            self.activate()

    def suspend(self, error: BaseException) -> None:
        """Give the actor up until the next opening; its messages wait on disk, and those who ask are told."""
        self.status = Status.STOPPED
        self._suspended = error
        self._host.events.publish(Suspended(self.path, error))
        self._host.asked.fail(self.id, lambda: ActorSuspended(self.path, error))

    async def stop(self, timeout: float) -> None:
        """Finish the turn in hand and its commit; past `timeout` seconds cancel it. What waits stays on disk."""
        if self.status is not Status.STOPPED:
            self.status = Status.STOPPING
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        await self._until_idle(timeout)
        if self._busy and self._worker is not None:
            self._worker.cancel()
            await self._until_idle(GRACE)
        if self._execution is not None:
            self._execution.is_cut_off = True
            self._host.events.publish(Zombie(self.path, self._execution.work.envelope.record.tag))
        self._finished()
        self._drop()
        self.status = Status.STOPPED

    async def _until_idle(self, timeout: float) -> None:
        if self._busy:
            self._idle = self._host.loop.create_future()
            await asyncio.wait({self._idle}, timeout=timeout)
            self._idle = None

    # One turn: runs in a worker.

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:
        """Run one turn, or load what is needed for it."""
        self._worker = worker
        try:
            work = await self._prepare()
            if work is not None:
                await self._run(work)
        finally:
            if self._worker is worker:
                self._worker = None
        return TAINTED if worker.cancelling() or has_changed(clean) else 1

    async def _prepare(self) -> Work | None:
        try:
            envelope = await self._head()
            work = None if envelope is None else self._open(envelope)
            if work is not None:
                await self._begin(work)
            return work
        except asyncio.CancelledError:
            self._finished()
            self._rest()
            raise

    async def _head(self) -> Envelope | None:
        """The message to try now. Without one the cell rests, or holds its mailbox until the retry is due."""
        try:
            await self._standing.load()
            if self._astray:
                self._pass_over(self._astray.pop(), again=True)
                return None
            await self.inbox.refill(self._host.clock())
        except (CorruptRecord, UnknownRecord) as error:
            self._broken(error)
            return None
        head = self.inbox.head
        wait = 0.0 if head is None else head.not_before - self._host.clock()
        if head is not None and wait > 0 and self.status in LIVE:
            self._hold = self._host.loop.call_later(wait, self._due)
        if head is None or wait > 0 or self.status not in LIVE:
            self._rest()
            return None
        self.status = Status.RUNNING
        return head

    def _due(self) -> None:
        """The head's backoff is over."""
        self._hold = None
        self.activate()

    def _open(self, envelope: Envelope) -> Work | None:
        """What to do for the message; None when it cannot or need not be handled, or the actor cannot be loaded."""
        if self._is_left_out(envelope):
            self._pass_over(envelope)
            return None
        try:
            message = admit(self._standing, envelope)
        except Exception as error:
            self._park(envelope, None, reason(error))
            return None
        try:
            actor = self._standing.instance()
        except Exception as error:
            self._broken(error)
            return None
        self.faults = 0
        return Work(envelope, message, actor)

    def _is_left_out(self, envelope: Envelope) -> bool:
        """Whether it is a ticker's ring that is not wanted: too late, and never tried, or the actor has ended."""
        beat = beat_of(envelope)
        if beat is None or self._standing.ended:
            return beat is not None
        tried = envelope.attempts or envelope.interrupted
        return not tried and beat.is_left_out(self._host.clock(), self._host.awake_since)

    def _pass_over(self, ring: Envelope, *, again: bool = False) -> None:
        """Take a ring away unhandled, and put the next one."""
        draft = self._standing.draft(ring)
        draft.rings_on(ring, again=again)

        def done() -> None:
            self.inbox.take(ring)
            self._rest()

        self._submit(draft.close(None, ()), [], done)

    async def _begin(self, work: Work) -> None:
        """After an unclean end, what was there is first marked as started: it may be what killed the process."""
        self.current = work
        self.marked = False
        self._host.running.add(self)
        if self._host.cautious and work.envelope.seq:
            marked = self._host.loop.create_future()
            self._host.writer.submit(Mark(), lambda _: None if marked.done() else marked.set_result(None))
            await marked

    async def _run(self, work: Work) -> None:
        execution = self._execution = Execution(self, self._host.deadlines, self._standing, work)
        try:
            result = await execution.run()
            if execution.is_cut_off:
                raise asyncio.CancelledError
            wanted = self._host.asked.waits_for(self.id, work.envelope.id)
            turn, reply = execution.turn(result, wanted=wanted)
        except GeneratorExit:
            raise
        except BaseException as error:
            if execution.is_cut_off:  # a cancelled worker is never used again
                raise asyncio.CancelledError(f"{self.path} was cut off") from error
            self._interrupted(execution, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._finished()
            done = self._stashed if turn.stashed else self._succeeded
            self._submit(turn, execution.draft.actions, lambda: done(work.envelope, reply))

    def _interrupted(self, execution: Execution, error: BaseException) -> None:
        """The handler raised, or was cancelled: as overdue, by the cell's stop or the system's end, or by itself."""
        self._finished()
        ours = self._host.stopped or self.status is Status.STOPPING
        if execution.is_overdue:
            self._failed(execution.work, execution.timed_out())
        elif isinstance(error, asyncio.CancelledError) and ours:
            self._drop()
            self._rest()
        else:
            self._failed(execution.work, error)

    def cut_off(self, execution: Execution, error: TurnTimeout) -> None:
        """The handler resists its cancellation: go on without it."""
        if execution is self._execution:
            self._finished()
            self._worker = None
            self._host.events.publish(Zombie(self.path, execution.work.envelope.record.tag))
            self._failed(execution.work, error)

    def _finished(self) -> None:
        self.current = None
        self._execution = None
        self._host.running.discard(self)

    def _drop(self) -> None:
        """The incarnation is over: whatever it still does is refused."""
        self._standing.fresh()
        self.incarnation += 1

    # What becomes of a turn: called on the loop when it is on disk.

    def _submit(self, turn: Turn, actions: list[Action], then: Action) -> None:
        def done(result: Committed | Rejected) -> None:
            if isinstance(result, Rejected):
                self._reload()
                return
            own = {send.timer for send in turn.sends if send.receiver == self.id and not send.answer}
            self.inbox.drop_timers((own | set(turn.timers_cancelled)) - {""})
            if turn.unstashed:
                self.inbox.forget()  # on disk they come first
            self._standing.advance(turn)
            self._host.turn_committed(turn, result.dropped, actions)
            then()

        self._host.writer.submit(turn, done)

    def _succeeded(self, envelope: Envelope, result: object) -> None:
        self._host.asked.answer(self.id, envelope.id, result, None)
        self.inbox.take(envelope)
        self._rest()

    def _stashed(self, envelope: Envelope, _: object) -> None:
        """The message is set aside: whoever waits for the reply goes on waiting."""
        self.inbox.take(envelope)
        self._rest()

    def _failed(self, work: Work, error: BaseException) -> None:
        """Record the failure; the retry and the supervisor's decision wait until it is on disk."""
        envelope = work.envelope
        self._drop()
        self._host.events.publish(Failed(self.path, error, envelope.record.tag))
        attempts = envelope.attempts + 1
        why = f"{type(error).__name__}: {reason(error)}"
        if attempts >= self._region.attempts:
            self._park(envelope, work.message, f"failed {attempts} times, last with {why}", error)
            return
        later = self._host.clock() + self._region.delay(attempts)
        turn = failed_turn(self._standing, self.path, envelope, why, later)

        def done() -> None:
            self.inbox.replace_head(attrs.evolve(envelope, attempts=attempts, not_before=later))
            self._report(Failure(self.path, error, envelope.record.tag))

        self._submit(turn, [], done)

    def _park(self, envelope: Envelope, message: object, why: str, cause: BaseException | None = None) -> None:
        """Take a message that cannot be handled out of the way, and tell whoever waits for it."""
        turn, draft = parked_turn(self._standing, self.path, envelope, message, why, self._host.events)

        def done() -> None:
            error = MessageParked(self.path, envelope.id, why, cause)
            self._host.events.publish(Parked(self.path, envelope.id, why))
            self._host.asked.answer(self.id, envelope.id, None, error)
            self.inbox.take(envelope)
            self._rest()

        self._submit(turn, draft.actions, done)

    def _broken(self, error: Exception) -> None:
        """The actor cannot be loaded: a failure without a message."""
        self.faults += 1
        self._standing.forget()
        self.incarnation += 1
        self._host.events.publish(Failed(self.path, error))
        self._report(Failure(self.path, error))

    def _report(self, failure: Failure) -> None:
        """Wait for the region's decision, unless stopping."""
        live = self.status in LIVE
        if live:
            self.status = Status.FAILED
        self._rest()
        if live:
            self._region.durable_failed(self, failure)

    def _rest(self) -> None:
        """Nothing in hand: go on with what waits, or fall idle."""
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if self.inbox or self._astray:
            self.activate()

    def _reload(self) -> None:
        """Another turn came first, or the message is gone: begin again from what is on disk."""
        self._standing.forget()
        self.incarnation += 1
        self.inbox.forget()
        self._rest()
