"""The ref of a keyed actor."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Protocol

from choragus.actors.dispatch import Table
from choragus.actors.event import DeadLetter, Events
from choragus.actors.inside import current_turn
from choragus.actors.message import Question
from choragus.actors.ref import ASK_TIMEOUT, SEND_TIMEOUT, M, R, Ref, check_ask, in_time, unhandled
from choragus.mailbox.errors import ChoragusError


class Desk(Protocol[M]):
    """Who brings messages to the actors of a kind by key."""

    table: Table

    @property
    def events(self) -> Events: ...

    def path_of(self, key: str) -> str: ...

    def tell(self, key: str, message: M) -> None: ...

    def send(self, key: str, message: M) -> Coroutine[object, None, None]: ...

    async def ask(self, key: str, message: Question[M, R], timeout: float) -> R: ...


class KeyedRef(Ref[M]):
    """The ref of one key: valid whether its actor is in memory or not."""

    __slots__ = ("_key", "_keyed")

    def __init__(self, keyed: Desk[M], key: str) -> None:
        self._keyed = keyed
        self._key = key

    @property
    def path(self) -> str:
        return self._keyed.path_of(self._key)

    def __repr__(self) -> str:
        return f"<Ref {self.path} (keyed)>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyedRef) and other._keyed is self._keyed and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def events(self) -> Events:
        """The event stream of its system."""
        return self._keyed.events

    def takes(self, message: type) -> bool:
        """Whether its actor takes messages of that type."""
        return message in self._keyed.table

    def tell(self, message: M) -> None:
        self._check(message)
        turn = current_turn()
        if turn is None:
            self._keyed.tell(self._key, message)
        else:
            turn.after_commit(self._late(message))

    async def send(self, message: M, *, timeout: float = SEND_TIMEOUT) -> None:
        if current_turn() is not None:
            self.tell(message)
            return
        self._check(message)
        await in_time(self._keyed.send(self._key, message), timeout, self.path, message)

    async def ask(self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        check_ask(self.path, message, self.takes(type(message)), timeout)
        if key:
            raise ValueError(f"{self.path} keeps nothing on disk: key={key!r} is for durable actors")
        return await self._keyed.ask(self._key, message, timeout)

    def _check(self, message: M) -> None:
        if type(message) not in self._keyed.table:
            raise unhandled(self.path, message)

    def _late(self, message: M) -> Callable[[], None]:
        def tell() -> None:
            try:
                self._keyed.tell(self._key, message)
            except ChoragusError:
                self.events.publish(DeadLetter(self.path, message))

        return tell
