"""Messages that are asked, and what a durable actor hears back from what it asked for."""

from __future__ import annotations

from functools import cache
from typing import Generic, TypeVar

import attrs

from choragus.mailbox.codec import PLAIN, Record, decode, decode_as, stored
from choragus.mailbox.errors import CorruptRecord

from .dispatch import declared_arguments

R = TypeVar("R", covariant=True)


class Request(Generic[R]):
    """Base of a message that has a reply: asking a `Request[int]` gives back an int.

    >>> @attrs.frozen
    ... class Add(Request[int]):
    ...     amount: int
    """

    __slots__ = ()


@stored("choragus.ask_failed")
@attrs.frozen
class AskFailed:
    """In place of a reply to `DurableActor.ask`: the receiver could not handle the message, or took too long."""

    actor: str
    reason: str


@stored("choragus.effect_failed")
@attrs.frozen
class EffectFailed:
    """In place of an effect's result: its runner raised `error` (a class name) with `reason`."""

    effect: str
    error: str
    reason: str


@stored("choragus.effect_unknown")
@attrs.frozen
class EffectUnknown:
    """In place of an effect's result: the process died while it was open and it must not be run again by guess."""

    effect: str


@cache
def reply_type(message: type) -> type | None:
    """What a `Request[...]` names as its reply; None when it names nothing that is known now."""
    declared = (declared_arguments(cls, Request) for cls in message.__mro__)
    found = next((arguments[0] for arguments in declared if arguments), None)
    return None if found is None or isinstance(found, TypeVar) else found  # type: ignore[return-value]  # also int | None


def decode_reply(message: type, record: Record) -> object:
    """A stored reply, as the type that the message names; as plain JSON when that does not fit."""
    wanted = reply_type(message)
    if wanted is None or record.tag != PLAIN:
        return decode(record)
    try:
        return decode_as(wanted, record)
    except CorruptRecord:
        return decode(record)
