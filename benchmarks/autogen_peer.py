"""autogen-core's single-threaded runtime at the same work.

It has no one-way direct message, so `tell` and the ring publish to a topic with one subscriber. An agent is made by its
first message, and there is no stop of one agent: `spawn` ends with the runtime's.
"""

# the library is there only with the extra `peers`, so these two are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,untyped-decorator"
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
)
from benchmarks.peer import Peer, Trial, Work
from benchmarks.target import at_least
from benchmarks.workload import CROWD
from opentelemetry.trace import NoOpTracerProvider

KIND = "clerk"


@dataclass
class Add:
    """Count up. Its serialiser takes plain dataclasses."""

    value: int


@dataclass
class Get:
    """How far did you count?"""


@dataclass
class Hop:
    """Pass it on, so many times."""

    left: int


class Clerk(RoutedAgent):
    """One agent; `goal` is the count, or the last hop, at which `done` is set."""

    def __init__(self, size: int, goal: int, done: asyncio.Event) -> None:
        super().__init__("counts")
        self.count = 0
        self.size = size
        self.goal = goal
        self.done = done

    @message_handler
    async def add(self, message: Add, ctx: MessageContext) -> None:
        self.count += message.value
        if self.count == self.goal:
            self.done.set()

    @message_handler
    async def get(self, message: Get, ctx: MessageContext) -> int:
        return self.count

    @message_handler
    async def hop(self, message: Hop, ctx: MessageContext) -> None:
        if message.left:
            after = (int(self.id.key) + 1) % self.size
            await self.publish_message(Hop(message.left - 1), topic(after))
        else:
            self.done.set()


@asynccontextmanager
async def running(size: int, goal: int, done: asyncio.Event) -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A runtime without tracing, its fastest."""
    runtime = SingleThreadedAgentRuntime(tracer_provider=NoOpTracerProvider())
    await Clerk.register(runtime, KIND, lambda: Clerk(size, goal, done))
    await runtime.add_subscription(TypeSubscription(KIND, KIND))
    runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


def topic(number: int) -> TopicId:
    """That to which one clerk alone listens."""
    return TopicId(KIND, str(number))


def clerk(number: int) -> AgentId:
    """One clerk."""
    return AgentId(KIND, str(number))


async def tell(amount: int) -> float:
    done = asyncio.Event()
    async with running(1, amount, done) as runtime:
        await runtime.send_message(Get(), clerk(0))
        begin = perf_counter()
        for _ in range(amount):
            await runtime.publish_message(Add(1), topic(0))
        await done.wait()
        return (perf_counter() - begin) / amount


async def ask(amount: int) -> float:
    async with running(1, 0, asyncio.Event()) as runtime:
        await runtime.send_message(Get(), clerk(0))
        begin = perf_counter()
        for _ in range(amount):
            await runtime.send_message(Get(), clerk(0))
        return (perf_counter() - begin) / amount


async def ring(amount: int) -> float:
    done = asyncio.Event()
    async with running(CROWD, 0, done) as runtime:
        for number in range(CROWD):
            await runtime.send_message(Get(), clerk(number))
        begin = perf_counter()
        await runtime.publish_message(Hop(amount), topic(0))
        await done.wait()
        return (perf_counter() - begin) / amount


async def spawn(amount: int) -> float:
    begin = perf_counter()
    async with running(amount, 0, asyncio.Event()) as runtime:
        for number in range(amount):
            await runtime.send_message(Add(1), clerk(number))
    return (perf_counter() - begin) / amount


def alone(work: Callable[[int], Awaitable[float]]) -> Work:
    """In a loop of its own."""

    def run(amount: int) -> float:
        async def main() -> float:
            return await work(amount)

        return asyncio.run(main())

    return run


PEER = Peer(
    "autogen-core",
    (
        Trial("tell", alone(tell), 5_000, at_least(45.0)),
        Trial("ask", alone(ask), 5_000),
        Trial("ring", alone(ring), 10_000, at_least(45.0)),
        Trial("spawn", alone(spawn), 2_000, at_least(80.0)),
    ),
    (
        "autogen-core: SingleThreadedAgentRuntime without tracing, its fastest; tell and ring publish to a topic with "
        "one subscriber, because its direct messages are all requests; spawn: an agent's first request, and no stop",
    ),
)
