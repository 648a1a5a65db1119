"""What the system tells whoever subscribes: every failure has an addressee, and this is the one of last resort."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar, overload

import attrs

from .mailbox import Overflow

logger = logging.getLogger("choragus")
logger.addHandler(logging.NullHandler())


@attrs.frozen
class Event:
    """Base of the system's events; `actor` is the path or address."""

    actor: str


@attrs.frozen
class Failed(Event):
    """An actor failed; its supervisor has been told."""

    error: BaseException
    message: str = ""


@attrs.frozen
class Restarted(Event):
    """A new incarnation is running."""

    incarnation: int


@attrs.frozen
class DeadLetter(Event):
    """A message or reply that nobody will take. `sender` is the path of the actor it came from; empty for the host."""

    message: object
    sender: str = ""


@attrs.frozen
class Dropped(Event):
    """A message for which there was no room, and which its mailbox's overflow policy gave up."""

    message: object
    sender: str
    overflow: Overflow


@attrs.frozen
class DeepMailbox(Event):
    """A mailbox holds many messages; told once, until it has been empty."""

    depth: int


@attrs.frozen
class SlowHandler(Event):
    """A handler took long: so many seconds, waiting included."""

    message: str
    seconds: float


@attrs.frozen
class Parked(Event):
    """A durable message was set aside; requeue it when its cause is gone."""

    message: str
    reason: str


@attrs.frozen
class Suspended(Event):
    """A durable actor cannot be loaded and was given up until the next opening; its messages wait."""

    error: BaseException


@attrs.frozen
class Zombie(Event):
    """A handler ignored its cancellation: it was cut off, and whatever it still sends is refused."""

    message: str


E = TypeVar("E", bound=Event)
Subscriber = Callable[[Event], None]

BUFFER = 1_000
"""Events that wait for a reader of a stream, at most."""


class Events:
    """The event stream. Subscribers are called at once, in order; one that raises is logged and kept."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[type[Event], Subscriber]] = []

    @overload
    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]: ...
    @overload
    def subscribe(self, subscriber: Callable[[E], None], kind: type[E]) -> Callable[[], None]: ...
    def subscribe(self, subscriber: Callable[[E], None], kind: type[E] | None = None) -> Callable[[], None]:
        """Call `subscriber` with every event from now on, or with those of a class; the function returned ends it.

        It is called where the event happens: it must not block, and had better only take note.
        """
        entry: tuple[type[Event], Subscriber] = (kind or Event, subscriber)  # type: ignore[assignment]  # called with its kind only
        self._subscribers.append(entry)

        def unsubscribe() -> None:
            self._subscribers = [one for one in self._subscribers if one is not entry]

        return unsubscribe

    @overload
    def stream(self, *, limit: int = BUFFER) -> EventStream[Event]: ...
    @overload
    def stream(self, kind: type[E], *, limit: int = BUFFER) -> EventStream[E]: ...
    def stream(self, kind: type[E] | None = None, *, limit: int = BUFFER) -> EventStream[E]:
        """The events of a class, or all, to be read one by one, from now on.

        Args:
            limit: how many wait for the reader at most. Beyond it the oldest is lost, and counted in `lost`.
        """
        stream: EventStream[E] = EventStream(limit)
        stream.end = self.subscribe(stream.put, kind or Event)  # type: ignore[arg-type]  # Event is its bound
        return stream

    def publish(self, event: Event) -> None:
        """Tell every subscriber."""
        logger.info("%s", event)
        for kind, subscriber in tuple(self._subscribers):
            if isinstance(event, kind):
                try:
                    subscriber(event)
                except Exception:
                    logger.exception("a subscriber of system events failed on %s", event)


class EventStream(Generic[E]):
    """Events as an asynchronous iterator, and a context manager that ends it:

    `with system.events.stream(DeadLetter) as letters: async for letter in letters: ...`

    It ends when it is closed, so leave the loop by `break`, or by closing it elsewhere.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a stream of limit={limit!r}: it must hold 1 event or more")
        self.lost = 0
        self.end: Callable[[], None] = _nothing
        self._held: deque[E] = deque(maxlen=limit)
        self._news: asyncio.Event = asyncio.Event()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        while not self._held:
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._held.popleft()

    def put(self, event: E) -> None:
        """Take an event for whoever reads."""
        self.lost += len(self._held) == self._held.maxlen
        self._held.append(event)
        self._news.set()

    def close(self) -> None:
        """Take no more events; those that wait can still be read."""
        self._is_closed = True
        self.end()
        self._news.set()


def _nothing() -> None:
    """There is no subscription yet."""
