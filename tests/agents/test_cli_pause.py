"""`choragus pause`, `resume` and `ledgers`, beside a live runtime and without one."""

from __future__ import annotations

import attrs
import pytest

from choragus.agents.cli.exit import Exit
from choragus.agents.ledger import Ledger
from choragus.agents.limits import Limits
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status

from .cli_clerk import RUN, clerk, command, start

Printed = pytest.CaptureFixture[str]


async def test_pause_and_resume_beside_a_live_runtime(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        run = await start(runtime, agent)

        paused = await command("pause", file, RUN[:4], "--by", "mia", "--reason", "odd")
        held = (await run.status()).status
        resumed = await command("resume", file, RUN[:4], "--by", "bob")
        again = await command("resume", file, RUN, "--by", "bob")

        status = (await run.status()).status
    printed = capsys.readouterr()
    assert (paused, held, resumed, again, status) == (Exit.OK, Status.PAUSED, Exit.OK, Exit.USAGE, Status.WAITING)
    assert printed.out.splitlines() == [
        f"run {RUN} is paused by mia: what is in flight ends, nothing starts",
        f"run {RUN} goes on, says bob",
    ]
    assert "was not paused by itself (it goes on): there is nothing to resume" in printed.err


async def test_a_pause_that_nobody_takes_up_waits_for_the_next_owner(
    waiting: str, hurry: None, capsys: Printed
) -> None:
    code = await command("pause", waiting, RUN, "--by", "mia")

    async with Runtime(waiting, agents=[clerk()]) as runtime:
        run = await runtime.run(RUN)
        async for event in run.events():
            if event.kind == "run.paused":
                break
        (seen,) = await runtime.runs()
    await command("runs", waiting)
    await command("show", waiting, RUN)
    printed = capsys.readouterr().out
    assert (code, seen.status, seen.paused) == (Exit.OK, Status.PAUSED, "paused by mia")
    assert "it takes effect when" in printed
    assert "  | paused by mia\n" in printed
    assert "paused     by mia\n" in printed


async def test_show_prints_the_ceilings(waiting: str, capsys: Printed) -> None:
    await command("show", waiting, RUN)

    printed = " ".join(capsys.readouterr().out.split())
    assert "limits steps 50, tokens 1000000, cost_usd 10, active_seconds 3600" in printed


async def test_ledgers_prints_what_is_spent(file: str, capsys: Printed) -> None:
    agent = attrs.evolve(clerk(), tools=[])
    ledgers = [Ledger("acme", cost_usd=5, tokens=9_000, per="ever")]
    async with Runtime(file, agents=[agent], ledgers=ledgers) as runtime:
        run = await runtime.start(agent, "Go.", ledgers=["acme"])
        await run.result(timeout=5)

    code = await command("ledgers", file)

    header, row = capsys.readouterr().out.splitlines()
    assert code == Exit.OK
    assert header.split() == ["LEDGER", "TIME", "SPENT", "SET", "ASIDE", "LIMIT", "TOKENS", "WAITING"]
    assert row.split()[:2] == ["acme", "ever"]
    assert "9000 tokens" in row


async def test_a_file_without_ledgers_says_so(waiting: str, capsys: Printed) -> None:
    assert await command("ledgers", waiting) == Exit.OK
    assert capsys.readouterr().out == f"no ledgers in {waiting}\n"


async def test_a_ceiling_is_raised_from_the_command_line(file: str, capsys: Printed) -> None:
    agent = attrs.evolve(clerk(), limits=Limits(steps=1, at_limit="ask"))
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)

        listed = await command("approvals", file)
        id = capsys.readouterr().out.split()[0]
        raised = await command("approve", file, id, "--set", "steps=9", "--by", "mia")

        run = await runtime.run(RUN)
        async for event in run.events():
            if event.kind == "limit.raised":
                break
    assert (listed, raised, event.data["limits"], event.data["by"]) == (Exit.OK, Exit.OK, {"steps": 9}, "mia")


async def test_what_a_person_is_shown_of_a_ceiling(file: str, capsys: Printed) -> None:
    agent = attrs.evolve(clerk(), limits=Limits(steps=1, at_limit="ask"))
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)

    await command("approvals", file)

    printed = capsys.readouterr().out
    assert "raise_limit: the run is at a ceiling, may it have more? Asked" in printed
    assert "  because: steps is limited to 1, 1 are used and 1 more were asked for" in printed
    assert '  | "steps": 2\n  approve: the ceiling is raised to this, and the run goes on\n' in printed
