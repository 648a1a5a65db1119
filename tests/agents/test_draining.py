"""A runtime that drains: what runs goes on to its end or to where it waits, and nothing new begins."""

from __future__ import annotations

import os

import anyio
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.cli.exit import Exit
from choragus.agents.draining import DOORKEEPER, MAIN, Drain
from choragus.agents.errors import Paused
from choragus.agents.model import ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .cli_clerk import clerk, command, start
from .play import Ledger, answering, call, calls, scripted, soon, tools


@simulated(seeds=range(2))
async def test_a_runtime_that_drains_waits_for_what_runs_and_begins_nothing() -> None:
    go_on = anyio.Event()

    async def slow(request: ModelRequest) -> str:
        await go_on.wait()
        return "done"

    agent = answering(slow)
    async with Runtime(agents=[agent]) as runtime, anyio.create_task_group() as tasks:
        run = await runtime.start(agent, "Go.")
        over: list[bool] = []

        async def drain() -> None:
            await runtime.drain(by="mia", reason="deploy")
            over.append((await run.status()).status.is_final)

        tasks.start_soon(drain)
        await soon(lambda: _true(runtime.is_draining))
        with pytest.raises(
            Paused, match="draining, as mia has asked: deploy: nothing starts before it is opened again"
        ):
            await runtime.start(agent, "Once more.")
        await runtime.resume(by="bob")
        with pytest.raises(Paused):
            await runtime.start(agent, "Once more.")
        assert over == []
        go_on.set()

    assert over == [True]


@simulated(seeds=range(2))
async def test_a_run_that_waits_for_a_person_is_not_waited_for() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)

        await runtime.drain()

        assert not (await run.status()).status.is_final


async def _true(value: bool) -> bool:
    return value


async def test_another_process_is_not_drained_in_its_place(file: str) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)

        stale = await post(runtime.store, actor_id(DOORKEEPER, MAIN), Drain(by="mia", pid=os.getpid() + 1))
        before = runtime.is_draining
        meant = await post(runtime.store, actor_id(DOORKEEPER, MAIN), Drain(by="mia", pid=os.getpid(), reason="deploy"))
        await runtime.until_drained()

        kinds = [entry.kind for entry in await runtime.store.read("system")]
    assert isinstance(stale, Handled)
    assert str(stale.reply).endswith("has ended: nothing is left to drain")
    assert (before, meant, kinds.count("system.draining")) == (False, Handled(""), 1)


async def test_nobody_is_asked_to_drain_a_file_that_nobody_owns(
    waiting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("drain", waiting, "--by", "mia") == Exit.USAGE

    assert "nobody owns" in capsys.readouterr().err
