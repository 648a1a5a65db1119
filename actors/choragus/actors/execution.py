"""One call of a durable handler: what it is called with, its time limit, and the turn that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import attrs

from choragus.mailbox.codec import Record, decode, encode
from choragus.mailbox.turn import Envelope, OnInterrupt, Turn

from .deadline import Deadline, Deadlines
from .durable import DurableActor
from .errors import TurnTimeout, Unhandled
from .inside import CURRENT
from .message import decode_reply
from .standing import Standing
from .status import GRACE
from .step import Steps

INTERRUPTIONS = 20
"""How often a message may be interrupted by the process's death before it is parked."""


@attrs.frozen
class Work:
    """One message to handle, decoded, and the instance that handles it."""

    envelope: Envelope
    message: object
    actor: DurableActor[object, object]

    @property
    def is_retried(self) -> bool:
        """Whether it was tried before."""
        return bool(self.envelope.attempts or self.envelope.interrupted)


class Owner(Protocol):
    """The cell whose handler it is."""

    path: str

    async def committed(self) -> None:
        """Wait until all that the turn in hand stands upon is on disk."""
        ...

    def steps(self, execution: Execution) -> Steps:
        """For the steps of that handler call."""
        ...

    def cut_off(self, execution: Execution, error: TurnTimeout) -> None:
        """The handler resists its cancellation: go on without it."""
        ...


class Execution:
    """A handler that runs, in the task that created this.

    Past the actor's `turn_timeout` it is cancelled, and past a grace cut off: `is_cut_off` says that whatever still
    comes of it is to be refused. `is_revoked`: it stands upon what will never be on disk, so it is for nothing.
    """

    def __init__(self, owner: Owner, deadlines: Deadlines, standing: Standing, work: Work) -> None:
        self.work = work
        self.draft = standing.draft(work.envelope)
        self.draft.committed = owner.committed
        self.draft.step = self._step
        self._steps: Steps | None = None
        self._replies: tuple[tuple[str, Record], ...] = ()
        self.is_cut_off = False
        self.is_overdue = False
        self.is_revoked = False
        self._owner = owner
        self._deadlines = deadlines
        self._standing = standing
        self._task = asyncio.current_task()

    async def run(self) -> object:
        """What the handler returns; what it raises goes to the caller, TurnTimeout when it was overdue."""
        watchdog: Deadline | None = None
        token = CURRENT.set(self.draft)
        self.work.actor._draft = self.draft
        try:
            result = called(self.work)
            if not asyncio.iscoroutine(result):
                return result  # while a plain function runs, no deadline could pass
            watchdog = self._deadlines.after(self._standing.cls.turn_timeout, self._expire)
            return await result
        finally:
            self.draft.open = self.is_cut_off  # one that was cut off goes on collecting for nothing
            if not self.is_cut_off:
                self.work.actor._draft = None  # an idle actor keeps its state, and nothing of its last turn
            if watchdog is not None:
                watchdog.cancel()
            CURRENT.reset(token)

    def reply(self, result: object, *, wanted: bool) -> object:
        """The reply, as whoever waits gets it. A value that cannot be stored raises here, and so fails the turn.

        Args:
            wanted: whether somebody waits for it. They get a copy: a piece of the state itself would go on changing in
                their hands.
        """
        envelope = self.work.envelope
        if self.draft.is_stashed or not (wanted or envelope.key or envelope.reply_to):
            return None
        record = encode(result)
        if envelope.reply_to:
            self.draft.answer(envelope, record)
        if envelope.key:
            self._replies = ((envelope.id, record),)
        return decode_reply(type(self.work.message), record)

    def turn(self) -> Turn:
        """The turn, with the state as it is now; one that cannot be stored raises here, and so fails the turn."""
        state = self._standing.changed_state(self._standing.instance())
        if not self.draft.is_stashed and (self._steps is not None or self.work.is_retried):
            self.draft.stepped()
        return self.draft.close(state, self._replies)

    @property
    def may_be_joined(self) -> bool:
        """Whether it did nothing that takes a turn of its own."""
        return self._steps is None and not self.work.is_retried and not self.draft.has_strayed

    @property
    def is_over(self) -> bool:
        """Whether whatever still comes of it is refused."""
        return self.is_cut_off or self.is_revoked or not self.draft.open

    async def committed(self) -> None:
        """Wait until all that the turn stands upon is on disk."""
        await self._owner.committed()

    async def _step(self, name: str, call: Callable[[], object], on_interrupt: OnInterrupt) -> object:
        self._steps = self._steps or self._owner.steps(self)
        return await self._steps.take(name, call, on_interrupt)

    def revoke(self) -> None:
        """What it stands upon is undone: nothing may come of it."""
        self.is_revoked = True
        self.cancel()

    def cancel(self) -> None:
        """Ask the handler to end."""
        if self._task is not None:
            self._task.cancel()

    def timed_out(self) -> TurnTimeout:
        """The error of a handler that was overdue."""
        cls = self._standing.cls
        limit = cls.turn_timeout
        return TurnTimeout(f"{self._owner.path} took longer than {limit:g} s (turn_timeout of {cls.__name__})")

    def _expire(self) -> None:
        self.is_overdue = True
        self.cancel()
        self._deadlines.after(GRACE, self._cut_off)

    def _cut_off(self) -> None:
        if self.draft.open and not self.is_cut_off:
            self.is_cut_off = True
            self._owner.cut_off(self, self.timed_out())


def called(work: Work) -> object:
    """What the handler gives: its result, or what has to be awaited for it."""
    actor, message, envelope = work.actor, work.message, work.envelope
    if envelope.then:
        result: object = getattr(actor, method_of(envelope))(message)
        return result
    return actor.__choragus_table__[type(message)].function(actor, message)


def admit(standing: Standing, envelope: Envelope) -> object:
    """The message of an envelope; raises when it will never be handled, so that trying again is of no use."""
    if standing.ended:
        raise Unhandled(f"{standing.id} has ended")
    if envelope.interrupted > INTERRUPTIONS:
        raise Unhandled(f"the process died {envelope.interrupted} times over it (the limit is {INTERRUPTIONS})")
    message = decode(envelope.record)
    if envelope.then and method_of(envelope) not in standing.cls.__choragus_reply_names__:
        raise Unhandled(f"{standing.id} has no @reply method {method_of(envelope)!r} any more")
    if not envelope.then and type(message) not in standing.cls.__choragus_table__:
        raise Unhandled(f"{standing.id} has no handler for {type(message).__name__}")
    return message


def method_of(envelope: Envelope) -> str:
    """The name of the `@reply` method that an answer goes to."""
    return envelope.then.partition("\n")[0]
