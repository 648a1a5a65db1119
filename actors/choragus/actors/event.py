"""What the system tells whoever subscribes: every failure has an addressee, and this is the one of last resort."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

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
    """A message or reply that nobody will take."""

    message: object


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


Subscriber = Callable[[Event], None]


class Events:
    """The event stream. Subscribers are called at once, in order; one that raises is logged and kept."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every event from now on; the function returned ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def publish(self, event: Event) -> None:
        """Tell every subscriber."""
        logger.info("%s", event)
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                logger.exception("a subscriber of system events failed on %s", event)
