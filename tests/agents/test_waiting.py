"""A run that waits for people holds no task and next to no memory; and what people are asked is counted."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest

from choragus.actors import population
from choragus.actors.testing.simulation import simulated
from choragus.agents.checkpoint import BeforeStep
from choragus.agents.runtime import Runtime
from choragus.mailbox.memory import MemoryStore

from .cli_clerk import command
from .people_play import payer, question, scripted_with
from .play import Ledger, call, calls, data, scripted, soon, tools

MANY = 25


async def _waiting(runtime: Runtime, count: int) -> None:
    async def all_wait() -> bool:
        return len(await runtime.pending()) == count

    await soon(all_wait)


@simulated(seeds=range(1))
async def test_runs_that_wait_hold_no_task() -> None:
    agent = payer([])
    async with Runtime(agents=[agent]) as runtime:
        await question(await runtime.start(agent, "Pay."))
        await asyncio.sleep(1)
        with_one = len(asyncio.all_tasks())
        for _ in range(MANY):
            await runtime.start(agent, "Pay.")
        await _waiting(runtime, MANY + 1)

        await asyncio.sleep(1)

        assert len(asyncio.all_tasks()) < with_one + MANY / 4, "a task for each"
        assert runtime._services.hearing._heard == {}, "conversations of runs that wait are not kept"


@simulated(seeds=range(1))
async def test_runs_that_wait_leave_memory_and_come_back_with_a_decision() -> None:
    agent = payer([])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(population, "CELLS", 20)
        async with Runtime(agents=[agent]) as runtime:
            first = await runtime.start(agent, "Pay.")
            approval = await question(first)
            for _ in range(MANY):
                await runtime.start(agent, "Pay.")
            await _waiting(runtime, MANY + 1)

            in_memory = len(runtime._system.kernel.population)
            await approval.approve(by="mia")
            answer = await first.result(5)

    assert in_memory < 4 * MANY / 2
    assert answer == '"paid 150.00"'


@simulated(seeds=range(1))
async def test_runs_that_wait_are_not_even_loaded_when_the_file_is_opened() -> None:
    store, agent = MemoryStore(), payer([])
    async with Runtime(store=store, agents=[agent]) as runtime:
        for _ in range(MANY):
            await runtime.start(agent, "Pay.")
        await _waiting(runtime, MANY)

    async with Runtime(store=store, agents=[agent]) as runtime:
        await asyncio.sleep(1)

        assert len(runtime._system.kernel.population) == 0
        assert len(await runtime.pending()) == MANY


@pytest.mark.slow
async def test_full_a_waiting_run_takes_no_memory_after_a_restart(tmp_path: Path) -> None:
    path, agent, count = tmp_path / "runs.db", payer([]), 300
    async with Runtime(path, agents=[agent]) as runtime:
        for _ in range(count):
            await runtime.start(agent, "Pay.")
        await _waiting(runtime, count)
    tracemalloc.start()
    async with Runtime(path, agents=[agent]):
        await asyncio.sleep(0.5)
        gc.collect()
        opened = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    print(f"{opened / count:.0f} bytes for each of {count} waiting runs, the open runtime itself included")
    assert opened / count < 10_000


@simulated(seeds=range(1))
async def test_s39_each_risky_call_is_a_question_of_its_own_and_they_are_counted() -> None:
    ledger = Ledger()
    asked = [call("pay", str(number), amount=number) for number in range(3)]
    agent = scripted(calls(*asked), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await question(run, 3)

        await (await run.pending())[1].approve(by="mia")

        async def ran() -> bool:
            return bool(ledger.done)

        await soon(ran)
        assert (ledger.calls(), len(await run.pending())) == (["1.2"], 2)
        for approval in await run.pending():
            await approval.deny(by="mia")
        await run.result(5)
        summary = await run.status()
        (ended,) = await data(run, "run.ended")
    assert summary.questions == ended["questions"] == 3


@simulated(seeds=range(1))
async def test_s39_a_checkpoint_that_is_passed_approves_none_of_the_calls_behind_it() -> None:
    agent = scripted_with(
        calls(call("pay", "a", amount=1), call("pay", "b", amount=2)), "done", checkpoints=[BeforeStep(1)]
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        step = await question(run)

        await step.approve(by="mia")

        await question(run, 2)
        assert [one.call for one in await run.pending()] == ["1.1", "1.2"]


async def test_show_says_how_often_people_were_asked(waiting: str, capsys: pytest.CaptureFixture[str]) -> None:
    await command("show", waiting, "e0f")

    assert ", 1 question to people\n" in capsys.readouterr().out
