"""What actors of one group do with each other's messages, in the turn that sends them.

When a handler is through, what it has sent to others of its group and key is handled at once, and what that sends in
turn, in the order in which it was sent. It all becomes one joint turn: on disk together, or none of it. Nothing here
waits, so nobody comes between: a message whose handler has to wait is left for a turn of its own, with all that its
receiver is sent behind it. When a handler fails all is given up, and the first message is handled again, alone; the one
that failed does so in a turn of its own, where that is counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from types import coroutine

import attrs

from choragus.mailbox.address import ActorId, key_of
from choragus.mailbox.codec import Record, encode
from choragus.mailbox.turn import Envelope, OnInterrupt, Turn

from .draft import Draft, Mark
from .durable_life import DurableHost, DurableLife
from .execution import Execution, Work, admit, called, method_of
from .inside import CURRENT, SPEAKER

MOST = 32
"""Messages that are handled in one joint turn besides the first; what is sent beyond it has turns of its own."""

Turns = list[tuple[DurableLife, Turn]]


class Strayed(Exception):
    """Raised where a handler does what takes a turn of its own: it waits, sets a message aside, or ends its actor."""


@attrs.define(eq=False)
class Member:
    """An actor that takes part. `has_begun`: it has handled something."""

    cell: DurableLife
    draft: Draft
    has_begun: bool = False


@attrs.frozen(eq=False)
class Before:
    """A member before a message, to go back to."""

    mark: Mark
    has_begun: bool
    state: Record | None


class Chain:
    """The messages that follow from one that an actor of a group has handled.

    Args:
        cell: that actor's.
        execution: its handler call, which is over.
    """

    def __init__(self, host: DurableHost, cell: DurableLife, execution: Execution) -> None:
        self._host = host
        self._execution = execution
        self._first = Member(cell, execution.draft, has_begun=True)
        self._key = key_of(cell.id)
        self._members: dict[ActorId, Member] = {cell.id: self._first}
        self._closed: set[ActorId] = set()
        if not cell.is_free_but_for(execution.work.envelope):
            self._closed.add(cell.id)

    def follow(self) -> Turns | None:
        """Handle what was sent, and what follows from it; the turns, the first actor's first.

        None when a handler failed: all of it is for nothing, the first call too.
        """
        try:
            handled = self._handle_all()
            self._let_go([one for one in self._members.values() if not one.has_begun])
            if handled:
                return [(one.cell, self._turn(one)) for one in self._members.values()]
        except (Exception, asyncio.CancelledError):
            self._give_up()
            return None
        except BaseException:
            self._give_up()
            raise
        return [(self._first.cell, self._execution.turn())]

    def _handle_all(self) -> int:
        """Handle what can be handled; gives how many messages that were."""
        waiting = deque(self._first.draft.fresh())
        handled = 0
        while waiting:
            envelope = waiting.popleft()
            member = self._taker(envelope) if handled < MOST else None
            if member is not None and self._handle(member, envelope):
                handled += 1
                self._members[ActorId(envelope.sender)].draft.take_back(envelope)
                waiting.extend(member.draft.fresh())
            else:
                self._leave(envelope)
        return handled

    def _turn(self, member: Member) -> Turn:
        if member is self._first:
            return self._execution.turn()
        standing = member.cell.standing
        return member.draft.close(standing.changed_state(standing.instance()), ())

    def _taker(self, envelope: Envelope) -> Member | None:
        """Who may take the message now."""
        receiver = envelope.receiver
        if receiver in self._closed:
            return None
        member = self._members.get(receiver) or self._joined(receiver)
        if member is None or member.cell.foresees(envelope):
            return None
        return None if (member.cell.standing.cls, _what(envelope)) in self._host.shy else member

    def _joined(self, receiver: ActorId) -> Member | None:
        cell = self._host.cell(receiver) if key_of(receiver) == self._key else None
        if cell is None or cell.standing.cls.group != self._first.cell.standing.cls.group:
            return None
        if not cell.is_free_but_for(None):
            return None
        cell.take_part()
        draft = cell.standing.draft(None)
        draft.join(self._first.draft)
        member = self._members[receiver] = Member(cell, draft)
        return member

    def _leave(self, envelope: Envelope) -> None:
        """It is written, and so is all that its receiver is sent behind it.

        An answer to what was asked here comes without its timer, which then is none.
        """
        self._closed.add(envelope.receiver)
        asker = self._members.get(envelope.receiver) if envelope.answer else None
        if asker is not None and asker.draft.answered(envelope):
            plain = attrs.evolve(envelope, timer="", answer=False)
            self._members[ActorId(envelope.sender)].draft.replace(envelope, plain)

    def _handle(self, member: Member, envelope: Envelope) -> bool:
        """Handle the message; False when that takes a turn of its own, and then nothing has changed."""
        standing, draft = member.cell.standing, member.draft
        try:
            work = Work(envelope, admit(standing, envelope), standing.instance())
        except Exception:  # it is parked, or its actor cannot be loaded: what comes of it is decided in its own turn
            return False
        what = (standing.cls, _what(envelope))
        before = None if what in self._host.quick else _before(member, work)
        if envelope.answer and not draft.answered(envelope):
            return False
        member.has_begun = True
        draft.go_on(envelope)
        draft.committed, draft.step = _wait, _wait_for_step
        try:
            result = self._called(member, work)
        except Strayed:
            self._host.shy.add(what)
            if before is None:
                raise
            self._go_back(member, before)
            return False
        except (Exception, asyncio.CancelledError) as error:
            member.cell.foresee(envelope, error)
            raise
        if envelope.reply_to:
            draft.answer(envelope, encode(result))
        self._host.quick.add(what)
        return True

    def _called(self, member: Member, work: Work) -> object:
        turn, speaker = CURRENT.set(member.draft), SPEAKER.set(member.cell)
        member.draft.open, work.actor._draft = True, member.draft
        try:
            result = called(work)
            if asyncio.iscoroutine(result):
                result = _at_once(result)
            if member.draft.has_strayed:
                raise Strayed(f"{member.cell.path} takes a turn of its own")
            return result
        finally:
            member.draft.open, work.actor._draft = False, None
            SPEAKER.reset(speaker)
            CURRENT.reset(turn)

    def _go_back(self, member: Member, before: Before) -> None:
        member.has_begun = before.has_begun
        member.draft.go_back(before.mark)
        if before.state is None:
            member.cell.standing.fresh()
        else:
            member.cell.standing.set_back(before.state)

    def _let_go(self, idle: list[Member]) -> None:
        for one in idle:
            del self._members[one.cell.id]
            one.cell.go_on()

    def _give_up(self) -> None:
        """Have all begin again from the state of their last completed turn."""
        for member in self._members.values():
            member.cell.standing.fresh()
            if member is not self._first:
                member.cell.go_on()


def _before(member: Member, work: Work) -> Before:
    state = encode(work.actor.state) if member.has_begun else None
    return Before(member.draft.mark(), member.has_begun, state)


def _what(envelope: Envelope) -> str:
    """By what its handler is found."""
    return method_of(envelope) or envelope.record.tag


def _at_once(call: Coroutine[object, None, object]) -> object:
    """What the handler gives without waiting.

    Raises:
        Strayed: when it waits; it is closed.
    """
    try:
        call.send(None)
    except StopIteration as end:
        return end.value
    with suppress(Exception):  # what it raises as it is closed is for nobody
        call.close()
    raise Strayed("it waits")


@coroutine
def _pause() -> Generator[None]:
    yield


async def _wait() -> None:
    await _pause()


async def _wait_for_step(name: str, call: Callable[[], object], on_interrupt: OnInterrupt) -> object:
    await _pause()
    raise Strayed(name)
