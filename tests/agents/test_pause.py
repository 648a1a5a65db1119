"""Runs that are held: what is in flight ends and is recorded, nothing new starts, over restarts too."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.checkpoint import After
from choragus.agents.errors import Cancelled, Paused
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.state import Status
from choragus.agents.tool import Tool, tool

from .play import Ledger, Mortal, answering, call, calls, data, kinds, live, scripted, tools, until

ROOT = Path(__file__).resolve().parents[2]

SLACK = 10
"""A machine that other tests keep busy; alone it takes 2 ms, and the promise is 100."""


class Gate:
    """A tool, and a model, that come back when they are let."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.asked = 0

    def tool(self) -> Tool:
        @tool(risk="read")
        async def work() -> str:
            """Work."""
            self.entered.set()
            await self.open.wait()
            return "worked"

        return work

    async def answer(self, request: ModelRequest) -> Answer:
        self.asked += 1
        self.entered.set()
        await self.open.wait()
        return calls(call("look", at="x")) if len(request.messages) == 1 else "done"


async def paused(run: Run) -> bool:
    return (await run.status()).status is Status.PAUSED


@simulated(seeds=range(5))
async def test_s40_a_pause_during_a_tool_call_lets_it_end_and_starts_nothing_new() -> None:
    gate = Gate()
    agent = scripted(calls(call("work")), "done", tools=[gate.tool()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await gate.entered.wait()

        assert await run.pause(by="ann", reason="odd")
        held = await run.status()
        gate.open.set()
        await until(run, "call.finished")
        await asyncio.sleep(1)
        lines = await kinds(run)

        assert await run.resume(by="bob")
        assert await run.result(timeout=5) == "done"
    assert (held.status, held.paused) == (Status.PAUSED, "paused by ann: odd")
    assert lines.count("model.replied") == 1
    assert lines.count("budget.reserved") == 2, "of the first model call, and of the tool call"


@simulated(seeds=range(3))
async def test_s40_a_call_that_waits_in_line_does_not_begin_while_the_run_is_paused() -> None:
    began: list[str] = []

    @tool(risk="read", concurrency=1)
    async def work(what: str) -> str:
        """Work."""
        began.append(what)
        await asyncio.sleep(5)
        return what

    agent = scripted(calls(call("work", "a", what="a"), call("work", "b", what="b")), "done", tools=[work])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(1)

        await run.pause(by="mia")

        await asyncio.sleep(60)
        held = list(began)
        await run.resume(by="mia")
        assert await run.result(timeout=60) == "done"
        ends = [one["end"] for one in await data(run, "call.finished")]
    assert (len(held), sorted(began), ends) == (1, ["a", "b"], ["returned"] * 2)


@simulated(seeds=range(3))
async def test_a_question_to_a_person_sends_no_call_out_of_the_line() -> None:
    @tool(risk="read", concurrency=1)
    async def work(what: str) -> str:
        """Work."""
        await asyncio.sleep(5)
        return what

    @tool(risk="read")
    async def see() -> str:
        """See."""
        await asyncio.sleep(1)
        return "seen"

    step = calls(call("work", "a", what="a"), call("work", "b", what="b"), call("see"))
    agent = attrs.evolve(scripted(step, "done", tools=[work, see]), checkpoints=(After("see"),))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(20)
        (asked,) = await run.pending()
        await asked.approve(by="mia")

        assert await run.result(timeout=60) == "done"
        assert "call.queued" not in await kinds(run)
        assert [one["end"] for one in await data(run, "call.finished")] == ["returned"] * 3


@simulated(seeds=range(5))
async def test_s40_a_pause_during_a_model_call_lets_it_end_and_makes_none_of_its_calls() -> None:
    gate, ledger = Gate(), Ledger()
    agent = answering(gate.answer, tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await gate.entered.wait()
        await run.pause(by="ann")
        gate.open.set()
        await until(run, "model.replied")
        await asyncio.sleep(1)
        before, lines = list(ledger.done), await kinds(run)

        await run.resume(by="ann")

        assert await run.result(timeout=5) == "done"
    assert (before, ledger.calls()) == ([], ["1.1"])
    assert "call.requested" not in lines, "nobody is asked about calls of a run that is paused"


@simulated(seeds=range(5))
async def test_s40_a_call_that_is_approved_while_the_run_is_paused_runs_when_it_goes_on() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.pause(by="ann")
        await run.approve((await run.pending())[0], by="bob")
        await asyncio.sleep(1)
        before, status = list(ledger.done), (await run.status()).status

        await run.resume(by="ann")

        assert await run.result(timeout=5) == "done"
    assert (before, status, ledger.calls()) == ([], Status.PAUSED, ["1.1"])


@pytest.mark.parametrize("when", range(0, 30, 3))
@simulated(seeds=range(2))
async def test_a_pause_at_any_time_loses_nothing(when: int) -> None:
    ledger = Ledger()
    agent = scripted(
        calls(call("look", at="x"), call("book", what="y")), calls(call("look", at="z")), "done", tools=tools(ledger)
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        for _ in range(when):
            await asyncio.sleep(0)

        if await run.pause(by="ann"):
            await asyncio.sleep(1)
            done = len(ledger.done)
            await asyncio.sleep(10)
            assert len(ledger.done) == done
            await run.resume(by="ann")

        assert await run.result(timeout=5) == "done"
    assert sorted(ledger.calls()) == ["1.1", "1.2", "2.1"]


@pytest.mark.parametrize("die", [1, 2, 3, 5, 8, 13])
def test_a_paused_run_is_paused_after_a_crash(die: int) -> None:
    """The process is killed some commits behind the pause, or lives."""
    store, ledger = Mortal(), Ledger()
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(ledger))

    async def hold(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "approval.requested")
        await run.pause(by="ann")
        store.dies_at = store.commits + die
        await run.approve((await run.pending())[0], by="bob")
        await asyncio.sleep(0.01)

    async def look(runtime: Runtime) -> tuple[Status, int, str]:
        run = await runtime.start(agent, "Go.", key="k")
        await asyncio.sleep(0.01)
        seen, done = await run.status(), len(ledger.done)
        await run.resume(by="ann")
        for approval in await run.pending():
            await run.approve(approval, by="bob")
        return seen.status, done, await run.result(timeout=5)

    live(store, agent, hold)
    store.revive()
    assert live(store, agent, look) == (Status.PAUSED, 0, "done")
    assert ledger.calls() == ["1.1"]


@simulated(seeds=range(3))
async def test_paused_time_is_not_active_time() -> None:
    now, gate = 1_000_000.0, Gate()
    agent = scripted(calls(call("work")), "done", tools=[gate.tool()], limits=Limits(active_seconds=10))
    async with Runtime(agents=[agent], clock=lambda: now) as runtime:
        run = await runtime.start(agent, "Go.")
        await gate.entered.wait()
        await run.pause(by="ann")
        gate.open.set()
        await until(run, "call.finished")
        await asyncio.sleep(1)
        now += 5_000

        await run.resume(by="ann")

        assert await run.result(timeout=5) == "done"


@simulated(seeds=range(3))
async def test_a_paused_run_can_be_cancelled_and_one_that_ended_not_be_paused() -> None:
    agent = scripted(calls(call("pay", amount=1)), tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.pause(by="ann")

        assert await run.cancel(by="bob")
        with pytest.raises(Cancelled, match="cancelled by bob"):
            await run.result(timeout=5)
        assert [await run.pause(by="ann"), await run.resume(by="ann")] == [False, False]


@simulated(seeds=range(3))
async def test_a_runtime_that_is_paused_holds_every_run_and_starts_none() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        first, second = await runtime.start(agent, "Go."), await runtime.start(agent, "Go.")
        await until(first, "approval.requested")
        await second.pause(by="bob")

        held = await runtime.pause(by="ann", reason="fire")
        with pytest.raises(Paused, match=r"^this runtime is paused by ann: fire: nothing starts before"):
            await runtime.start(agent, "Go.")
        resumed = await runtime.resume(by="ann")

        assert set(held) == set(resumed) == {first.id, second.id}
        assert [await paused(first), await paused(second)] == [False, True], "each account is taken back by itself"
        assert set(await runtime.cancel(by="ann")) == {first.id, second.id}


@simulated(seeds=range(1))
async def test_who_paused_and_resumed_stands_in_the_logbook() -> None:
    agent = scripted(calls(call("pay", amount=1)), tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.pause(by="ann", reason="odd")
        await run.resume(by="bob")

        (was_paused,), (was_resumed,) = await data(run, "run.paused"), await data(run, "run.resumed")
    assert (was_paused["by"], was_paused["reason"], was_resumed["by"]) == ("ann", "odd", "bob")


@pytest.mark.timeout(60)
def test_s40_sigterm_drains_and_the_next_process_goes_on(tmp_path: Path) -> None:
    """A payment that is under way ends and is recorded, no second one begins, and nothing is of unknown outcome."""
    path, begun = tmp_path / "runs.db", tmp_path / "runs.begun"
    program = [sys.executable, "-m", "tests.agents.drained", str(path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        while not begun.exists():
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    after = begun.read_text()

    second = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert first.returncode == 128 + signal.SIGTERM
    assert after == "begins 1.1\nends 1.1\n"
    assert (second.stdout, begun.read_text()) == ("All is paid.\n", after + "begins 2.1\nends 2.1\n")


@pytest.mark.timeout(60)
async def test_a_pause_is_answered_at_once_while_a_call_is_in_flight() -> None:
    gate = Gate()
    agent = scripted(calls(call("work")), "done", tools=[gate.tool()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await gate.entered.wait()
        began = time.monotonic()

        await run.pause(by="ann")

        took, status = time.monotonic() - began, (await run.status()).status
        await run.cancel()
    assert (took < 0.1 * SLACK, status) == (True, Status.PAUSED)
