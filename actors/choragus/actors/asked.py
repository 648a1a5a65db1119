"""Who outside waits for what: the replies of durable actors, and the news that a message is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from choragus.mailbox.address import ActorId

from .errors import SystemStopped
from .event import DeadLetter, Events

Where = tuple[ActorId, str]
"""The receiver and the id of the message that was asked."""


class Asked:
    """The open questions of one system's host. Every one of them ends: by a reply, a failure, or the system's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events: Events) -> None:
        self._loop = loop
        self._events = events
        self._replies: dict[Where, list[asyncio.Future[object]]] = {}
        self._writes: set[asyncio.Future[None]] = set()

    def expect(self, receiver: ActorId, message: str) -> asyncio.Future[object]:
        """A future of the reply to that message."""
        future: asyncio.Future[object] = self._loop.create_future()
        self.join(receiver, message, future)
        return future

    def join(self, receiver: ActorId, message: str, future: asyncio.Future[object]) -> None:
        """Resolve the future with the reply to that message, beside whoever waits for it already."""
        self._replies.setdefault((receiver, message), []).append(future)

    def joins(self, receiver: ActorId, message: str, future: asyncio.Future[object]) -> bool:
        """As `join`; False when the future was among those who wait already."""
        known = future in self._replies.get((receiver, message), ())
        if not known:
            self.join(receiver, message, future)
        return not known

    def waits_for(self, receiver: ActorId, message: str) -> bool:
        """Whether somebody wants the reply to that message."""
        return (receiver, message) in self._replies

    def leave(self, receiver: ActorId, message: str, future: asyncio.Future[object]) -> None:
        """The future gets its reply elsewhere."""
        waiting = self._replies.get((receiver, message), [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._replies.pop((receiver, message), None)

    def answer(self, receiver: ActorId, message: str, result: object, error: BaseException | None) -> None:
        """Resolve whoever waits for the reply; a reply that comes after its timeout is a dead letter."""
        for future in self._replies.pop((receiver, message), ()):
            if future.done():
                if error is None:
                    self._events.publish(DeadLetter(receiver, result))
            elif error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def fail(self, receiver: ActorId, error: Callable[[], BaseException]) -> None:
        """Resolve whoever waits for that actor."""
        for where in [where for where in self._replies if where[0] == receiver]:
            self.answer(*where, None, error())

    def written(self) -> asyncio.Future[None]:
        """A future of a message that is on its way to the disk."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._writes.add(future)
        future.add_done_callback(self._writes.discard)
        return future

    def give_up_replies(self) -> None:
        """The system stops handling messages: say so to whoever waits for a reply."""
        for receiver, message in tuple(self._replies):
            text = f"the system stopped before {receiver} answered {message}; what is on disk is handled next time"
            self.answer(receiver, message, None, SystemStopped(text))

    def give_up(self) -> None:
        """The system has ended: nobody waits any longer."""
        self.give_up_replies()
        for future in tuple(self._writes):
            if not future.done():
                future.set_exception(SystemStopped("the system ended: whether the message is on disk shows next time"))
