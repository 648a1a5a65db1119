"""A volatile actor's mailbox: bounded, with a system lane, in the order of arrival or of urgency.

Waiting messages are in two lists. `_batch` is what a worker took over, reversed, so that the next is popped from its
end; `_box` is what came since. Where order is not that of arrival (urgent notices, priorities, what was stashed),
messages go straight to their place in `_batch`.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from contextvars import Context

from .annex import Annex
from .delivery import Delivery, fail, refuse, sender_of
from .errors import ActorStopped, MailboxFull, StashFull
from .event import DeadLetter, DeepMailbox, Dropped
from .host import Host
from .mailbox import Mailbox, Overflow
from .notice import Notice
from .room import Room
from .status import Status

RUNNING = Status.RUNNING


class Mail:
    """The half of a cell that takes messages."""

    __slots__ = ("_annex", "_batch", "_box", "_busy", "_mailbox", "_mark", "current", "depth", "host", "path", "status")

    def __init__(self, host: Host, path: str, mailbox: Mailbox) -> None:
        self.host = host
        self.path = path
        self.status = Status.STARTING
        self.current: Delivery | None = None
        self.depth = 0
        self._mailbox = mailbox
        self._mark = mailbox.mark
        self._box: list[Delivery] | None = None
        self._batch: list[Delivery] | None = None
        self._busy = False
        self._annex: Annex | None = None

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two messages."""
        raise NotImplementedError

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:
        """Handle the messages that wait."""
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
        """Take a message whose sender can no longer be told anything: what does not fit is a dead letter."""
        try:
            self.put(delivery)
        except MailboxFull:
            self.host.events.publish(DeadLetter(self.path, delivery[0], sender_of(delivery)))

    async def put_when_room(self, delivery: Delivery) -> None:
        """Take a message, waiting for room as long as it takes; a cell that stops meanwhile raises ActorStopped."""
        if self._mailbox.overflow is Overflow.WAIT:
            while self.depth >= self._mailbox.limit and self.status is not Status.STOPPED:
                room = self.annex.room = self.annex.room or Room(self.host.loop)
                await room.wait()
        if self.status is Status.STOPPED:
            raise ActorStopped(self.path)
        self.put(delivery)

    def put_notice(self, notice: Notice) -> None:
        """Take a notice behind the messages, whether there is room or not."""
        if self.status is not Status.STOPPED:
            self._enter((notice, None, None))

    def put_first(self, notice: Notice) -> None:
        """Take a notice before every message, behind other urgent ones: the system lane, which has no bound."""
        if self.status is not Status.STOPPED:
            batch = self._taken_over()
            place = len(batch)
            while place and isinstance(ahead := batch[place - 1][0], Notice) and ahead.is_urgent:
                place -= 1
            self._insert(place, (notice, None, None))

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
        if len(self.annex.stash) >= limit:
            raise StashFull(
                f"{self.path} has {limit} messages set aside (its limit): unstash_all(), or Mailbox(stash=)"
            )
        self.annex.stash.append(delivery)
        self.current = None

    def unstash_all(self) -> None:
        """Handle what was set aside next, in the order in which it came."""
        if self._annex is not None and self._annex.stash:
            stash, self._annex.stash = self._annex.stash, []
            batch = self._taken_over()
            batch.extend(reversed(stash))
            self.depth += len(stash)
            self._wake()

    # Where it is close.

    def _put_closely(self, delivery: Delivery) -> None:
        mailbox = self._mailbox
        if self.status is Status.STOPPED:
            refuse(delivery, self.path, self.host.events)
            return
        if self.depth >= mailbox.deep and not self.annex.is_deep:
            self.annex.is_deep = True
            self.host.events.publish(DeepMailbox(self.path, self.depth))
            self._mark = 0 if mailbox.priority is not None else mailbox.limit
        if self.depth < mailbox.limit:
            self._enter(delivery)
        elif mailbox.overflow is Overflow.DROP_NEWEST:
            self._drop(delivery)
        elif mailbox.overflow is Overflow.DROP_OLDEST:
            self._drop_oldest()
            self._enter(delivery)
        elif mailbox.overflow is Overflow.WAIT and delivery[1] is not None:
            self._wait_for_room(delivery, delivery[1])
        else:
            raise self._full()

    def _enter(self, delivery: Delivery) -> None:
        urgency = self._mailbox.priority
        if urgency is None or isinstance(delivery[0], Notice):
            self.depth += 1
            if self._box is None:
                self._box = [delivery]
            else:
                self._box.append(delivery)
            self._wake()
            return
        ranked: Callable[[Delivery], float] = lambda one: _rank(one, urgency)  # noqa: E731  # a key for two uses
        batch = self._taken_over()
        self._insert(bisect_left(batch, ranked(delivery), key=ranked), delivery)

    def _insert(self, place: int, delivery: Delivery) -> None:
        self._taken_over().insert(place, delivery)
        self.depth += 1
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

    def _drop_oldest(self) -> None:
        waiting = self._taken_over()
        oldest = next(
            (place for place in reversed(range(len(waiting))) if not isinstance(waiting[place][0], Notice)), None
        )
        if oldest is not None:
            self.depth -= 1
            self._drop(waiting.pop(oldest))

    def _drop(self, delivery: Delivery) -> None:
        """Nobody is to wait for what is dropped."""
        fail(delivery, self._full())
        overflow = self._mailbox.overflow
        self.host.events.publish(Dropped(self.path, delivery[0], sender_of(delivery), overflow))

    def _full(self) -> MailboxFull:
        waits = self._mailbox.overflow is Overflow.WAIT
        remedy = "use send, which waits" if waits else "send less, or give it more by Mailbox(limit=...)"
        return MailboxFull(f"{self.path} has {self.depth} messages waiting (its limit): {remedy}")

    def _wait_for_room(self, delivery: Delivery, reply: asyncio.Future[object]) -> None:
        """An ask waits for room within its timeout."""

        async def wait() -> None:
            try:
                await self.put_when_room(delivery)
            except (ActorStopped, MailboxFull) as error:
                fail(delivery, error)

        waiting = self.host.scheduler.task(wait(), f"choragus:{self.path}:room")
        self.annex.tasks.add(waiting)
        waiting.add_done_callback(self.annex.tasks.discard)
        reply.add_done_callback(lambda _: waiting.cancel())

    def _make_room(self, room: Room) -> None:
        if self._mailbox.limit > self.depth:
            room.let_in(int(min(self._mailbox.limit - self.depth, 1 << 30)))

    def _refuse_all(self) -> None:
        """The actor has stopped: nobody will handle what waits, or was set aside."""
        self._mark = -1
        if not self.depth and self._annex is None:
            return
        left = self._taken_over()[::-1]
        if self._annex is not None:
            left += self._annex.stash
            self._annex.stash = []
        self._batch = None
        self.depth = 0
        for delivery in left:
            if not isinstance(delivery[0], Notice):
                refuse(delivery, self.path, self.host.events)
        if self._annex is not None and self._annex.room is not None:
            self._annex.room.let_all_in()


def _rank(delivery: Delivery, urgency: Callable[..., float]) -> float:
    message = delivery[0]
    if isinstance(message, Notice):
        return float("inf") if message.is_urgent else 0.0
    return urgency(message)
