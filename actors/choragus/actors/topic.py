"""Publish and subscribe: a message to whoever wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from choragus.mailbox.errors import ChoragusError

from .errors import ActorStopped, Unhandled
from .peek import is_open, lost, when_ended
from .ref import Ref, check_ref

M = TypeVar("M")


class Topic(Generic[M]):
    """Passes each message that is published on to all subscribers of the moment, without knowing who they are.

    A price feed publishes `Quote`s, and whoever wants them subscribes: `quotes = Topic(Quote)`, then
    `quotes.subscribe(ref)` and `quotes.publish(Quote("fig", 7))`. A topic has no actor and no mailbox of its own: the
    message is put straight into each subscriber's mailbox, so what one publisher publishes reaches each of them in
    order. It lives in memory only, and so do subscriptions, also those of durable actors: subscribe them again at each
    opening. One class of messages per topic, with its subclasses.

    Not for work that must be done by exactly one actor: that is a Router's.

    Args:
        message: the class of what is published.
        name: how it calls itself.
    """

    def __init__(self, message: type[M], name: str = "") -> None:
        if not isinstance(message, type):
            raise TypeError(f"a topic is of one class of messages, not of {message!r}: give the class")
        self.message = message
        self.name = name or message.__name__
        self._subscribers: dict[Ref[M], Callable[[], None]] = {}
        self._used: set[Topic[M]] | None = None

    def __repr__(self) -> str:
        return f"<Topic {self.name}>"

    def __len__(self) -> int:
        """How many subscribers there are."""
        return len(self._subscribers)

    def __bool__(self) -> bool:
        """A topic without subscribers is a topic."""
        return True

    def subscribe(self, ref: Ref[M]) -> None:
        """Pass on to this ref from now on; twice is once.

        It holds over restarts of the actor, and is over when the actor has ended: one that is started again by a
        supervisor that was itself restarted subscribes anew, best in its `on_start`. Inside a turn it holds at once,
        whatever becomes of the turn.

        Raises:
            ActorStopped: when the actor has stopped.
        """
        if ref in self._subscribers:
            return
        check_ref(ref)
        if not is_open(ref):
            raise ActorStopped(ref.path)
        self._subscribers[ref] = when_ended(ref, lambda _: self._drop(ref))
        if self._used is not None:
            self._used.add(self)

    def unsubscribe(self, ref: Ref[M]) -> None:
        """Pass nothing more on to this ref; one that does not subscribe is fine. What is in its mailbox stays there."""
        forget = self._subscribers.get(ref)
        if forget is not None:
            forget()
            self._drop(ref)

    def publish(self, message: M) -> int:
        """Tell every subscriber, without waiting, and give back how many it was put to.

        A subscriber without room, or without a handler for a subclass, does not get it, and the others do: its loss is
        a DeadLetter event. Inside a turn the message leaves with the turn, or not at all.

        Raises:
            Unhandled: when the message is not of the topic's class; nobody gets it.
        """
        if not isinstance(message, self.message):
            raise Unhandled(f"{self!r} is for {self.message.__name__}, not for {type(message).__name__}")
        return tell_all(tuple(self._subscribers), message)

    def _drop(self, ref: Ref[M]) -> None:
        self._subscribers.pop(ref, None)
        if not self._subscribers and self._used is not None:
            self._used.discard(self)

    def keep_in(self, used: set[Topic[M]]) -> None:
        """Stand in that set for as long as there are subscribers: whoever looks topics up by name keeps those."""
        self._used = used


def tell_all(refs: tuple[Ref[M], ...], message: M) -> int:
    """Tell each of them; give back how many it was put to. What one of them does not take is a DeadLetter event."""
    put = 0
    for ref in refs:
        try:
            ref.tell(message)
        except ChoragusError:
            lost(ref, message)
        else:
            put += 1
    return put


class Topics:
    """The topics of a system by name. One that has no subscribers, and that nobody holds, is forgotten."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Topic[object]] = WeakValueDictionary()
        self._used: set[Topic[object]] = set()

    def __len__(self) -> int:
        """How many topics are remembered."""
        return len(self._known)

    def get(self, message: type[M], name: str) -> Topic[M]:
        """The topic of that name, made when there is none.

        Raises:
            ValueError: when the name is empty.
            TypeError: when the topic of that name is of another class.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is no name for a topic: use any text that is not empty")
        known = self._known.get(name)
        if known is None:
            made = Topic(message, name)
            made.keep_in(self._used)  # type: ignore[arg-type]  # a set of topics of any class
            self._known[name] = made  # type: ignore[assignment]  # likewise
            return made
        if known.message is not message:
            raise TypeError(
                f"topic {name!r} is of {known.message.__name__}, not of {message.__name__}: use another name"
            )
        return known  # type: ignore[return-value]  # it is of that class
