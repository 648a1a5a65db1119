"""A message on its way to a volatile actor: the message, the future of its reply if it was asked, and who sent it.

A plain tuple, for it is made once per message: a class of our own costs five times as much.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from .errors import ActorFailed, ActorStopped, SystemStopped
from .event import DeadLetter, Events
from .inside import Speaker

Delivery: TypeAlias = "tuple[object, asyncio.Future[object] | None, Speaker | None]"


def sender_of(delivery: Delivery) -> str:
    """The path of the actor that sent it; empty for the host."""
    speaker = delivery[2]
    return "" if speaker is None else speaker.path


def fail(delivery: Delivery, error: BaseException) -> None:
    """Tell the asker, if there is one who still waits."""
    reply = delivery[1]
    if reply is not None and not reply.done():
        reply.set_exception(error)


def refuse(delivery: Delivery, path: str, events: Events) -> None:
    """The actor has stopped: the asker gets ActorStopped, and without one it is a dead letter."""
    if delivery[1] is None:
        events.publish(DeadLetter(path, delivery[0], sender_of(delivery)))
    else:
        fail(delivery, ActorStopped(path))


def crashed(delivery: Delivery, path: str, error: BaseException, *, system_stopped: bool, stopping: bool) -> None:
    """The handler raised, or was cancelled: tell the asker which of them."""
    if delivery[1] is None:
        return
    name = type(delivery[0]).__name__
    cancelled = isinstance(error, asyncio.CancelledError)
    why: Exception = ActorFailed(path, name)
    if cancelled and system_stopped:
        why = SystemStopped(f"the system stopped while {path} was busy with {name}")
    elif cancelled and stopping:
        why = ActorStopped(path)
    why.__cause__ = error
    fail(delivery, why)
