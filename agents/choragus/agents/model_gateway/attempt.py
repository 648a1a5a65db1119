"""One call of a model: within its times, heard while it answers, and made twice at once when it is slow."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from attrs import define, field, frozen

from choragus.agents.errors import ModelError
from choragus.agents.model import Model, ModelReply, ModelRequest, Streamed, StreamingModel
from choragus.agents.patience import TookTooLong, within
from choragus.agents.reality import check_model_allowed

from .options import ModelOptions
from .podium import Pen

LONGEST = 16_000_000
"""Characters of one answer that come in pieces. No answer is longer; a model that goes on for ever is cut off."""

COURTESY = 0.05
"""Seconds that a call which has lost has to end before the answer of the other is passed on."""

BREATH = 32
"""Pieces behind which others have their turn, for a model that gives them without ever waiting."""

Release = Callable[[], None]


class NotBegun(TookTooLong):
    """Raised when a model has not begun to answer in its time."""


class Beaten(Exception):
    """Raised when the model failed, and a call beside had been given up before."""

    def __init__(self, error: ModelError) -> None:
        super().__init__(error)
        self.error = error


@frozen
class Answer:
    """What a model has answered, and how many calls beside it were given up: nobody knows what these have cost."""

    reply: ModelReply
    lost: int = 0


def streams(model: Model, options: ModelOptions) -> bool:
    """Whether the model answers piece by piece, and is to."""
    return options.stream and callable(getattr(model, "stream", None))


async def answered(
    model: Model,
    request: ModelRequest,
    options: ModelOptions,
    *,
    is_streamed: bool = False,
    pen: Callable[[], Pen] | None = None,
    room: Callable[[], Awaitable[Release | None]] | None = None,
) -> Answer:
    """What the model answers.

    Args:
        pen: gives what a streamed answer is written with; None: it is not shown.
        room: makes room for a second call beside the first and gives what ends it; None where there is none.

    Raises:
        ModelError, Beaten: the model failed.
        NotBegun: nothing of it came in time.
        TookTooLong: it did not come to its end in time.
    """
    check_model_allowed(model)
    if not is_streamed and (options.hedge_after is None or room is None):
        return Answer(await within(options.timeout, model.complete(request)))
    return await Race(model, request, options, is_streamed, pen, room).run()


@define(eq=False)
class Runner:
    """A call under way, since a time of the loop."""

    since: float
    task: asyncio.Task[ModelReply] = field(init=False)


@define(eq=False)
class Race:
    """One call, or two of which the first to answer wins. The one that speaks first is the one that is heard."""

    model: Model
    request: ModelRequest
    options: ModelOptions
    is_streamed: bool
    pen: Callable[[], Pen] | None
    room: Callable[[], Awaitable[Release | None]] | None
    _runners: list[Runner] = field(factory=list, init=False)
    _winner: Runner | None = field(default=None, init=False)
    _elected: asyncio.Future[None] = field(init=False)
    _lost: int = field(default=0, init=False)

    async def run(self) -> Answer:
        """The answer of the winner; whatever else goes on is cancelled."""
        self._elected = asyncio.get_running_loop().create_future()
        self._start()
        try:
            return await self._decided()
        finally:
            await self._dismiss(self._runners)

    async def _decided(self) -> Answer:
        failure: BaseException | None = None
        while True:
            await self._wait()
            for runner in [one for one in self._runners if one.task.done()]:
                self._runners.remove(runner)
                error = runner.task.exception()
                if error is None:
                    return Answer(runner.task.result(), self._lost + len(self._runners))
                failure = error
                self._lost += self._winner is not None and runner is not self._winner
            if self._winner is not None and len(self._runners) > 1:
                losers = [one for one in self._runners if one is not self._winner]
                self._lost += len(losers)
                await self._dismiss(losers)
            elif self._winner is None and (late := self._late()):
                failure = NotBegun()
                self._lost += len(late)
                await self._dismiss(late)
            if not self._runners:
                raise self._told(failure)
            if self._hedges_in() == 0.0:
                await self._hedge()

    def _told(self, failure: BaseException | None) -> BaseException:
        if isinstance(failure, ModelError) and self._lost:
            return Beaten(failure)
        return failure or NotBegun()

    async def _wait(self) -> None:
        """Until a call is over, one has begun to answer, or it is time for something."""
        watched: set[asyncio.Future[ModelReply] | asyncio.Future[None]] = {one.task for one in self._runners}
        if self._winner is None:
            watched.add(self._elected)
        alarms = [self._hedges_in(), *map(self._begins_in, self._runners)]
        timeout = min(alarms)
        await asyncio.wait(
            watched, timeout=None if timeout == math.inf else timeout, return_when=asyncio.FIRST_COMPLETED
        )

    def _hedges_in(self) -> float:
        """Seconds until the call is made a second time."""
        after = self.options.hedge_after
        if after is None or self.room is None or self._winner is not None:
            return math.inf
        return max(0.0, self._runners[0].since + after - self._now())

    def _begins_in(self, runner: Runner) -> float:
        """Seconds until it has to have begun to answer."""
        within_ = self.options.first_token
        if within_ is None or not self.is_streamed or self._winner is not None:
            return math.inf
        return max(0.0, runner.since + within_ - self._now())

    def _late(self) -> list[Runner]:
        return [one for one in self._runners if self._begins_in(one) == 0.0]

    async def _hedge(self) -> None:
        room, self.room = self.room, None
        release = await room() if room is not None else None
        if release is not None:
            self._start(release)

    def _start(self, release: Release | None = None) -> None:
        now = self._now()
        left = self.options.timeout - (now - self._runners[0].since if self._runners else 0.0)
        runner = Runner(now)
        work = self._spoken(runner) if self.is_streamed else self.model.complete(self.request)
        runner.task = asyncio.get_running_loop().create_task(within(max(left, 0.0), work))
        runner.task.add_done_callback(lambda task: _over(task, release))
        self._runners.append(runner)

    async def _spoken(self, runner: Runner) -> ModelReply:
        """The reply at the end of the stream; its pieces are written down, if it is the one that is heard."""
        pen: Pen | None = None
        length = number = 0
        async with _closing(cast(StreamingModel, self.model).stream(self.request)) as pieces:
            async for piece in pieces:
                if not self._is_heard(runner):
                    raise NotBegun
                if pen is None and self.pen is not None:
                    pen = self.pen()
                if isinstance(piece, ModelReply):
                    if pen is not None:
                        pen.close()
                    return piece
                length, number = length + len(piece.text), number + 1
                if length > LONGEST:
                    raise ModelError(f"{self.model.name} went on behind {LONGEST:,} characters", kind="malformed")
                if pen is not None:
                    pen.write(piece.text)
                if number % BREATH == 0:
                    await asyncio.sleep(0)
        raise ModelError(f"the stream of {self.model.name} ended before its reply", retryable=True, kind="incomplete")

    def _is_heard(self, runner: Runner) -> bool:
        if self._winner is None and runner in self._runners:
            self._winner = runner
            self._elected.set_result(None)
        return self._winner is runner and runner in self._runners

    async def _dismiss(self, runners: list[Runner]) -> None:
        """Cancel them; one that resists goes on by itself, for no longer than `within` lets it."""
        self._runners = [one for one in self._runners if one not in runners]
        tasks = [one.task for one in runners if one.task.cancel()]
        if tasks:
            await asyncio.wait(tasks, timeout=COURTESY)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _over(task: asyncio.Task[ModelReply], release: Release | None) -> None:
    """Give back its room, and take note of what it raised, so that nothing is said of that at the end."""
    if release is not None:
        release()
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def _closing(stream: AsyncIterator[Streamed]) -> AsyncGenerator[AsyncIterator[Streamed]]:
    """The stream, which is given up behind this, if it can be."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
