"""Forking a run: at every position of its logbook, from the host; what the fork has, spends, repeats and asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Held, LimitReached, NotForkable, UnknownRun
from choragus.agents.limits import Limits
from choragus.agents.model import ChatMessage, ModelRequest, ToolCall
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .play import Ledger, answering, call, calls, data, eventually, kinds, scripted, soon, tools, until

REPLIES: tuple[Answer, ...] = (
    calls(call("look", "a", at="door"), call("pay", "b", amount=5)),
    calls(call("book", "c", what="room"), call("invented", "d")),
    "all done",
)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that a runtime may be opened over."""
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "runs.db")
    yield made
    await made.close()


def clerk(ledger: Ledger, heard: list[ModelRequest] | None = None, **options: object) -> Agent:
    """An agent whose answer follows from how often it has spoken, as a real model's does from the conversation."""

    def model(request: ModelRequest) -> Answer:
        if heard is not None:
            heard.append(request)
        return REPLIES[sum(message.role == "assistant" for message in request.messages)]

    return answering(model, tools=tools(ledger), **options)


async def approved(run: Run) -> str:
    """The run's result, with every call approved."""
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
    return await run.result()


async def ended(runtime: Runtime, agent: Agent, key: str = "k") -> Run:
    """A run that has come to its end."""
    run = await runtime.start(agent, "Do it.", key=key)
    await approved(run)
    return run


async def position(run: Run, kind: str, **fields: object) -> int:
    """Where the first line of a kind with such fields stands."""
    async for event in run.past():
        if event.kind == kind and fields.items() <= event.data.items():
            return event.position
    raise AssertionError(f"no {kind} with {fields}")


async def test_a_run_can_be_forked_at_every_position_before_its_end(store: Store) -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        last = await position(run, "model.replied", step=3) - 1
        before = [event async for event in run.past()]

        for at in range(1, last + 1):
            done = list(ledger.done)
            fork = await runtime.fork(run.id, at=at, key=f"at {at}")
            assert await approved(fork) == "all done", at
            past = [event.data["call"] for event in before[:at] if event.kind in ("call.intended", "call.refused")]
            again = [key.rpartition("/")[2] for key in ledger.done[len(done) :]]
            assert sorted(again) == sorted({"1.1", "1.2", "2.1"} - set(past)), at

        assert [event async for event in run.past()] == before
        found = await store.verify()
        assert (found.problems, found.forks) == ((), last)
