"""The loop of choragus, in memory and in a file (synchronous=FULL): with its four actors, limits and logbook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.agent_loop import STEPS, Once

from choragus.agents import Agent, FunctionModel, ModelReply, ModelRequest, Runtime, ToolCall, tool
from choragus.mailbox.store import Store


def answer(request: ModelRequest) -> ModelReply | str:
    """Calls the tool ten times, then answers."""
    said = sum(message.role == "assistant" for message in request.messages)
    return "done" if said == STEPS else ModelReply(calls=(ToolCall(f"call-{said}", "add", {"a": said, "b": 1}),))


@tool(risk="read")
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


agent = Agent("bench", model=FunctionModel(answer), tools=[add])


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncIterator[Once]:
    """A runtime without a file."""
    async with opened(None) as once:
        yield once


@asynccontextmanager
async def durable(folder: Path) -> AsyncIterator[Once]:
    """A runtime on a new file."""
    async with opened(folder / "runs.db") as once:
        yield once


@asynccontextmanager
async def opened(path: Path | None) -> AsyncIterator[Once]:
    """Runs of one agent, each from start to result."""
    if path is not None:
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
    async with Runtime(path, agents=[agent]) as runtime:

        async def once() -> int:
            run = await runtime.start(agent, "Add.")
            assert await run.result() == "done"
            return STEPS

        yield once


async def steps(store: Store, runs: int) -> float:
    """Seconds of a step on that store, with so many runs one after the other behind three that are not counted."""
    async with Runtime(store=store, agents=[agent]) as runtime:
        for number in range(runs + 3):
            if number == 3:
                begin = perf_counter()
            assert await (await runtime.start(agent, "Add.")).result() == "done"
        return (perf_counter() - begin) / (runs * STEPS)
