"""What the system tells whoever subscribes: every failure has an addressee, and this is the one of last resort."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, Self, TypeVar, overload

import attrs

from .mailbox import Overflow
from .reason import reason

logger = logging.getLogger("choragus")


@attrs.frozen
class Event:
    """Base of the system's events; `actor` is the path or address.

    Each is also logged, by the logger "choragus": failures and what else needs a person's eye as warnings, which Python
    prints to stderr unless logging is set up otherwise, so that nothing fails in silence; all else as information.
    """

    LEVEL: ClassVar[int] = logging.INFO

    actor: str


@attrs.frozen
class Chronicled(Event):
    """Base of what a system with a file also enters in its own stream, where no turn does."""

    def entry(self) -> tuple[str, Mapping[str, object]] | None:
        """The kind of the entry, and its fields beside the actor; None when a turn has entered it."""
        raise NotImplementedError


@attrs.frozen
class Failed(Chronicled):
    """An actor failed; its supervisor has been told. `by_turn`: the turn that failed is an entry of its own."""

    LEVEL = logging.WARNING

    error: BaseException
    message: str = ""
    by_turn: bool = attrs.field(default=False, kw_only=True, eq=False, repr=False)

    def entry(self) -> tuple[str, Mapping[str, object]] | None:
        """`actor.failed`."""
        if self.by_turn:
            return None
        return "actor.failed", {"type": self.message, "reason": _told(self.error)}

    def __str__(self) -> str:
        on = f" on {self.message}" if self.message else ""
        return f"{self.actor or 'the root'} failed{on}: {type(self.error).__name__}: {reason(self.error)}"


@attrs.frozen
class Restarted(Chronicled):
    """A new incarnation is running. `by_turn`: it follows a failed turn, which is an entry of its own."""

    incarnation: int
    by_turn: bool = attrs.field(default=False, kw_only=True, eq=False, repr=False)

    def entry(self) -> tuple[str, Mapping[str, object]] | None:
        """`actor.restarted`."""
        return None if self.by_turn else ("actor.restarted", {"incarnation": self.incarnation})


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
    """So many messages wait in a mailbox, which is many; told once, until it has been empty."""

    LEVEL = logging.WARNING

    depth: int


@attrs.frozen
class SlowHandler(Event):
    """A handler took long, and has ended: so many seconds, waiting included."""

    LEVEL = logging.WARNING

    message: str
    seconds: float


@attrs.frozen
class Parked(Event):
    """A durable message was set aside; requeue it when its cause is gone."""

    LEVEL = logging.WARNING

    message: str
    reason: str


@attrs.frozen
class Suspended(Chronicled):
    """A durable actor cannot be loaded and was given up until the next opening; its messages wait."""

    LEVEL = logging.WARNING

    error: BaseException

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`actor.suspended`."""
        return "actor.suspended", {"reason": _told(self.error)}


