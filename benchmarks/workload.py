"""The work that every side does: the messages, how much of each, and the steps, written once for all.

A side is given as a `Hire`: it starts so many workers and stops them again. Sizes are those of a full run. Each
function gives back seconds for one unit of its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from statistics import median
from time import perf_counter
from typing import Protocol, TypeAlias, TypeVar

import attrs

from choragus.actors.message import Question, Request

R = TypeVar("R")

TELLS = 200_000
ASKS = 20_000
HOPS = 100_000
SPAWNS = 10_000
CROWD = 1_000
ROUNDS = 20
RESTARTS = 1_000


@attrs.define
class Add:
    """Count up."""

    value: int


@attrs.define
class Get(Request[int]):
    """How far did you count?"""


@attrs.define
class Work(Request[int]):
    """Give back one more."""

    value: int


@attrs.define
class Hop:
    """Pass it on, so many times."""

    left: int


@attrs.define(eq=False)
class Meet:
    """Whom to pass it to, and what to set when it ends."""

    peer: Passing
    done: asyncio.Event


@attrs.define
class Crash:
    """Fail."""


class Crashed(Exception):
    """Raised when a worker is told to fail."""


Message: TypeAlias = Add | Get | Work | Hop | Meet | Crash


class Passing(Protocol):
    """Whoever a hop is passed to."""

    def tell(self, message: Hop, /) -> None: ...


class Worker(Protocol):
    """One actor, as its users see it."""

    def tell(self, message: Message, /) -> None: ...

    def ask(self, message: Question[Message, R], /) -> Awaitable[R]: ...


Hire: TypeAlias = Callable[[int], AbstractAsyncContextManager[Sequence[Worker]]]
"""Starts so many workers; they are stopped, and have ended, when its block is left."""


async def tell(hire: Hire, amount: int) -> float:
    """All told at once, until an ask behind them is answered."""
    async with hire(1) as (worker,):
        begin = perf_counter()
        for _ in range(amount):
            worker.tell(Add(1))
        assert await worker.ask(Get()) == amount
        return (perf_counter() - begin) / amount


async def ask(hire: Hire, amount: int) -> float:
    """One after the other."""
    async with hire(1) as (worker,):
        begin = perf_counter()
        for _ in range(amount):
            await worker.ask(Get())
        return (perf_counter() - begin) / amount


async def ping_pong(hire: Hire, amount: int) -> float:
    """One message to and fro between two."""
    return await _around(hire, 2, amount)


async def ring(hire: Hire, amount: int) -> float:
    """One message around a thousand."""
    return await _around(hire, CROWD, amount)


async def spawn(hire: Hire, amount: int) -> float:
    """Start all, tell each once, and stop them when the last one has handled it."""
    begin = perf_counter()
    async with hire(amount) as workers:
        for worker in workers:
            worker.tell(Add(1))
        assert await workers[-1].ask(Get()) == 1
    return (perf_counter() - begin) / amount


async def fan(hire: Hire, amount: int) -> float:
    """Ask a thousand at once, again and again."""
    async with hire(CROWD) as workers:
        begin = perf_counter()
        for _ in range(amount // CROWD):
            answers = await asyncio.gather(*[worker.ask(Work(n)) for n, worker in enumerate(workers)])
            assert answers[-1] == CROWD
        return (perf_counter() - begin) / amount


async def ask_median(hire: Hire, amount: int) -> float:
    """As `ask`: the median of single ones."""
    async with hire(1) as (worker,):
        return median([await _timed(worker) for _ in range(amount)])


async def restart(hire: Hire, amount: int) -> float:
    """From telling it to crash until its next incarnation has answered: the median."""
    async with hire(1) as (worker,):
        worker.tell(Add(1))
        return median([await _timed(worker, Crash()) for _ in range(amount)])


async def _timed(worker: Worker, *before: Crash) -> float:
    begin = perf_counter()
    for message in before:
        worker.tell(message)
    assert await worker.ask(Get()) == 0
    return perf_counter() - begin


async def _around(hire: Hire, size: int, hops: int) -> float:
    done = asyncio.Event()
    async with hire(size) as workers:
        for worker, peer in zip(workers, [*workers[1:], workers[0]], strict=True):
            worker.tell(Meet(peer, done))
        await workers[-1].ask(Get())
        begin = perf_counter()
        workers[0].tell(Hop(hops))
        await done.wait()
        return (perf_counter() - begin) / hops
