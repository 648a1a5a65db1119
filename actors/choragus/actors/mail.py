"""A volatile actor's mailbox: bounded, with a system lane, in the order of arrival or of urgency.

Waiting messages are in two lists. `_batch` is what a worker took over, reversed, so that the next is popped from its
end; `_box` is what came since. Where order is not that of arrival (urgent notices, priorities, what was stashed),
messages go straight to their place in `_batch`, at whose end the urgent notices are, always.

`depth` counts all that waits. Notices of the system take no room; the annex counts those, for there are few.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextvars import Context
from operator import attrgetter
from typing import Never

from .annex import Annex
from .delivery import Delivery, fail, is_mail, message_of, refuse, sender_of
from .errors import ActorStopped, MailboxFull, StashFull
from .event import DeadLetter, DeepMailbox, Dropped
from .host import Host
from .inside import Speaker
from .mailbox import Mailbox, Overflow
from .notice import Notice
from .reply import Reply
from .room import Room
from .status import RUNNING, STOPPED, Status

rank_of = attrgetter("rank")


class Ranked(tuple[object, "asyncio.Future[object] | None", "Speaker | None"]):
    """A delivery in a mailbox with priorities, which knows its urgency: that is asked for once."""

    rank: float


class Mail:
    """The half of a cell that takes messages. `Cell` makes all that is in it."""

    __slots__ = ("_annex", "_batch", "_box", "_busy", "_mailbox", "_mark", "current", "depth", "host", "path", "status")

    host: Host
    path: str
    status: Status
    current: Delivery | None
    depth: int
    _mailbox: Mailbox
    _mark: float
    _box: list[Delivery] | None
    _batch: list[Delivery] | None
    _busy: bool
    _annex: Annex | None

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two messages."""
        raise NotImplementedError

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:
        """Handle the messages that wait."""
        raise NotImplementedError

    @property
    def asking(self) -> Sequence[Reply[object]]:
        """What the message in hand waits for."""
        raise NotImplementedError

    def asked_by(self, speaker: Speaker, reply: Reply[object]) -> None:
        """An actor waits for this one: for its answer, or for room."""
        raise NotImplementedError

    @property
    def annex(self) -> Annex:
        """The rarely used parts, made now if need be."""
        if self._annex is None:
            self._annex = Annex()
        return self._annex

    def put(self, delivery: Delivery) -> None:
        """Take a message without waiting; a stopped cell makes it a dead letter, and fails its asker.

        Raises:
            MailboxFull: when there is no room, and the policy is to say so.
        """
        if self.depth >= self._mark:
            self._put_closely(delivery)
            return
        self.depth += 1
        if self._box is None:
            self._box = [delivery]
            if not self._busy and self.status is RUNNING:
                self._busy = True
                self.host.scheduler.activate(self)
        else:
            self._box.append(delivery)

    def put_late(self, delivery: Delivery) -> None:
        """Take a message whose sender can no longer be told anything: what is not taken is a dead letter."""
        try:
            self.put(delivery)
        except Exception:  # no room, or a priority that raises: the turn that sent it is on disk
            self.host.events.publish(DeadLetter(self.path, message_of(delivery), sender_of(delivery)))

    @property
    def makes_wait(self) -> bool:
        """Whether `put_when_room` would not take a message now."""
        return self.status is STOPPED or (self._is_full and self._mailbox.overflow is Overflow.WAIT)

    async def put_when_room(self, delivery: Delivery) -> None:
        """Take a message, waiting for room as long as it takes; a cell that stops meanwhile raises ActorStopped.

        When it is cancelled the message has not been taken, unless the actor has it in hand already.

        Raises:
            AskCycle: when this actor waits, over however many others, for the one that sends.
        """
        if self.status is STOPPED:
            raise ActorStopped(self.path)
        if self._mailbox.overflow is not Overflow.WAIT or not self._is_full:
            self.put(delivery)
            return
        ranked = self._ranked(delivery)
        waiter: Reply[object] = Reply(loop=self.host.loop)
        waiter.asked = self
        if delivery[2] is not None:
            self.asked_by(delivery[2], waiter)
        room = self._room
        room.join(waiter, ranked)
        try:
            await waiter
        except asyncio.CancelledError:
            room.leave(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._withdraw(ranked)  # it was let in at this very moment
            raise

    def put_notice(self, notice: Notice) -> None:
        """Take a notice behind the messages, whether there is room or not."""
        if self.status is not STOPPED:
            self.annex.notices += 1
            self._enter(self._ranked((notice, None, None)))

    def put_first(self, notice: Notice) -> None:
        """Take a notice before every message, behind other urgent ones: the system lane, which has no bound."""
        if self.status is not STOPPED:
            annex = self.annex
            batch = self._taken_over()
            batch.insert(len(batch) - annex.urgent, (notice, None, None))
            annex.notices += 1
            annex.urgent += 1
            self.depth += 1
            self._wake()

    # Messages set aside.

    def stash(self) -> None:
        """Set the message in hand aside; its asker goes on waiting.

        Raises:
            RuntimeError: when no message is in hand.
            StashFull: when there is no room for it.
        """
        delivery, limit = self.current, self._mailbox.stash
        if delivery is None:
            raise RuntimeError(f"{self.path} has no message in hand to stash: call stash() in a handler, once")
        annex = self.annex
        if len(annex.stash) >= limit:
            raise StashFull(
                f"{self.path} has {limit} messages set aside (its limit): unstash_all(), or Mailbox(stash=)"
            )
        if isinstance(delivery[0], Notice):  # it cannot be opened again
            delivery = self._ranked((annex.opened, delivery[1], delivery[2]))
        annex.stash.append(delivery)
        annex.aside = delivery
        self.current = None

    def unstash_all(self) -> None:
        """Handle what was set aside next, in the order in which it came; with priorities, before its equals."""
        annex = self._annex
        if annex is None or not annex.stash:
            return
        stash, annex.stash = annex.stash, []
        batch = self._taken_over()
        front = len(batch) - annex.urgent
        self.depth += len(stash)
        if self._mailbox.priority is None:
            batch[front:front] = stash[::-1]
        else:
            for place, delivery in enumerate(reversed(stash), front):
                batch.insert(bisect_right(batch, rank_of(delivery), 0, place, key=rank_of), delivery)
        self._wake()

    # Where it is close.

    @property
    def _is_full(self) -> bool:
        annex = self._annex
        return self.depth - (0 if annex is None else annex.notices) >= self._mailbox.limit

    @property
    def _room(self) -> Room:
        annex = self.annex
        if annex.room is None:
            annex.room = Room()
        return annex.room

    def _put_closely(self, delivery: Delivery) -> None:
        if self.status is STOPPED:
            refuse(delivery, self.path, self.host.events)
        elif not self._is_full:
            self._enter(self._ranked(delivery))
            self._note_depth()
        else:
            self._overflow(delivery)

    def _overflow(self, delivery: Delivery) -> None:
        reply, overflow = delivery[1], self._mailbox.overflow
        if overflow is Overflow.DROP_NEWEST:
            self._drop(delivery)
        elif overflow is Overflow.DROP_OLDEST:
            oldest = self._take_oldest()
            self._enter(delivery)
            self._drop(oldest)
        elif reply is None:
            raise self._full()
        elif overflow is Overflow.WAIT:
            self._room.join(reply, self._ranked(delivery))
        else:
            fail(delivery, self._full())

    def _note_depth(self) -> None:
        """Tell when the mailbox has become deep; from then on only its limit is looked at."""
        mailbox, annex = self._mailbox, self._annex
        if self.depth >= mailbox.deep and (annex is None or not annex.is_deep):
            self.annex.is_deep = True
            if mailbox.priority is None:
                self._mark = mailbox.limit
            self.host.events.publish(DeepMailbox(self.path, self.depth))

    def _ranked(self, delivery: Delivery) -> Delivery:
        """With its urgency, in a mailbox with priorities. What the priority raises is raised."""
        urgency = self._mailbox.priority
        if urgency is None or isinstance(delivery, Ranked):
            return delivery
        reply, ranked = delivery[1], Ranked(delivery)
        try:
            ranked.rank = 0.0 if isinstance(delivery[0], Notice) else _urgency(urgency, delivery[0])
        except BaseException:
            if reply is not None:
                reply.cancel()  # nobody waits for it
            raise
        return ranked

    def _enter(self, delivery: Delivery) -> None:
        self.depth += 1
        if isinstance(delivery, Ranked):
            batch = self._taken_over()
            below = len(batch) - (0 if self._annex is None else self._annex.urgent)
            batch.insert(bisect_left(batch, delivery.rank, 0, below, key=rank_of), delivery)
        elif self._box is None:
            self._box = [delivery]
        else:
            self._box.append(delivery)
        self._wake()

    def _taken_over(self) -> list[Delivery]:
        """All that waits, in one list: the next one last."""
        batch = self._batch
        if batch is None:
            batch = self._batch = []
        if self._box:
            batch[:0] = self._box[::-1]
        self._box = None
        return batch

    def _wake(self) -> None:
        """Stand in the ready queue, when there is mail and nobody is at it."""
        if not self._busy and self.status is RUNNING and self.depth:
            self._busy = True
            self.host.scheduler.activate(self)

    def _take_oldest(self) -> Delivery:
        """Take out the message that has waited longest: a full mailbox has one."""
        place = _next_mail(self._batch or [])
        batch = self._taken_over() if place is None or self._batch is None else self._batch
        place = _next_mail(batch) if place is None else place
        assert place is not None
        self.depth -= 1
        return batch.pop(place)

    def _drop(self, delivery: Delivery) -> None:
        """Nobody is to wait for what is dropped."""
        fail(delivery, self._full())
        overflow = self._mailbox.overflow
        self.host.events.publish(Dropped(self.path, message_of(delivery), sender_of(delivery), overflow))

    def _full(self) -> MailboxFull:
        mailbox = self._mailbox
        waits = mailbox.overflow is Overflow.WAIT
        remedy = "use send, which waits" if waits else "send less, or give it more by Mailbox(limit=...)"
        return MailboxFull(f"{self.path} has {mailbox.limit} messages waiting (its limit): {remedy}")

    def _taken_out(self, delivery: Delivery, annex: Annex) -> None:
        """That one waits no more: count it, and let in who waits for its room."""
        message = delivery[0]
        if isinstance(message, Notice) and not message.is_mail:
            annex.notices -= 1
            annex.urgent -= message.is_urgent
        if annex.is_deep and not self.depth:
            annex.is_deep = False
            self._mark = self._mailbox.mark
        if annex.room:
            self._make_room(annex.room)

    def _make_room(self, room: Room) -> None:
        while not self._is_full and (delivery := room.next()) is not None:
            self._enter(delivery)

    def _withdraw(self, delivery: Delivery) -> None:
        """Forget a message, if it still waits or is set aside."""
        annex = self.annex
        for place, one in enumerate(annex.stash):
            if one is delivery:
                del annex.stash[place]
                return
        batch = self._taken_over()
        for place, one in enumerate(batch):
            if one is delivery:
                del batch[place]
                self.depth -= 1
                self._taken_out(one, annex)
                return

    def _refuse_all(self) -> None:
        """The actor has stopped: nobody will handle what waits, or was set aside."""
        self._mark = -1
        annex = self._annex
        if not self.depth and annex is None:
            return
        left = self._taken_over()[::-1]
        self._batch = None
        self.depth = 0
        if annex is not None:
            left += annex.stash
            annex.stash, annex.aside, annex.opened = [], None, None
            annex.notices = annex.urgent = 0
            annex.is_deep = False
        for delivery in left:
            if is_mail(delivery):
                refuse(delivery, self.path, self.host.events)
        if annex is not None and annex.room is not None:
            annex.room.close(ActorStopped(self.path))


def _next_mail(batch: list[Delivery]) -> int | None:
    """The place of the next message, if there is one: the system's own notices are no messages."""
    return next((place for place in range(len(batch) - 1, -1, -1) if is_mail(batch[place])), None)


def _urgency(urgency: Callable[[Never], float], message: object) -> float:
    rank = float(urgency(message))  # type: ignore[arg-type]  # it takes what the actor takes
    if rank != rank:
        raise ValueError(f"the priority of {type(message).__name__} is nan: give a number, the greater the more urgent")
    return rank
