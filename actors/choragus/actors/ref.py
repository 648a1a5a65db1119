"""How an actor is spoken to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from choragus.mailbox.address import ActorId

from .deadline import Deadlines
from .errors import AskInsideTurn, SendTimeout, Unhandled
from .inside import current_turn
from .message import Question
from .reply import unanswered
from .status import Exit

M = TypeVar("M", contravariant=True)
R = TypeVar("R")

ASK_TIMEOUT = 30.0
"""Seconds that an ask waits unless it says otherwise."""

SEND_TIMEOUT = 60.0
"""Seconds that a send waits unless it says otherwise."""


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
        letter. What happens without room otherwise is said by the mailbox's Overflow.

        Raises:
            Unhandled: when the actor has no handler for the message's type.
            MailboxFull: when there is no room, and the mailbox does not drop.
        """
        raise NotImplementedError

    async def send(self, message: M, *, timeout: float = SEND_TIMEOUT) -> None:
        """Send, waiting for room; to a durable actor, until the message is on disk. Inside a turn it is `tell`.

        Args:
            timeout: seconds that it waits; `math.inf` for as long as the actor lives.

        Raises:
            SendTimeout: when there was no room in time, or, to a durable actor, when it was not on disk in time.
            Unhandled: when the actor has no handler for the message's type.
            MailboxFull: when there is no room, and the mailbox's Overflow is REJECT.
            AskCycle: when there is no room, and the receiver waits for the actor that sends; that may be itself.
            ActorStopped: when the actor has stopped.
            SystemStopped: when the system ended first.
        """
        raise NotImplementedError

    def ask(
        self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = ""
    ) -> Coroutine[object, None, R]:
        """Send and wait for the reply, as in `await ref.ask(message)`; a durable one comes once the turn is on disk.

        Args:
            timeout: seconds. The message may still be handled after it.
            key: durable actors only: asking again with the same key gives the first reply, also after a crash.

        Raises:
            Unhandled: when the actor has no handler for the message's type.
            MailboxFull: when there is no room, and the mailbox's Overflow is not WAIT.
            AskTimeout: when no reply came in time.
            AskCycle: when the actor asked could only answer after the one that asks.
            ActorFailed: when a volatile actor failed on the message.
            MessageParked: when a durable actor failed on it too often.
            ActorStopped: when the actor has stopped.
            SystemStopped: when the system ended first.
            AskInsideTurn: when awaited inside a durable handler.
        """
        raise NotImplementedError

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        """Call `action` once, when the actor has ended for good; at once, if it has. A restart is no end.

        For code outside of actors, on the loop's thread; an actor uses `Actor.watch`, which makes it a message.

        Returns:
            A function that takes it back, and does nothing after the end.

        Raises:
            TypeError: when what the ref stands for does not end: a durable actor is there as long as its file.
        """
        raise TypeError(f"{self.path} is no volatile actor: it does not end, so it cannot be watched")


async def answer(
    deadlines: Deadlines, reply: asyncio.Future[object], timeout: float, path: str, message: object
) -> object:
    """Wait for a reply, at most `timeout` seconds."""
    timer = deadlines.after(timeout, _expire, reply, timeout, path, type(message).__name__)
    try:
        return await reply
    finally:
        timer.cancel()


async def in_time(sending: Coroutine[object, None, None], timeout: float, path: str, message: object) -> None:
    """Wait for a message to be taken, at most `timeout` seconds.

    Raises:
        ValueError: when the timeout is not above 0.
        SendTimeout: when they have passed.
    """
    if not timeout > 0:
        sending.close()
        raise ValueError(f"timeout={timeout!r} for sending to {path}: give seconds above 0")
    try:
        async with asyncio.timeout(None if timeout == math.inf else timeout) as limit:
            await sending
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise SendTimeout(path, type(message).__name__, timeout) from error


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


def check_ref(given: object) -> None:
    """Refuse what is no ref.

    Raises:
        TypeError: naming it.
    """
    if not isinstance(given, Ref):
        raise TypeError(f"{given!r} is no ref of an actor: give what spawn, find or start_child gave back, or own_ref")


def unhandled(path: str, message: object) -> Unhandled:
    """The error for a message that the target does not take."""
    return Unhandled(f"{path} has no handler for {type(message).__name__}: add a @handle method, or send it elsewhere")


def _expire(reply: asyncio.Future[object], timeout: float, path: str, message: str) -> None:
    if not reply.done():
        reply.set_exception(unanswered(path, message, timeout))
