"""The reply to an ask: a future that can be awaited, gathered, or made a task of."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from .errors import AskTimeout

R = TypeVar("R")


class Asked(Protocol):
    """Whoever the reply comes from, and what its message in hand waits for."""

    path: str

    @property
    def asking(self) -> Sequence[Reply[object]]:
        """The replies that are still open."""
        ...


def unanswered(path: str, message: str, seconds: float) -> AskTimeout:
    """The error of an ask whose time has passed."""
    return AskTimeout(f"{path} did not answer {message} within {seconds:g} s; it may still do so")


class Reply(asyncio.Future[R], Coroutine[object, None, R]):
    """What `Ref.ask` gives back. The message is on its way already; awaiting this waits for the answer.

    It is a future, so that `asyncio.gather` over a thousand asks makes no thousand tasks, and a coroutine, so that
    `create_task` and task groups take it. Cancelling it gives up the answer: the message may still be handled.
    """

    __slots__ = ("asked", "at", "kind")

    asked: Asked
    at: float
    kind: type

    def pass_(self, seconds: float) -> None:
        """No reply came in time."""
        if not self.done():
            self.set_exception(unanswered(self.asked.path, self.kind.__name__, seconds))

    # As a coroutine.

    def send(self, value: None, /) -> asyncio.Future[R]:
        """One step: wait for the reply, or give it."""
        if self.done():
            raise StopIteration(self.result())
        self._asyncio_future_blocking = True
        return self

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> asyncio.Future[R]:
        """Whoever waits was cancelled."""
        self.cancel()
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        raise error.with_traceback(traceback) if traceback is not None else error

    def close(self) -> None:
        """Nobody waits any more."""
        self.cancel()
