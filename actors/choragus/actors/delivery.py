"""A message on its way to a volatile actor: the message, the future of its reply if it was asked, and who sent it.

A plain tuple, for it is made once per message: a class of our own costs five times as much.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from .errors import ActorFailed, ActorStopped, SystemStopped
from .event import DeadLetter, Events
from .inside import Speaker
from .notice import Notice

Delivery: TypeAlias = "tuple[object, asyncio.Future[object] | None, Speaker | None]"


def sender_of(delivery: Delivery) -> str:
    """The path of the actor that sent it; empty for the host."""
    speaker = delivery[2]
    return "" if speaker is None else speaker.path


def message_of(delivery: Delivery) -> object:
    """What was sent: also of a message that is still to be translated."""
    message = delivery[0]
    return message.sent if isinstance(message, Notice) else message


def is_mail(delivery: Delivery) -> bool:
    """Whether somebody sent it, so that it takes room; what the system itself puts into a mailbox does not."""
    message = delivery[0]
    return not isinstance(message, Notice) or message.is_mail


def fail(delivery: Delivery, error: BaseException) -> None:
    """Tell the asker, if there is one who still waits."""
    reply = delivery[1]
    if reply is not None and not reply.done():
        reply.set_exception(error)


def refuse(delivery: Delivery, path: str, events: Events) -> None:
    """The actor has stopped: the asker gets ActorStopped, and without one it is a dead letter."""
    if delivery[1] is None:
        events.publish(DeadLetter(path, message_of(delivery), sender_of(delivery)))
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
