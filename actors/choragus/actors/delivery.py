"""A message on its way to a volatile actor."""

from __future__ import annotations

import asyncio

from .errors import ActorFailed, ActorStopped, SystemStopped
from .event import DeadLetter, Events


class Delivery:
    """The message itself, and the future of its reply, if it was asked."""

    __slots__ = ("message", "reply")

    def __init__(self, message: object, reply: asyncio.Future[object] | None) -> None:
        self.message = message
        self.reply = reply

    def fail(self, error: BaseException) -> None:
        """Tell the asker, if there is one who still waits."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(error)

    def refuse(self, path: str, events: Events) -> None:
        """The actor has stopped: the asker gets ActorStopped, and without one it is a dead letter."""
        if self.reply is None:
            events.publish(DeadLetter(path, self.message))
        else:
            self.fail(ActorStopped(path))

    def crashed(self, path: str, error: BaseException, *, system_stopped: bool, stopping: bool) -> None:
        """The handler raised, or was cancelled: tell the asker which of them."""
        name = type(self.message).__name__
        cancelled = isinstance(error, asyncio.CancelledError)
        why: Exception = ActorFailed(path, name)
        if cancelled and system_stopped:
            why = SystemStopped(f"the system stopped while {path} was busy with {name}")
        elif cancelled and stopping:
            why = ActorStopped(path)
        why.__cause__ = error
        self.fail(why)