@attrs.frozen
class Zombie(Chronicled):
    """A handler ignored its cancellation: it was cut off, and whatever it still sends is refused."""

    LEVEL = logging.WARNING

    message: str

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`actor.cut_off`."""
        return "actor.cut_off", {"type": self.message}


@attrs.frozen
class Degraded(Event):
    """A commit failed: nothing is written, told or begun until that is mended, and it is tried again and again."""

    LEVEL = logging.WARNING

    reason: str


@attrs.frozen
class Recovered(Event):
    """Commits work again, after so many seconds; nothing was lost."""

    LEVEL = logging.WARNING

    seconds: float


E = TypeVar("E", bound=Event)
Subscriber = Callable[[Event], None]

BUFFER = 1_000
"""Events that wait for a reader of a stream, at most."""


@attrs.define(eq=False)
class _Subscription:
    kind: type[Event]
    call: Subscriber
    is_over: bool = False


class Events:
    """The event stream. Subscribers are called at once, in order; one that raises is logged and kept."""

    def __init__(self) -> None:
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._by_kind: dict[type[Event], tuple[_Subscription, ...]] = {}  # worked out from these when it is first asked
        self._streams: set[EventStream[Event]] = set()
        self._is_closed = False

    @overload
    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]: ...
    @overload
    def subscribe(self, subscriber: Callable[[E], None], kind: type[E]) -> Callable[[], None]: ...
    def subscribe(self, subscriber: Callable[[E], None], kind: type[E] | None = None) -> Callable[[], None]:
        """Call `subscriber` with every event from now on, or with those of a class; the function returned ends it.

        It is called where the event happens: it must not block, and had better only take note. It may subscribe
        others, who get the next event, and end subscriptions, which get no more, of this event neither.
        """
        if not callable(subscriber):
            raise TypeError(f"{subscriber!r} cannot be called with events: give a function, or use events.stream()")
        if kind is not None and not (isinstance(kind, type) and issubclass(kind, Event)):
            raise TypeError(f"{kind!r} is no class of events: give one, such as DeadLetter, or none for all events")
        subscription = _Subscription(kind or Event, subscriber)  # type: ignore[arg-type]  # called with its kind only
        self._subscribed((*self._subscriptions, subscription))

        def unsubscribe() -> None:
            subscription.is_over = True
            self._subscribed(tuple(one for one in self._subscriptions if one is not subscription))

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
        end = self.subscribe(stream.put, kind or Event)  # type: ignore[arg-type]  # Event is its bound
        streams: set[EventStream[E]] = self._streams  # type: ignore[assignment]  # only to be closed

        def ended() -> None:
            end()
            streams.discard(stream)

        stream.end = ended
        streams.add(stream)
        if self._is_closed:
            stream.close()
        return stream

    def publish(self, event: Event) -> None:
        """Tell every subscriber."""
        if logger.isEnabledFor(event.LEVEL):
            _log(event)
        for subscription in self._subscriptions_to(type(event)):
            if not subscription.is_over:
                try:
                    subscription.call(event)
                except (Exception, asyncio.CancelledError):  # nobody can cancel a call: it comes out of a future
                    logger.exception("a subscriber of system events failed on %s", event)

    def want(self, kind: type[Event]) -> bool:
        """Whether anybody would hear of such an event: what is dear to make need not be made when nobody does."""
        return logger.isEnabledFor(kind.LEVEL) or bool(self._subscriptions_to(kind))

    def _subscriptions_to(self, kind: type[Event]) -> tuple[_Subscription, ...]:
        known = self._by_kind.get(kind)
        if known is None:
            known = tuple(one for one in self._subscriptions if issubclass(kind, one.kind))
            self._by_kind[kind] = known
        return known

    def _subscribed(self, subscriptions: tuple[_Subscription, ...]) -> None:
        self._subscriptions = subscriptions
        self._by_kind.clear()

    def close(self) -> None:
        """Close every stream, also those to come: the system has ended. Subscribers still hear of what comes later."""
        self._is_closed = True
        for stream in tuple(self._streams):
            stream.close()


class EventStream(Generic[E]):
    """Events as an asynchronous iterator, and a context manager that ends it:

    `with system.events.stream(DeadLetter) as letters: async for letter in letters: ...`

    It ends when it is closed, at the latest with the system; what waits then can still be read. Each event goes to one
    reader, so give every reader a stream of its own. A slow reader holds nobody back: it loses the oldest events, and
    `lost` says how many.
    """

    def __init__(self, limit: int) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ValueError(f"limit={limit!r} of a stream: give how many events may wait, 1 or more")
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
        if self._is_closed:
            return
        self.lost += len(self._held) == self._held.maxlen
        self._held.append(event)
        self._news.set()

    def close(self) -> None:
        """Take no more events; those that wait can still be read."""
        self._is_closed = True
        self.end()
        self._news.set()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {reason(error)}"


def _log(event: Event) -> None:
    """Log it, as text: a record that is kept must keep no error and its frames.

    `Logger.log` would look through the stack for whoever calls it, which is always this, and takes half of its time.
    """
    here = _log.__code__
    record = logger.makeRecord(
        logger.name, event.LEVEL, here.co_filename, here.co_firstlineno, "%s", (str(event),), None, here.co_name
    )
    logger.handle(record)


def _nothing() -> None:
    """There is no subscription yet."""
