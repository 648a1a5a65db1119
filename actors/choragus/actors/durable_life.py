"""The life of a durable actor in memory: its mail, its activation, its stop, and its turns on their way to the disk.

A turn that was accepted is stood upon at once, by the next turn and by those of the actors that it sends to. What
leaves the system waits until the turn is on disk. When it will never be there, all that stands upon it is undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Protocol

from choragus.mailbox.address import ActorId, key_of
from choragus.mailbox.turn import Committed, Envelope, Rejected, Turn

from .asked import Asked
from .courier import Courier
from .deadline import Deadlines
from .durable import DurableActor
from .effect import Effects
from .errors import ActorSuspended
from .event import Events, Failed, Restarted, Suspended, Zombie
from .execution import Execution, Work
from .inbox import Inbox
from .item import Done, Joint
from .joining import Joining
from .region import Region
from .scheduler import Scheduler
from .standing import Around, Standing
from .status import GRACE, LIVE, Status
from .step import Steps
from .writer import Writer

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
    courier: Courier
    effects: Effects
    cautious: bool
    shy: set[tuple[type, str]]
    quick: set[tuple[type, str]]
    awake_since: float
    running: set[DurableLife]

    def lease_is_fresh(self) -> bool:
        """Whether less than half of the lease has passed."""
        ...

    def cell(self, id: ActorId) -> DurableLife | None:
        """The actor's cell; None when this system does not run it."""
        ...

    def turn_committed(self, turn: Turn, actions: list[Action]) -> None:
        """Let out what waited for the turn."""
        ...

    def actor_done(self, id: ActorId) -> None:
        """Have an actor leave memory that expects hardly anything any more, if it is idle in a moment."""
        ...

    def actor_ended(self, id: ActorId) -> None:
        """Drop an actor that has ended, unless it still has mail to park."""
        ...


