"""Messages that are asked, and what a durable actor hears back from what it asked for."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from choragus.mailbox.codec import stored

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
