"""`choragus unwind`, beside a live runtime and before one opens the file."""

from __future__ import annotations

import pytest

from choragus.agents.agent import Agent
from choragus.agents.cli.exit import Exit
from choragus.agents.limits import Limits
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.tool import tool

from .cli_clerk import command
from .play import call, calls, eventually, scripted

Printed = pytest.CaptureFixture[str]


def booking(freed: list[str], *, steps: int) -> Agent:
    """An agent that books, and comes to its end or not."""

    def cancel(what: str) -> str:
        freed.append(what)
        return "free"

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        return what

    return scripted(calls(call("book", what="car")), "done", tools=[book], limits=Limits(steps=steps))


async def ended(runtime: Runtime, agent: Agent) -> Run:
    """Its run, behind its end."""
    run = await runtime.start(agent, "Go.", key="k")
    async for _ in run.events():
        pass
    return run


async def test_a_run_is_unwound_beside_a_live_runtime(file: str, capsys: Printed) -> None:
    freed: list[str] = []
    agent = booking(freed, steps=1)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        code = await command_of(file, run)
        await eventually(run, "unwind.ended")

    printed = capsys.readouterr().out
    assert (code, freed) == (Exit.OK, ["car"])
    assert printed == f"run {run.id} is unwound by mia: see `choragus show`\n"


async def test_a_run_that_has_completed_is_not_unwound(file: str, capsys: Printed) -> None:
    freed: list[str] = []
    agent = booking(freed, steps=2)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        code = await command_of(file, run)

    assert (code, freed) == (Exit.USAGE, [])
    assert f"run {run.id} has completed: only one that ended without a result is unwound" in capsys.readouterr().err


async def test_a_run_that_goes_on_is_ended_first(waiting: str, hurry: None, capsys: Printed) -> None:
    async with Runtime(waiting, agents=[]) as runtime:
        (run,) = await runtime.runs()

    code = await command("unwind", waiting, run.run, "--by", "mia")

    assert code == Exit.USAGE
    assert f"run {run.run} goes on (waiting): end it first, with `choragus cancel`" in capsys.readouterr().err


async def test_an_unwinding_that_nobody_takes_up_waits_for_the_next_owner(
    file: str, hurry: None, capsys: Printed
) -> None:
    freed: list[str] = []
    agent = booking(freed, steps=1)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

    code = await command_of(file, run)
    async with Runtime(file, agents=[agent]) as runtime:
        await eventually(await runtime.run(run.id), "unwind.ended")

    assert (code, freed) == (Exit.OK, ["car"])
    assert "it takes effect when" in capsys.readouterr().out


async def command_of(file: str, run: Run) -> int:
    """Unwind it by its short name."""
    return await command("unwind", file, run.id[:6], "--by", "mia")