class DurableLife(Joining):
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
        self.is_lively = False
        self._busy = False
        self._waits_for_disk = False
        self._pending = 0
        self._settling: asyncio.Event | None = None
        self._astray: list[Envelope] = []
        self._hold: asyncio.TimerHandle | None = None
        self._held_for = ""  # the message whose backoff the hold waits for, if it is for one
        self._waited_for = ""  # the message whose backoff is over, whatever the clock says
        self._alone = ""  # the message that is handled without what follows from it
        self._foreseen = None
        self._suspended: BaseException | None = None
        self._worker: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    # Mail and life: called on the loop by the kernel and the region.

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is held back: the cell may be dropped, for everything is on disk."""
        waits = self._hold is not None or self.inbox or self._astray or not self.inbox.is_settled
        return self._is_quiet and not waits and self.status in LIVE

    @property
    def standing(self) -> Standing:
        """What the actor's turns stand upon."""
        return self._standing

    @property
    def _is_quiet(self) -> bool:
        """Whether no turn is in hand or on its way to the disk."""
        return not self._busy and not self._pending

    @property
    def _must_settle(self) -> bool:
        """Whether a turn was undone, and others before it are still on their way: they are not on disk to be read."""
        return bool(self._pending) and not self._standing.is_loaded

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two turns."""
        return "" if self.current is None else type(self.current.message).__name__

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due."""
        self._refuse_suspended(envelope)
        self._revoke_answered(envelope)
        self.inbox.deliver(envelope)
        self._lift()
        self.activate()

    def deliver_early(self, envelope: Envelope, *, barred: bool = False) -> None:
        """Take a message that is on its way to the disk; `arrive` or `withdraw` follows."""
        self.inbox.deliver_early(envelope, barred=barred)
        self._lift()
        self.activate()

    def arrive(self, envelope: Envelope) -> None:
        """What came early is on disk."""
        self._refuse_suspended(envelope)
        self._revoke_answered(envelope)
        self.inbox.arrive(envelope.id)
        self._lift()
        self._settled()

    def withdraw(self, envelope: Envelope) -> None:
        """What came early will never be on disk: whoever works on it does so for nothing."""
        self.inbox.withdraw(envelope.id)
        if self._execution is not None and self._execution.work.envelope.id == envelope.id:
            self._execution.revoke()
        self._lift()
        self.activate()

    async def committed(self) -> None:
        """Wait until all that the turn in hand stands upon is on disk."""
        work = self.current
        while self._pending or (work is not None and self.inbox.is_early(work.envelope.id)):
            self._settling = self._settling or asyncio.Event()
            self._settling.clear()
            await self._settling.wait()

    def steps(self, execution: Execution) -> Steps:
        """For the steps of that handler call."""
        return Steps(self._host, execution, self.id, execution.work.envelope.id)

    def _refuse_suspended(self, envelope: Envelope) -> None:
        if self._suspended is not None:
            self._host.asked.answer(self.id, envelope.id, None, ActorSuspended(self.path, self._suspended))

    def _revoke_answered(self, answer: Envelope) -> None:
        """Whoever works on the timer in whose place the answer is does so for nothing: it is gone from the disk."""
        if answer.answer and self._execution is not None:
            envelope = self._execution.work.envelope
            if envelope.timer == answer.timer and not envelope.answer:
                self._execution.revoke()

    def hint(self) -> None:
        """There may be due mail on disk that nobody delivered."""
        self.inbox.hint()
        self.activate()

    def put_anew(self, ring: Envelope) -> None:
        """Put a ticker's ring anew: the clock was set back, and it would wait for too long."""
        self._astray.append(ring)
        self.activate()

    def activate(self) -> None:
        """Stand in the ready queue, if there is something to do; not when busy, held back, failed or stopping."""
        if self._busy or self._hold is not None or self.status not in LIVE or not (self.inbox or self._astray):
            return
        if not self._must_settle and not self._host.writer.pauses(self):
            self._busy = self.is_lively = True
            self._host.scheduler.activate(self)

    def _lift(self) -> None:
        """End the hold when the message that it waits for is not the next any more: an answer has taken its place."""
        if self._hold is not None and self._held_for:
            head = self.inbox.head
            if head is None or head.id != self._held_for:
                self._hold.cancel()
                self._hold = None

    def restart(self) -> None:
        """A new incarnation, from the state of the last completed turn."""
        if self.status is Status.FAILED:
            self.status = Status.STARTING
            self._host.events.publish(Restarted(self.path, self.incarnation, by_turn=True))
            self.activate()

    def suspend(self, error: BaseException) -> None:
        """Give the actor up until the next opening; its messages wait on disk, and those who ask are told."""
        self.status = Status.STOPPED
        self._suspended = error
        self._host.events.publish(Suspended(self.path, error))
        self._host.asked.fail(self.id, lambda: ActorSuspended(self.path, error))

    def passivate(self) -> None:
        """The instance leaves memory, in order; the actor goes on with its next message."""
        actor = self._standing.let_go()
        try:
            if actor is not None:
                actor.on_passivate()
        except Exception as error:
            self._host.events.publish(Failed(self.path, error, "on_passivate"))

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
            self._drop()
        self._finished()
        self.status = Status.STOPPED

    async def _until_idle(self, timeout: float) -> None:
        if not self._is_quiet:
            self._idle = self._host.loop.create_future()
            await asyncio.wait({self._idle}, timeout=timeout)
            self._idle = None

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:
        """Run one turn, or load what is needed for it."""
        raise NotImplementedError

    # Turns on their way to the disk: the actions are called on the loop when they are there.

    def _submit(
        self,
        turn: Turn,
        actions: list[Action],
        envelope: Envelope,
        then: Action,
        *,
        spent: bool = False,
        joined: Sequence[tuple[DurableLife, Turn]] = (),
    ) -> None:
        """Accept a turn: what it sends is brought early, what leaves waits for the disk; we too, unless we rest.

        Args:
            joined: the turns of others that are to be on disk with it, or not at all.
        """
        self._waits_for_disk = True
        done = self.accepted(turn, actions, envelope, then, spent=spent)
        if not joined:
            self._host.writer.submit(turn, done)
            return
        told = [done, *(cell.accepted(other, [], None, _nothing, spent=False) for cell, other in joined)]

        for cell, _ in joined:
            cell.go_on()

        def all_done(result: Committed | Rejected) -> None:
            for one in told if isinstance(result, Committed) else reversed(told):
                one(result)

        self._host.writer.submit(Joint((turn, *(other for _, other in joined))), all_done)

    def accepted(
        self, turn: Turn, actions: list[Action], envelope: Envelope | None, then: Action, *, spent: bool
    ) -> Done:
        """Stand upon a turn from now on; gives what is to be told when it is known what became of it.

        Args:
            envelope: the message that it is about, unless that was nowhere but in the turn of another actor.
            spent: whether the turn has taken it.
        """
        self.inbox.accept(turn, envelope, spent=spent)
        self._standing.advance(turn)
        self._pending += 1
        if turn.effects_settled:
            self._host.effects.not_wanted(turn.effects_settled)
        brought = self._host.courier.bring_early(turn.sends)

        def done(result: Committed | Rejected) -> None:
            self._pending -= 1
            if isinstance(result, Rejected):
                self._host.courier.undone(brought)
                self.inbox.undo(turn, envelope)
                self._undo()
            else:
                self.inbox.settle(turn, envelope)
                self._host.courier.arrived(brought, turn.sends, result.dropped)
                self._host.turn_committed(turn, actions)
                then()
            self._tell_quiet()
            self._settled()

        return done

    def _settled(self) -> None:
        """More of what is in memory is on disk."""
        if self._settling is not None:
            self._settling.set()
        self.activate()
        if not self._busy and self._standing.is_done and self.is_idle:
            self._host.actor_done(self.id)

    def _undo(self) -> None:
        """Our last turn will never be on disk: begin again from what is there."""
        self._standing.forget()
        self.incarnation += 1
        if self._execution is not None:
            self._execution.revoke()
        elif self._waits_for_disk:
            self._waits_for_disk = self._busy = False

    def _finished(self) -> None:
        self.current = None
        self._execution = None
        self._host.running.discard(self)

    def _drop(self) -> None:
        """The incarnation is over: whatever it still does is refused."""
        self._standing.fresh()
        self.incarnation += 1

    def _rest(self) -> None:
        """Nothing in hand: go on with what waits, or fall idle; one that has ended leaves memory."""
        self._busy = self._waits_for_disk = False
        self._tell_quiet()
        self.activate()
        if self._standing.ended:
            self._host.loop.call_soon(self._host.actor_ended, self.id)
        elif not self._standing.has_instance and self.is_idle:  # there was nothing to do for it
            self._host.actor_done(self.id)

    def _tell_quiet(self) -> None:
        if self._idle is not None and not self._idle.done() and self._is_quiet:
            self._idle.set_result(None)


def _nothing() -> None:
    """There is nothing to do."""
