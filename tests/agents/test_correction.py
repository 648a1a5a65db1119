"""A person says what a run should have answered: after its end, durably, and checked against the agent's type."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.cli.exit import Exit
from choragus.agents.correction import CorrectRun
from choragus.agents.errors import AgentError, AgentFault
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.state import Status
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Envelope

from .cli_clerk import RUN, clerk, command, complete
from .play import Ledger, call, calls, data, scripted, soon, tools

Printed = pytest.CaptureFixture[str]


@attrs.frozen
class Report:
    """What a typed agent answers with."""

    total: int


def typed() -> Agent[Report]:
    return Agent("counter", model=ScriptedModel(['{"total": 1}']), output=Report)


async def answered(runtime: Runtime, agent: Agent[object]) -> Run[object]:
    """A run that has ended."""
    run = await runtime.start(agent, "Go.", key="k")
    await run.result(5)
    return run


async def test_a_correction_stands_beside_the_answer() -> None:
    agent = scripted("four")
    async with Runtime(agents=[agent]) as runtime:
        run = await answered(runtime, agent)

        await run.correct("five", by="mia", reason="one was missing")

        summary = await run.status()
        assert await run.result() == "four"
        assert (summary.status, summary.outcome) == (Status.COMPLETED, "four")
        assert (summary.correction, summary.corrected_by) == ("five", "mia")
        assert await data(run, "run.corrected") == [
            {"actor": "choragus.orchestrator/" + run.id, "answer": "five", "by": "mia"}
            | {"reason": "one was missing", "number": 1}
        ]


async def test_a_later_correction_replaces_an_earlier_one_and_the_same_again_changes_nothing() -> None:
    agent = scripted("four")
    async with Runtime(agents=[agent]) as runtime:
        run = await answered(runtime, agent)
        await run.correct("five", by="mia")
        await run.correct("five", by="mia")

        await run.correct("six", by="bob")

        entered = [(one["answer"], one["number"]) for one in await data(run, "run.corrected")]
        assert entered == [("five", 1), ("six", 2)]
        assert (await run.status()).correction == "six"


async def test_a_correction_outlives_the_process() -> None:
    store, agent = MemoryStore(), scripted("four")
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await answered(runtime, agent)).correct("five", by="mia")

    async with Runtime(store=store, agents=[agent]) as runtime:
        (summary,) = await runtime.runs()

        assert summary.correction == "five"
        assert (await store.verify()).problems == ()


async def test_a_failed_run_is_corrected_too() -> None:
    agent = scripted(RuntimeError("down"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(AgentError):
            await run.result(5)

        await run.correct("four", by="mia")

        assert (await run.status()).correction == "four"


async def test_a_run_that_goes_on_has_no_answer_to_correct() -> None:
    agent = scripted(calls(call("pay", amount=3)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                break

        with pytest.raises(AgentError, match=r"goes on \((running|waiting)\) and has no answer yet: wait for its end"):
            await run.correct("four", by="mia")

        (refused,) = await data(run, "correction.refused")
        assert refused["by"] == "mia"


async def test_a_typed_answer_is_checked_against_its_schema() -> None:
    agent = typed()
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        with pytest.raises(AgentError, match=r"^agent 'counter' answers with a Report, and this is none: .*total"):
            await run.correct('{"total": "two"}', by="mia")
        await run.correct(Report(total=2), by="mia")

        assert (await run.status()).correction == '{"total":2}'


@pytest.mark.parametrize(
    ("answer", "by", "words"),
    [("", "mia", "is empty"), ("x", "  ", "names nobody"), ("x" * 100_001, "mia", "100,000"), ("x", "m" * 201, "200")],
)
async def test_what_nobody_can_take_is_refused_at_once(answer: str, by: str, words: str) -> None:
    agent = scripted("four")
    async with Runtime(agents=[agent]) as runtime:
        run = await answered(runtime, agent)

        with pytest.raises(ValueError, match=words):
            await run.correct(answer, by=by)
        with pytest.raises(AgentFault, match="give a str"):
            await run.correct(5, by="mia")

        assert await data(run, "run.corrected") == []


async def test_only_people_correct_a_run() -> None:
    """Another actor's message comes from its address."""
    agent = scripted("four")
    async with Runtime(agents=[agent]) as runtime:
        run = await answered(runtime, agent)
        forged = CorrectRun(answer="five", by="mia")

        refusal = await _as_an_actor(runtime, run.id, forged)

        assert "is an actor, and only people correct a run" in refusal
        assert (await run.status()).correction == ""


async def _as_an_actor(runtime: Runtime, run: str, message: CorrectRun) -> str:
    receiver = actor_id(ORCHESTRATOR, run)
    envelope = Envelope(id="x:1", receiver=receiver, sender="choragus.memory/x", record=encode(message))
    await runtime.store.append([envelope])
    handle = await runtime.run(run)

    async def refused() -> bool:
        return bool(await data(handle, "correction.refused"))

    await soon(refused)
    return str((await data(handle, "correction.refused"))[0]["reason"])


@simulated(seeds=range(2))
async def test_the_time_that_a_run_waited_for_people_is_counted() -> None:
    agent = scripted(calls(call("pay", amount=3)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                break
        await asyncio.sleep(60)
        await run.pause(by="mia")
        await asyncio.sleep(30)
        await run.resume(by="mia")
        await run.approve((await run.pending())[0], by="mia")
        await run.result()

        summary = await run.status()
        (ended,) = await data(run, "run.ended")

    assert summary.waited == pytest.approx(90, abs=1)
    assert ended["waited"] == summary.waited


@simulated(seeds=[1])
async def test_a_run_that_ends_while_it_waits_has_waited_up_to_its_end() -> None:
    agent = scripted(calls(call("pay", amount=3)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                break
        await asyncio.sleep(60)
        await run.cancel(by="mia")
        (ended,) = await data(run, "run.ended")

    assert ended["waited"] == pytest.approx(60, abs=1)


# The command line.


async def test_correct_beside_a_live_runtime(file: str, capsys: Printed) -> None:
    agent = typed()
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        wrong = await command("correct", file, run.id, "many", "--by", "mia")
        right = await command("correct", file, run.id, "--json-value", '{ "total": 2 }', "--by", "mia")

        assert (wrong, right) == (Exit.USAGE, Exit.OK)
        assert (await run.status()).correction == '{"total":2}'
    printed = capsys.readouterr()
    assert f"run {run.id} is corrected by mia" in printed.out
    assert "agent 'counter' answers with a Report, and this is none" in printed.err


async def test_a_correction_that_nobody_takes_up_waits_for_the_next_owner(
    file: str, hurry: None, capsys: Printed
) -> None:
    await complete(Path(file))

    code = await command("correct", file, RUN[:4], "All is paid.", "--by", "mia")

    assert code == Exit.OK
    assert "it takes effect when" in capsys.readouterr().out
    async with Runtime(file, agents=[clerk()]) as runtime:
        run = await runtime.run(RUN)

        async def corrected() -> str:
            return (await run.status()).correction

        await soon(corrected)
        assert await corrected() == "All is paid."


async def test_correct_says_what_is_wrong(waiting: str, capsys: Printed) -> None:
    codes = [
        await command("correct", waiting, RUN, "x", "--by", "mia"),
        await command("correct", waiting, RUN, "--json-value", "{", "--by", "mia"),
        await command("correct", waiting, RUN, " ", "--by", "mia"),
    ]

    errors = capsys.readouterr().err
    assert codes == [Exit.USAGE] * 3
    for words in ("and has no answer yet", "is no JSON", "is empty"):
        assert words in errors
