"""Results that an actor has sent to itself, and messages that are translated for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from .notice import Notice

V = TypeVar("V")


class Piped(Notice):
    """What came of an awaitable: a message, or the actor's failure; nothing when it is not wanted any more."""

    __slots__ = ("_error", "_make", "is_wanted", "name")

    def __init__(self, name: str, make: Callable[[], object] | None, error: BaseException | None) -> None:
        self.name = name
        self.is_wanted: Callable[[], bool] = _always
        self._make = make
        self._error = error

    def open(self) -> object | None:
        if not self.is_wanted():
            return None
        if self._make is None:
            assert self._error is not None
            raise self._error
        return self._make()


async def outcome(
    awaitable: Awaitable[V], message: Callable[[V], object], failed: Callable[[Exception], object] | None
) -> Piped:
    """Wait for it. What `message` and `failed` make of it is made when its turn has come, inside the actor."""
    name = getattr(awaitable, "__qualname__", type(awaitable).__name__)
    try:
        value = await awaitable
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # ours: the incarnation is over
            raise
        stopped = RuntimeError(f"{name}, whose result was piped to the actor, was cancelled")
        stopped.__cause__ = error
        return _failure(name, stopped, failed)
    except Exception as error:
        return _failure(name, error, failed)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return Piped(name, None, error)
    return Piped(name, lambda: message(value), None)


def _always() -> bool:
    return True


def drop(awaitable: Awaitable[object]) -> None:
    """Nobody waits for it any more; fine when it is done."""
    if isinstance(awaitable, Coroutine):
        awaitable.close()
    elif isinstance(awaitable, asyncio.Future):
        awaitable.cancel()


def _failure(name: str, error: Exception, failed: Callable[[Exception], object] | None) -> Piped:
    return Piped(name, None if failed is None else lambda: failed(error), error)


class Adapted(Notice):
    """A message that is translated when its turn has come."""

    __slots__ = ("_message", "_translate", "name")

    is_mail = True

    def __init__(self, translate: Callable[[V], object], message: V) -> None:
        self.name = type(message).__name__
        self._message: object = message
        self._translate: Callable[[], object] = lambda: translate(message)

    @property
    def sent(self) -> object:
        return self._message

    def open(self) -> object | None:
        return self._translate()
