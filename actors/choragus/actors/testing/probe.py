"""A ref that writes down what it is sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import attrs

from choragus.actors.deadline import Deadlines
from choragus.actors.inside import current_turn
from choragus.actors.message import Question
from choragus.actors.ref import ASK_TIMEOUT, SEND_TIMEOUT, R, Ref, answer, check_ask

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that `expect` waits unless it says otherwise."""


@attrs.frozen
class Received:
    """A message, and the future of its reply when it was asked."""

    message: object
    reply: asyncio.Future[object] | None


class Probe(Ref[object]):
    """Stands in for an actor: give it to the code under test as a ref, then say what must have come.

    It takes every message. It needs a running loop, but no System and no simulation; without one, timeouts are real
    time.

    Args:
        path: what it calls itself.
    """

    __slots__ = ("_answers", "_arrived", "_deadlines", "_last", "_loop", "_path", "_waiting", "messages")

    def __init__(self, path: str = "probe") -> None:
        self.messages: list[object] = []
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self._arrived = asyncio.Event()
        self._waiting: deque[Received] = deque()
        self._last: Received | None = None
        self._answers: dict[type, Callable[..., object]] = {}

    def __repr__(self) -> str:
        return f"<Probe {self._path}>"

    @property
    def path(self) -> str:
        return self._path

    # As a ref.

    def tell(self, message: object) -> None:
        turn = current_turn()
        if turn is None:
            self._take(Received(message, None))
        else:
            turn.after_commit(lambda: self._take(Received(message, None)))

    async def send(self, message: object, *, timeout: float = SEND_TIMEOUT) -> None:
        self.tell(message)

    async def ask(self, message: Question[object, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        check_ask(self._path, message, True, timeout)
        reply: asyncio.Future[object] = self._loop.create_future()
        self._take(Received(message, reply))
        return await answer(self._deadlines, reply, timeout, self._path, message)  # type: ignore[return-value]  # what the test answers

    # For the test.

    async def expect(self, kind: type[T], *, timeout: float = PATIENCE) -> T:
        """The next message, which must be of that type and come within `timeout` seconds.

        Raises:
            AssertionError: when nothing comes, or something else.
        """
        received = await self._next(kind, timeout)
        if not isinstance(received.message, kind):
            raise AssertionError(f"{self._path} expected {kind.__name__}, but got {received.message!r}")
        return received.message

    async def fish(self, kind: type[T], *, timeout: float = PATIENCE) -> T:
        """The next message of that type; those before it are passed over.

        Raises:
            AssertionError: when none comes within `timeout` seconds.
        """
        end = self._loop.time() + timeout
        while True:
            received = await self._next(kind, end - self._loop.time())
            if isinstance(received.message, kind):
                return received.message

    async def expect_none(self, *, within: float = 0.1) -> None:
        """See that no message waits, and that none comes for `within` seconds.

        Raises:
            AssertionError: with the message that came.
        """
        if await self._comes(within):
            raise AssertionError(f"{self._path} expected nothing, but got {self._waiting[0].message!r}")

    def reply(self, value: object) -> None:
        """Answer the message that was expected last.

        Raises:
            RuntimeError: when it was not asked, or no message has been expected.
        """
        self._asked().set_result(value)

    def fail(self, error: Exception) -> None:
        """Have the ask of the message that was expected last raise this.

        Raises:
            RuntimeError: when it was not asked, or no message has been expected.
        """
        self._asked().set_exception(error)

    def answers(self, kind: type[T], reply: Callable[[T], object]) -> None:
        """From now on answer every ask of that type with what `reply` gives, as it comes; it is still expected."""
        self._answers[kind] = reply

    def _asked(self) -> asyncio.Future[object]:
        if self._last is None or self._last.reply is None:
            raise RuntimeError(f"{self._path} has nobody to reply to: the last message expected was not asked")
        if self._last.reply.done():
            raise RuntimeError(f"{self._path} has answered {self._last.message!r} already, or its asker gave up")
        return self._last.reply

    def _take(self, received: Received) -> None:
        self.messages.append(received.message)
        self._waiting.append(received)
        self._arrived.set()
        reply = self._answers.get(type(received.message))
        if reply is not None and received.reply is not None:
            try:
                received.reply.set_result(reply(received.message))
            except Exception as error:
                received.reply.set_exception(error)

    async def _next(self, kind: type, timeout: float) -> Received:
        if not await self._comes(timeout):
            raise AssertionError(f"{self._path} expected {kind.__name__}, but nothing came within {timeout:g} s")
        self._last = self._waiting.popleft()
        return self._last

    async def _comes(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, timeout)):
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return bool(self._waiting)
        return True
