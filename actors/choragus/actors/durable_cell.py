"""The cell of a durable actor: runs one turn at a time, and decides what becomes of it."""

from __future__ import annotations

import asyncio
from contextvars import Context

import attrs

from choragus.mailbox.errors import CorruptRecord, StoreError, UnknownRecord
from choragus.mailbox.turn import Envelope

from .beat import beat_of
from .chain import Chain, Turns
from .durable_life import Action, DurableLife
from .errors import MessageParked, TurnTimeout
from .event import Failed, Parked, Zombie
from .execution import Execution, Work, admit
from .item import Mark
from .reason import reason
from .scheduler import TAINTED, has_changed
from .setback import failed_turn, parked_turn
from .status import LIVE, Failure, Status

RETRY = 0.5
"""Seconds until a read that failed is tried again."""


class DurableCell(DurableLife):
    """A durable actor that handles its mail."""

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
                self.current = work
                self.marked = False
                self._host.running.add(self)
                if self._host.cautious and work.envelope.seq:
                    await self._mark()
            return work
        except asyncio.CancelledError:
            self._finished()
            self._rest()
            raise

    async def _head(self) -> Envelope | None:
        """The message to try now. Without one the cell rests, or holds its mailbox until the retry is due."""
        if self._must_settle or self._host.writer.pauses(self):  # since it stood in the queue
            self._rest()
            return None
        try:
            if not self._standing.is_loaded:
                await self._standing.load()
            if self._astray:
                self._pass_over(self._astray.pop(), again=True)
                return None
            if self.inbox.head is None:
                await self.inbox.refill(self._host.clock())
        except (CorruptRecord, UnknownRecord) as error:
            self._broken(error)
            return None
        except StoreError:  # the disk fails for now: the writer says so, when it has anything to write
            self._hold_back(RETRY, "")
            return None
        if not self._standing.is_loaded:  # undone meanwhile
            self._rest()
            return None
        head = self.inbox.head
        if head is not None and head.not_before and head.id != self._waited_for:
            wait = head.not_before - self._host.clock()
            if wait > 0:
                self._hold_back(min(wait, self._region.delay(head.attempts)), head.id)
                return None
        self._waited_for = ""
        if head is None or self.status not in LIVE:
            self._rest()
            return None
        self.status = Status.RUNNING
        return head

    def _hold_back(self, seconds: float, message: str) -> None:
        """Try again later; in seconds that pass, for the clock may be set back."""

        def due() -> None:
            self._hold = None
            self._waited_for = message
            self.activate()

        if self.status in LIVE:
            self._held_for = message
            self._hold = self._host.loop.call_later(seconds, due)
        self._rest()

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
        self._submit(draft.close(None, ()), [], ring, lambda: self._goes_on(ring))

    async def _mark(self) -> None:
        """After an unclean end, what was there is first marked as started: it may be what killed the process."""
        marked = self._host.loop.create_future()
        self._host.writer.submit(Mark(), lambda _: None if marked.done() else marked.set_result(None))
        await marked

    async def _run(self, work: Work) -> None:
        if self.inbox.head is not work.envelope:  # undone, or taken back, while it was being marked
            self._finished()
            self._rest()
            return
        raised = None if self._foreseen is None else self._foreseen_error(work.envelope)
        if raised is not None:
            self._finished()
            self._failed(work, raised)
            return
        execution = self._execution = Execution(self, self._host.deadlines, self._standing, work)
        try:
            result = await execution.run()
            if execution.is_cut_off or execution.is_revoked:
                raise asyncio.CancelledError
            wanted = self._host.asked.waits_for(self.id, work.envelope.id)
            reply = execution.reply(result, wanted=wanted)
            turns = self._turns(execution)
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
            if turns is None:
                self._alone = work.envelope.id
                self._rest()
            else:
                self._completed(turns, execution.draft.actions, work.envelope, reply)

    def _turns(self, execution: Execution) -> Turns | None:
        """The turn, and those of others of the group that follow from it; None when the message is to be handled anew.

        It is then handled alone.
        """
        is_grouped = self._standing.cls.group and self._alone != execution.work.envelope.id
        if not (is_grouped and execution.may_be_joined):
            return [(self, execution.turn())]
        return Chain(self._host, self, execution).follow()

    def _interrupted(self, execution: Execution, error: BaseException) -> None:
        """The handler raised, or was cancelled: as overdue, by the cell's stop or the system's end, or by itself."""
        self._finished()
        ours = self._host.stopped or self.status is Status.STOPPING
        if execution.is_revoked or (isinstance(error, asyncio.CancelledError) and ours and not execution.is_overdue):
            self._drop()
            self._rest()
        elif execution.is_overdue:
            self._failed(execution.work, execution.timed_out())
        else:
            self._failed(execution.work, error)

    def cut_off(self, execution: Execution, error: TurnTimeout) -> None:
        """The handler resists its cancellation: go on without it."""
        if execution is self._execution:
            self._finished()
            self._worker = None
            self._host.events.publish(Zombie(self.path, execution.work.envelope.record.tag))
            if execution.is_revoked:
                self._drop()
                self._rest()
            else:
                self._failed(execution.work, error)

    # What becomes of a turn: the actions are called on the loop when it is on disk.

    def _completed(self, turns: Turns, actions: list[Action], envelope: Envelope, reply: object) -> None:
        """The handler is through: go on at once, unless the mailbox on disk has to be read first."""
        turn = turns[0][1]
        must_wait = turn.unstashed or turn.ended

        def on_disk() -> None:
            if not turn.stashed:  # whoever waits for the reply of one that is set aside goes on waiting
                self._host.asked.answer(self.id, envelope.id, reply, None)
            if turn.unstashed:
                self.inbox.forget()  # what was set aside comes first
            if must_wait:
                self._rest()

        self._submit(turn, actions, envelope, on_disk, spent=True, joined=turns[1:])
        if not must_wait:
            self._rest()

    def _goes_on(self, envelope: Envelope) -> None:
        """The message is off the disk."""
        self.inbox.take(envelope)
        self._rest()

    def _failed(self, work: Work, error: BaseException) -> None:
        """Record the failure; the retry and the supervisor's decision wait until it is on disk."""
        envelope = work.envelope
        self._drop()
        self._host.events.publish(Failed(self.path, error, envelope.record.tag, by_turn=True))
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

        self._submit(turn, [], envelope, done)

    def _park(self, envelope: Envelope, message: object, why: str, cause: BaseException | None = None) -> None:
        """Take a message that cannot be handled out of the way, and tell whoever waits for it."""
        turn, draft = parked_turn(self._standing, self.path, envelope, message, why, self._host.events)

        def done() -> None:
            error = MessageParked(self.path, envelope.id, why, cause)
            self._host.events.publish(Parked(self.path, envelope.id, why))
            self._host.asked.answer(self.id, envelope.id, None, error)
            self._goes_on(envelope)

        self._submit(turn, draft.actions, envelope, done)

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
