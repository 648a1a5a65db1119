"""Volatile actors: what a message, a reply, a hop, a new actor and an idle one cost."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Protocol

import attrs
from benchmarks.figure import Figure, Section, cost, interleaved, rate
from benchmarks.handwritten import Handlers, Mailbox, stop

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.message import Request
from choragus.supervision.system import System

CROWD = 1_000
NOTES = (
    "both sides run the same handlers (async def, of the same classes) on the same message objects, on asyncio's loop",
    "tell: all told at once, until an ask behind them is answered; ask: one after the other, choragus's with its 30 s "
    "timeout, the other's without any",
    "spawn: start, one message told and handled, stopped; a choragus actor is also named, supervised and bounded",
    "idle: Python memory per actor that has handled one message (tracemalloc)",
)


class Peer(Protocol):
    """Whoever takes the ball."""

    def tell(self, message: Ball, /) -> None: ...


@attrs.frozen
class Add:
    """Count one up."""


@attrs.frozen
class Get(Request[int]):
    """How far did you count?"""


@attrs.frozen
class Ball:
    """Play it back."""


@attrs.frozen
class Meet:
    """Whom to play with."""

    peer: Peer


ADD, GET, BALL = Add(), Get(), Ball()


class Counter(Actor[Add | Get]):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    @handle
    async def add(self, message: Add) -> None:
        self.count += 1

    @handle
    async def get(self, message: Get) -> int:
        return self.count


class Player(Actor[Ball | Meet]):
    """Plays the ball back, so many times."""

    def __init__(self, times: int, done: asyncio.Event) -> None:
        self.left = times
        self.done = done
        self.peer: Peer | None = None

    @handle
    async def meet(self, message: Meet) -> None:
        self.peer = message.peer

    @handle
    async def ball(self, message: Ball) -> None:
        self.left -= 1
        if self.left and self.peer is not None:
            self.peer.tell(BALL)
        else:
            self.done.set()


def counting() -> Handlers:
    """The handlers of a new counter, for a mailbox written by hand."""
    counter = Counter()
    return {Add: counter.add, Get: counter.get}


async def tell_ours(amount: int) -> float:
    async with System() as system:
        counter = await system.spawn(Counter, mailbox=amount + 1)
        begin = perf_counter()
        for _ in range(amount):
            counter.tell(ADD)
        assert await counter.ask(GET) == amount
        return perf_counter() - begin


async def tell_other(amount: int) -> float:
    counter = Mailbox(counting())
    await asyncio.sleep(0)
    begin = perf_counter()
    for _ in range(amount):
        counter.tell(ADD)
    assert await counter.ask(GET) == amount
    took = perf_counter() - begin
    await stop([counter])
    return took


async def ask_ours(amount: int) -> float:
    async with System() as system:
        counter = await system.spawn(Counter)
        begin = perf_counter()
        for _ in range(amount):
            await counter.ask(GET)
        return perf_counter() - begin


async def ask_other(amount: int) -> float:
    counter = Mailbox(counting())
    await asyncio.sleep(0)
    begin = perf_counter()
    for _ in range(amount):
        await counter.ask(GET)
    took = perf_counter() - begin
    await stop([counter])
    return took


async def hop_ours(amount: int) -> float:
    done = asyncio.Event()
    async with System() as system:
        left = await system.spawn(Player, amount // 2, done)
        right = await system.spawn(Player, amount // 2, done)
        left.tell(Meet(right))
        right.tell(Meet(left))
        await asyncio.sleep(0)
        begin = perf_counter()
        left.tell(BALL)
        await done.wait()
        return perf_counter() - begin


async def hop_other(amount: int) -> float:
    done = asyncio.Event()
    one, two = Player(amount // 2, done), Player(amount // 2, done)
    left, right = Mailbox({Ball: one.ball, Meet: one.meet}), Mailbox({Ball: two.ball, Meet: two.meet})
    left.tell(Meet(right))
    right.tell(Meet(left))
    await asyncio.sleep(0)
    begin = perf_counter()
    left.tell(BALL)
    await done.wait()
    took = perf_counter() - begin
    await stop([left, right])
    return took


async def spawn_ours(amount: int) -> float:
    begin = perf_counter()
    async with System() as system:
        counters = [await system.spawn(Counter) for _ in range(amount)]
        for counter in counters:
            counter.tell(ADD)
        assert await counters[-1].ask(GET) == 1
    return perf_counter() - begin


async def spawn_other(amount: int) -> float:
    begin = perf_counter()
    counters = [Mailbox(counting()) for _ in range(amount)]
    for counter in counters:
        counter.tell(ADD)
    assert await counters[-1].ask(GET) == 1
    await stop(counters)
    return perf_counter() - begin


async def fan_ours(amount: int) -> float:
    async with System() as system:
        counters = [await system.spawn(Counter) for _ in range(CROWD)]
        begin = perf_counter()
        for _ in range(amount // CROWD):
            await asyncio.gather(*(counter.ask(GET) for counter in counters))
        return perf_counter() - begin


async def fan_other(amount: int) -> float:
    counters = [Mailbox(counting()) for _ in range(CROWD)]
    await asyncio.sleep(0)
    begin = perf_counter()
    for _ in range(amount // CROWD):
        await asyncio.gather(*(counter.ask(GET) for counter in counters))
    took = perf_counter() - begin
    await stop(counters)
    return took


async def idle_ours(amount: int) -> float:
    async with System() as system:
        before = traced()
        counters = [await system.spawn(Counter) for _ in range(amount)]
        for counter in counters:
            counter.tell(ADD)
        await counters[-1].ask(GET)
        return (traced() - before) / amount


async def idle_other(amount: int) -> float:
    before = traced()
    counters = [Mailbox(counting()) for _ in range(amount)]
    for counter in counters:
        counter.tell(ADD)
    await counters[-1].ask(GET)
    used = (traced() - before) / amount
    await stop(counters)
    return used


def traced() -> int:
    """Bytes that Python holds."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


Side = Callable[[int], Awaitable[float]]

RATES: tuple[tuple[str, str, int, Side, Side], ...] = (
    ("tell", "messages/s", 200_000, tell_ours, tell_other),
    ("ask, one by one", "asks/s", 20_000, ask_ours, ask_other),
    ("ping-pong", "hops/s", 100_000, hop_ours, hop_other),
    ("spawn, tell, stop", "actors/s", 5_000, spawn_ours, spawn_other),
    (f"ask {CROWD:,} at once", "asks/s", 20_000, fan_ours, fan_other),
)


def section(quick: bool) -> Section:
    """Measure everything here: 3 rounds, or 7."""
    rounds, share = (3, 4) if quick else (7, 1)
    figures: list[Figure] = []
    for name, unit, full, ours, other in RATES:
        amount = max(CROWD, full // share)
        taken = interleaved(lambda: run(ours, amount), lambda: run(other, amount), rounds=rounds)  # noqa: B023  # at once
        figures.append(rate(name, unit, amount, *taken))
    tracemalloc.start()
    held = interleaved(lambda: run(idle_ours, 5_000), lambda: run(idle_other, 5_000), rounds=1)
    tracemalloc.stop()
    figures.append(cost("idle actor", "bytes", *held))
    return Section("Volatile actors", "deque + Event", figures, NOTES)


def run(side: Side, amount: int) -> float:
    """One side in a loop of its own."""

    async def main() -> float:
        return await side(amount)

    return asyncio.run(main())
