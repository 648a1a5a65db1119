"""How an actor is spoken to."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from choragus.mailbox.address import ActorId

from .cell import Cell
from .deadline import Deadlines
from .delivery import Delivery
from .errors import AskInsideTurn, AskTimeout, SystemStopped, Unhandled
from .host import Host
from .inside import current_turn
from .message import Question

M = TypeVar("M", contravariant=True)
R = TypeVar("R")

ASK_TIMEOUT = 30.0
"""Seconds that an ask waits unless it says otherwise."""


class Ref(Generic[M]):
    """The address of one actor. It stays valid over restarts; two refs are equal when they mean the same actor."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The actor's place in the tree, or its type and key."""
        raise NotImplementedError

    @property
    def id(self) -> ActorId | None:
        """The stored address of a durable actor; None for a volatile one."""
        return None

    def tell(self, message: M) -> None:
        """Send without waiting and without a reply. Nothing is promised before it is handled.

        Inside a turn it leaves with the turn, or not at all; what a volatile mailbox then has no room for is a dead
        letter.

        Raises:
            Unhandled: when the actor has no handler for the message's type.
            MailboxFull: when there is no room.
        """
        raise NotImplementedError

    async def send(self, message: M) -> None:
        """Send, waiting for room; to a durable actor, until the message is on disk. Inside a turn it is `tell`.

        Raises:
            Unhandled: when the actor has no handler for the message's type.
            ActorStopped: when the actor has stopped.
            SystemStopped: when the system ended first.
        """
        raise NotImplementedError

    async def ask(self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        """Send and wait for the reply; from a durable actor it comes once the turn is on disk.

        Args:
            timeout: seconds. The message may still be handled after it.
            key: durable actors only: asking again with the same key gives the first reply, also after a crash.

        Raises:
            Unhandled: when the actor has no handler for the message's type.
            MailboxFull: when there is no room.
            AskTimeout: when no reply came in time.
            ActorFailed: when a volatile actor failed on the message.
            MessageParked: when a durable actor failed on it too often.
            ActorStopped: when the actor has stopped.
            SystemStopped: when the system ended first.
            AskInsideTurn: when awaited inside a durable handler.
        """
        raise NotImplementedError


class LocalRef(Ref[M]):
    """The ref of a volatile actor."""

    __slots__ = ("_cell", "_host")

    def __init__(self, cell: Cell, host: Host) -> None:
        self._cell = cell
        self._host = host

    @property
    def path(self) -> str:
        return self._cell.path

    def is_of(self, host: Host) -> bool:
        """Whether its actor lives, or lived, in that system."""
        return self._host is host

    def __repr__(self) -> str:
        return f"<Ref {self._cell.path}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalRef) and other._cell is self._cell

    def __hash__(self) -> int:
        return hash(id(self._cell))

    def tell(self, message: M) -> None:
        cell = self._cell
        if type(message) not in cell.table:
            raise unhandled(cell.path, message)
        turn = current_turn()
        if turn is None:
            cell.put(Delivery(message, None))
        else:
            turn.after_commit(lambda: cell.put_late(Delivery(message, None)))

    async def send(self, message: M) -> None:
        if current_turn() is not None:
            self.tell(message)
            return
        if type(message) not in self._cell.table:
            raise unhandled(self._cell.path, message)
        await self._cell.put_when_room(Delivery(message, None))

    async def ask(self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        cell = self._cell
        check_ask(cell.path, message, type(message) in cell.table, timeout)
        if key:
            raise ValueError(f"{cell.path} keeps nothing on disk: key={key!r} is for durable actors")
        if self._host.stopped:
            raise SystemStopped(f"the system has stopped; {cell.path} cannot be asked")
        reply: asyncio.Future[object] = self._host.loop.create_future()
        cell.put(Delivery(message, reply))
        return await answer(self._host.deadlines, reply, timeout, cell.path, message)  # type: ignore[return-value]  # the handler's type


async def answer(
    deadlines: Deadlines, reply: asyncio.Future[object], timeout: float, path: str, message: object
) -> object:
    """Wait for a reply, at most `timeout` seconds."""
    timer = deadlines.after(timeout, _expire, reply, timeout, path, type(message).__name__)
    try:
        return await reply
    finally:
        timer.cancel()


def check_ask(path: str, message: object, handled: bool, timeout: float) -> None:
    """Refuse an ask that cannot work, before anything is sent."""
    if not handled:
        raise unhandled(path, message)
    if not timeout > 0:
        raise ValueError(f"timeout={timeout!r} for asking {path}: give seconds above 0")
    turn = current_turn()
    if turn is not None:
        raise AskInsideTurn(
            f"{turn.actor} awaits an ask of {path} inside its own turn, which can only be answered after it: "
            "use self.ask(ref, message, then=self.on_reply) and take the reply as a message"
        )


def unhandled(path: str, message: object) -> Unhandled:
    """The error for a message that the target does not take."""
    return Unhandled(f"{path} has no handler for {type(message).__name__}: add a @handle method, or send it elsewhere")


def _expire(reply: asyncio.Future[object], timeout: float, path: str, message: str) -> None:
    if not reply.done():
        reply.set_exception(AskTimeout(f"{path} did not answer {message} within {timeout:g} s; it may still do so"))
