"""A person raises the ceilings of a run that goes on: by Python, and from another terminal."""

from __future__ import annotations

import json

import anyio
import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.approver import Approvals
from choragus.agents.cli.exit import Exit
from choragus.agents.errors import AgentError
from choragus.agents.limits import Limits
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status

from .cli_clerk import RUN, clerk, command, start
from .play import Ledger, call, calls, data, scripted, soon, tools

Printed = pytest.CaptureFixture[str]


@simulated(seeds=range(2))
async def test_a_run_goes_on_beyond_the_ceiling_that_it_had() -> None:
    agent = scripted(
        calls(call("pay", amount=1)), calls(call("look", at="x")), "done", tools=tools(Ledger()), limits=Limits(steps=2)
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)

        await run.raise_limits(by="mia", reason="month end", steps=5, cost_usd=20)

        (asked,) = await run.pending()
        await asked.approve(by="mia")
        assert await run.result(timeout=5) == "done"
        (raised,) = await data(run, "limit.raised")
    assert (raised["by"], raised["reason"], raised["limits"]) == ("mia", "month end", {"steps": 5, "cost_usd": 20})


@simulated(seeds=range(1))
async def test_the_orchestrator_hears_of_more_time() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()), limits=Limits(wall_seconds=60))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)

        await run.raise_limits(by="mia", wall_seconds=600)

        await anyio.sleep(100)
        (asked,) = await run.pending()
        await asked.approve(by="mia")
        assert await run.result(timeout=5) == "done"


@pytest.mark.parametrize(
    ("limits", "by", "says"),
    [
        ({"steps": 1}, "mia", "steps=1 is below 50: raise it"),
        ({"pace": 3}, "mia", "'pace' is no ceiling"),
        ({"steps": True}, "mia", "steps=True"),
        ({}, "mia", "nothing is raised"),
        ({"steps": 60}, " ", "nothing is raised"),
    ],
)
@simulated(seeds=range(1))
async def test_what_cannot_be_raised_is_refused(limits: dict[str, object], by: str, says: str) -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)

        with pytest.raises(AgentError, match=says):
            await run.raise_limits(by=by, reason="", **limits)

        (refused,) = await data(run, "limit.refused")
        assert refused["by"] == by


@simulated(seeds=range(1))
async def test_only_who_is_asked_at_a_ceiling_raises_one() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    alone = attrs.evolve(agent, approvals=Approvals(chain=["ann", "cfo"]))
    many = attrs.evolve(agent, name="many", approvals=Approvals(quorum=2))
    async with Runtime(agents=[alone, many]) as runtime:
        run = await runtime.start(alone, "Go.")
        other = await runtime.start(many, "Go.")
        await soon(run.pending)
        await soon(other.pending)

        with pytest.raises(AgentError, match="'mallory' may not raise ceilings of agent 'clerk': it is put to ann"):
            await run.raise_limits(by="mallory", steps=60)
        with pytest.raises(AgentError, match="2 have to approve higher ceilings"):
            await other.raise_limits(by="ann", steps=60)
        await run.raise_limits(by="ann", steps=60)


@simulated(seeds=range(1))
async def test_at_a_ceiling_its_approval_decides_and_behind_the_end_nothing_does() -> None:
    limits = Limits(steps=1, at_limit="ask")
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)
        (asked,) = await run.pending()

        with pytest.raises(AgentError, match=f"waits at a ceiling: decide on approval {asked.id}"):
            await run.raise_limits(by="mia", steps=60)

        await asked.approve(by="mia")
        await run.result(timeout=5)
        with pytest.raises(AgentError, match="has ended: there is nothing to raise"):
            await run.raise_limits(by="mia", steps=60)


async def test_raised_from_another_terminal(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        run = await start(runtime, agent)

        code = await command("raise", file, RUN[:5], "--steps", "80", "--per-tool", "pay=3", "--by", "mia", "--json")
        low = await command("raise", file, RUN, "--steps", "1", "--by", "mia", "--json")
        none = await command("raise", file, RUN, "--by", "mia")

        (raised,) = await data(run, "limit.raised")
    out = capsys.readouterr()
    done, refused = map(json.loads, out.out.splitlines())
    assert (code, low, none) == (Exit.OK, Exit.USAGE, Exit.USAGE)
    assert (done["command"], done["fate"], done["run"]) == ("raise", "handled", RUN)
    assert (refused["fate"], "steps=1 is below 80" in refused["told"]) == ("refused", True)
    assert raised["limits"] == {"steps": 80, "per_tool": {"pay": 3}}
    assert "nothing to raise: name a ceiling" in out.err


async def test_raised_where_nobody_owns_the_file_it_holds_with_the_next_opening(waiting: str, hurry: None) -> None:
    assert await command("raise", waiting, RUN, "--steps", "80", "--by", "mia") == Exit.OK

    async with Runtime(waiting, agents=[clerk()]) as runtime:
        run = await runtime.run(RUN)
        await soon(lambda: data(run, "limit.raised"))
        assert (await run.status()).status is Status.WAITING
