"""What the command line refuses, and what it lets through, while no process has the file open."""

from __future__ import annotations

import re

import pytest

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.approver import Approvals
from choragus.agents.cli.exit import Exit
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply
from choragus.agents.runtime import Runtime

from .cli_clerk import RUN, command
from .people_play import Paid, asker, payer, question, scripted_with
from .play import call, data

Printed = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("hurry")


async def _left(file: str, agent: Agent) -> Approval:
    """What a run of the agent waits for, whose process is gone."""
    async with Runtime(file, agents=[agent]) as runtime:
        return await question(await runtime.start(agent, "Go.", key="k"))


async def test_each_of_a_quorum_may_decide(file: str, capsys: Printed) -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(chain=[("ann", "bob", "eve")], quorum=2))
    asked = await _left(file, agent)

    codes = [await command("approve", file, asked.id, "--by", by) for by in ("ann", "ann", "bob", "eve")]

    assert codes == [Exit.OK, Exit.USAGE, Exit.OK, Exit.USAGE]
    assert f"approval {asked.id} is already approved by bob: it takes effect when" in capsys.readouterr().err
    async with Runtime(file, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.", key="k")).result(5)
    assert len(paid) == 1


async def test_a_decision_of_a_stranger_is_refused_stands_in_nobodys_way_and_is_logged(
    file: str, capsys: Printed
) -> None:
    agent = payer([], approvals=Approvals(chain=["mia"]))
    asked = await _left(file, agent)

    stranger = await command("approve", file, asked.id, "--by", "eve")
    listed = await command("approvals", file)
    right = await command("approve", file, asked.id, "--by", "mia")

    printed = capsys.readouterr()
    assert (stranger, listed, right) == (Exit.USAGE, Exit.OK, Exit.OK)
    assert printed.err == "choragus: 'eve' may not decide about call 1.1: it is put to mia\n"
    assert "approved by eve" not in printed.out
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result(5)
        (refused,) = await data(run, "approval.refused")
    assert refused["by"] == "eve"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        pytest.param(("answer", "W3"), "'W3' is none of the options 'W1', 'W2': choose one of them", id="none of them"),
        pytest.param(("answer", ""), "a question wants an answer", id="empty"),
        pytest.param(("approve",), "is a question: choragus answer", id="approval"),
    ],
)
async def test_what_answers_no_question_is_refused_at_once(
    file: str, argv: tuple[str, ...], why: str, capsys: Printed
) -> None:
    asked = await _left(file, asker("W1", "W2"))

    code = await command(argv[0], file, asked.id, *argv[1:], "--by", "mia")

    assert code == Exit.USAGE
    assert why in capsys.readouterr().err
    assert await command("answer", file, asked.id, "W2", "--by", "mia") == Exit.OK


async def test_the_goal_of_what_waits_is_not_cut(file: str, capsys: Printed) -> None:
    goal = "Pay " + " ".join(f"A-{number}" for number in range(100))
    async with Runtime(file, agents=[agent := payer([])]) as runtime:
        await question(await runtime.start(agent, goal))

    await command("approvals", file)

    first, _, rest = capsys.readouterr().out.partition("  goal: ")[2].partition("\n")
    more = [line.removeprefix("  : ") for line in rest.splitlines() if line.startswith("  : ")]
    assert "".join([first, *more]) == goal


async def test_an_answer_that_waits_is_told_as_one(file: str, capsys: Printed) -> None:
    asked = await _left(file, asker())
    await command("answer", file, asked.id, "W2", "--by", "mia")

    await command("approvals", file)

    printed = capsys.readouterr().out
    assert "  because: the model asks, and reads the answer\n" in printed
    assert re.search(r"^  answered by mia; it takes effect when", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        pytest.param(("--always", "0"), "--always 0 makes no rule", id="no uses"),
        pytest.param(("--set", "=3"), "--set '=3' changes nothing", id="no name"),
    ],
)
async def test_options_that_say_nothing_are_refused(
    file: str, options: tuple[str, ...], why: str, capsys: Printed
) -> None:
    asked = await _left(file, payer([]))

    assert await command("approve", file, asked.id, "--by", "mia", *options) == Exit.USAGE

    assert why in capsys.readouterr().err


async def test_a_ceiling_is_shown_whole_and_no_other_name_is_raised(file: str, capsys: Printed) -> None:
    looks = [ModelReply(calls=(call("look", "a", at="x"),))] * 3
    asked = await _left(file, scripted_with(*looks, limits=Limits(steps=2, at_limit="ask")))

    code = await command("approve", file, asked.id, "--by", "mia", "--set", "stps=9")
    await command("show", file, asked.run)

    printed = capsys.readouterr()
    assert code == Exit.USAGE
    assert "'stps' is no ceiling; those are steps, tokens" in printed.err
    assert f"call ceiling-1 of run {asked.run}, agent clerk, step 2\n" in printed.out
    assert re.search(r' ceiling-1  waits  raise_limit \{"steps": 4\}: steps is limited to 2', printed.out)


async def test_a_run_that_is_not_paused_is_not_resumed(waiting: str, capsys: Printed) -> None:
    early = await command("resume", waiting, RUN, "--by", "mia")
    await command("pause", waiting, RUN, "--by", "mia")
    late = await command("resume", waiting, RUN, "--by", "mia")

    assert (early, late) == (Exit.USAGE, Exit.OK)
    assert f"run {RUN} was not paused by itself (it goes on)" in capsys.readouterr().err
