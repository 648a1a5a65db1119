"""Messages that are asked, and what a durable actor hears back from what it asked for."""

from __future__ import annotations

import inspect
import types
from functools import cache
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar, get_origin, get_type_hints

import attrs

from choragus.mailbox.codec import PLAIN, Record, decode, decode_as, stored
from choragus.mailbox.errors import CorruptRecord

from .dispatch import Handler, Names, Table, declared_arguments
from .errors import HandlerFault

Q = TypeVar("Q", covariant=True)
R = TypeVar("R", covariant=True)


class Request(Generic[R]):
    """Base of a message that has a reply: asking a `Request[int]` gives back an int.

    >>> @attrs.frozen
    ... class Add(Request[int]):
    ...     amount: int
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __choragus_itself__(self) -> Self: ...

        def __choragus_replied__(self) -> R: ...


class Question(Protocol[Q, R]):
    """A `Request[R]` that is also a Q: what `Ref[Q].ask` takes, for type checkers. Both methods exist for them only.

    Python cannot say "a Request[R] that is one of M" in any other way: a type checker reads the message's own type
    from the first method and its reply's from the second.
    """

    def __choragus_itself__(self) -> Q: ...

    def __choragus_replied__(self) -> R: ...


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


def check_replies(cls: type, table: Table, local: Names) -> None:
    """Compare what the handlers say they return with what their messages ask for.

    Raises:
        HandlerFault: when a handler of a `Request[int]`, say, is annotated to return a `str`.
    """
    for message, handler in table.items():
        wanted, returned = reply_type(message), _returned(handler, local)
        if not (isinstance(wanted, type) and isinstance(returned, type)) or get_origin(wanted) or get_origin(returned):
            continue
        if not issubclass(returned, wanted) and (returned, wanted) != (int, float):
            raise HandlerFault(
                f"{cls.__name__}.{handler.name} returns {returned.__name__}, but {message.__name__} is a "
                f"Request[{wanted.__name__}]: make them agree"
            )


def _returned(handler: Handler, local: Names) -> object:
    """The annotated return type; None when there is none, or it cannot be resolved now."""
    annotation = getattr(inspect.unwrap(handler.function), "__annotations__", {}).get("return")
    annotated = types.SimpleNamespace(__annotations__={"return": annotation})
    names: dict[str, object] = getattr(inspect.unwrap(handler.function), "__globals__", {})
    try:
        return get_type_hints(annotated, globalns=names, localns=dict(local)).get("return")
    except (NameError, TypeError):
        return None


def decode_reply(message: type, record: Record) -> object:
    """A stored reply, as the type that the message names; as plain JSON when that does not fit."""
    wanted = reply_type(message)
    if wanted is None or record.tag != PLAIN:
        return decode(record)
    try:
        return decode_as(wanted, record)
    except CorruptRecord:
        return decode(record)
