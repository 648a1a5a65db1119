"""Questions that go together: whoever asks while others' questions are under way shares the next trip with the rest.

A trip to the store's thread takes some 150 us, what is read there some 20. Ten thousand actors that wake at once pay
for a few hundred trips; one that wakes alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

K = TypeVar("K")
V = TypeVar("V")
C = TypeVar("C")


@attrs.frozen
class Answer(Generic[V]):
    """What a question came to: a list of one value, or an error."""

    value: list[V]
    error: Exception | None = None


def each(look: Callable[[C, K], V], source: C, keys: Sequence[K]) -> list[Answer[V]]:
    """Every question by itself, so that an error is that of its own asker only."""
    found: list[Answer[V]] = []
    for key in keys:
        try:
            found.append(Answer([look(source, key)]))
        except Exception as error:  # handed to whoever asked
            found.append(Answer([], error))
    return found


class Gathering(Generic[K, V]):
    """Carries questions of one kind.

    Args:
        trip: carries some questions and brings their answers, in the same order.
        most: how many go together, which bounds how long a trip takes.
    """

    def __init__(self, trip: Callable[[Sequence[K]], Awaitable[Sequence[Answer[V]]]], most: int) -> None:
        self._trip = trip
        self._most = most
        self._waiting: list[tuple[K, asyncio.Future[Answer[V]]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V:
        """The answer; raises what the question raised, or the trip."""
        future: asyncio.Future[Answer[V]] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        answer = await future
        if answer.error is not None:
            raise answer.error
        return answer.value[0]

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._carry(taken)
        finally:
            self._running = None
            for _, future in self._waiting:  # only after a trip that was cut off
                future.cancel()

    async def _carry(self, taken: Sequence[tuple[K, asyncio.Future[Answer[V]]]]) -> None:
        asked = [(key, future) for key, future in taken if not future.done()]  # some have gone away
        if not asked:
            return
        try:
            answers = await self._trip([key for key, _ in asked])
        except BaseException as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)
