"""What people decided, by tool: each question is one of seven things, and a rule's approvals are none of them."""

from __future__ import annotations

import json
import time

import anyio
import attrs
import pytest

from choragus.agents.approver import Approvals
from choragus.agents.cli.exit import Exit
from choragus.agents.figures import Period, review
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.question import ask_person
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.mailbox.address import actor_id
from choragus.mailbox.reader import Reader
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry, Turn, View

from .cli_clerk import command
from .play import Ledger, call, calls, scripted, tools, until

Printed = pytest.CaptureFixture[str]

PAYS = [call("pay", f"p{n}", amount=n) for n in range(1, 5)]


async def asked(run: Run[object], many: int) -> None:
    """Wait until so many questions wait."""
    seen = 0
    async for event in run.events():
        seen += isinstance(event, ApprovalRequested)
        if seen == many:
            return


async def leave_decided(file: str) -> None:
    """One approved, one edited, one denied, one that waits; a question answered; the five of another run withdrawn."""
    agent = scripted(
        calls(*PAYS, call("ask_person", "q", question="Which?", options=["a", "b"])),
        tools=[*tools(Ledger()), ask_person],
    )
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tenant="acme")
        await asked(run, 5)
        for one in await run.pending():
            match one.call:
                case "1.1":
                    await one.approve(by="mia")
                case "1.2":
                    await one.approve(by="mia", arguments={"amount": 20})
                case "1.3":
                    await one.deny(by="bob", reason="too much")
                case "1.5":
                    await one.answer("a", by="mia")
        other = await runtime.start(agent, "Go.")
        await asked(other, 5)
        await other.cancel(by="mia")
        await until(other, "run.ended")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> str:
    """That file, for all who only read it."""
    file = str(tmp_path_factory.mktemp("decided") / "runs.db")
    anyio.run(leave_decided, file)
    return file


async def test_each_question_is_one_of_these(decided: str) -> None:
    with Reader(decided) as reader:
        question, pay = review(reader)

    assert (pay.tool, pay.asked) == ("pay", 8)
    assert (pay.approved, pay.edited, pay.denied, pay.answered) == (1, 1, 1, 0)
    assert (pay.expired, pay.waiting, pay.withdrawn, pay.ruled) == (0, 1, 4, 0)
    assert pay.fields == {"amount": 1}
    assert pay.by == {"bob": {"denied": 1}, "mia": {"approved": 1, "edited": 1}}
    assert (pay.untouched.k, pay.untouched.n, pay.seconds.n) == (1, 3, 3)
    assert (question.tool, question.asked, question.answered, question.withdrawn) == ("ask_person", 2, 1, 1)
    assert question.untouched.value is None


async def test_questions_of_another_time_agent_or_tenant_are_left_out(decided: str) -> None:
    with Reader(decided) as reader:
        assert review(reader, Period(time.time() + 60)) == []
        assert review(reader, Period(None, time.time() - 60)) == []
        assert review(reader, agent="other") == []
        assert [one.asked for one in review(reader, tenant="acme")] == [1, 4]


async def test_what_a_standing_rule_approves_is_counted_apart(file: str) -> None:
    agent = scripted(calls(PAYS[0]), calls(PAYS[0]), "done", tools=tools(Ledger()))
    async with Runtime(file, agents=[agent]) as runtime:
        await runtime.rules.add("pay", {"amount": 1}, by="mia", uses=1)
        run = await runtime.start(agent, "Go.")
        await asked(run, 1)
        await (await run.pending())[0].approve(by="mia")
        await run.result(5)

    with Reader(file) as reader:
        (pay,) = review(reader)

    assert (pay.asked, pay.approved, pay.ruled) == (1, 1, 1)


async def test_what_nobody_decides_in_time_is_expired_whoever_was_asked(file: str) -> None:
    """The decision is the deadline's, and no person's: it is in no time to decide."""
    agent = scripted(calls(PAYS[0]), "done", tools=tools(Ledger()))
    agent = attrs.evolve(agent, approvals=Approvals(within=0.01))
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

    with Reader(file) as reader:
        (pay,) = review(reader)

    assert (pay.asked, pay.expired, pay.denied, pay.seconds.n, pay.by) == (1, 1, 0, 0, {})


async def test_the_time_to_decide_goes_from_the_question_to_the_decision(file: str) -> None:
    """A question that is put to further approvers is one, asked when it was first asked."""
    lines: list[tuple[str, float, dict[str, object]]] = [
        ("approval.requested", 100.0, {"call": "1.1", "tool": "pay"}),
        ("approval.requested", 100.0, {"call": "1.2", "tool": "pay"}),
        ("approval.escalated", 150.0, {"call": "1.2", "tool": "pay"}),
        ("approval.decided", 200.0, {"call": "1.1", "tool": "pay", "approved": True, "by": "mia"}),
        ("approval.decided", 300.0, {"call": "1.2", "tool": "pay", "approved": False, "by": "mia"}),
        ("approval.requested", 400.0, {"call": "ceiling-1", "tool": "", "kind": "ceiling"}),
    ]
    await leave(file, lines)

    with Reader(file) as reader:
        ceiling, pay = review(reader)
        early = review(reader, Period(100, 101))

    assert (ceiling.tool, ceiling.waiting) == ("(ceiling)", 1)
    assert (pay.seconds.n, pay.seconds.median.value, pay.seconds.p90.value) == (2, 100.0, 200.0)
    assert early == [pay]


async def leave(file: str, lines: list[tuple[str, float, dict[str, object]]]) -> None:
    """A file with a run that goes on, and has these lines."""
    entries = tuple(Entry("run/r", kind, at, json.dumps(data).encode()) for kind, at, data in lines)
    view = View(
        kind="run", key="r", sort=50.0, body=b'{"run": "r", "status": "waiting", "started": 50.0, "ended": 0.0}'
    )
    turn = Turn(id="t", actor=actor_id("x.maker", "m"), fence=1, revision=0, entries=entries, views=(view,))
    store = await SqliteStore.open(file)
    try:
        await store.claim("a", 1e12, 0.0)
        await store.commit(Batch(node="a", fence=1, at=500.0, turns=(turn,)))
    finally:
        await store.close()


async def test_review_prints_a_line_for_each_tool_within_80_columns(
    decided: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choragus.agents.cli.reviewing.page", lambda: 80)
    code = await command("review", decided, "--since", "1h")

    printed = capsys.readouterr().out
    assert code == Exit.OK
    assert printed.splitlines()[0].split()[:5] == ["TOOL", "ASKED", "AS", "IS", "EDITED"]
    assert [line.split()[:6] for line in printed.splitlines()[1:3]] == [
        ["ask_person", "2", "0", "0", "0", "1"],
        ["pay", "8", "1", "1", "1", "0"],
    ]
    whole = printed.replace("\n  : ", "")
    assert "pay: 33.3 % approved as asked (6.1 to 79.2); changed: amount 1x; bob: 1 denied; mia: 1 approved" in whole
    assert "1 waiting, 4 withdrawn" in whole
    assert max(map(len, printed.splitlines())) <= 80


async def test_review_prints_json_and_says_when_there_is_nothing(decided: str, capsys: Printed) -> None:
    codes = [
        await command("review", decided, "--json"),
        await command("review", decided, "--agent", "nobody"),
        await command("review", decided, "--since", "never"),
    ]

    out, err = capsys.readouterr()
    first, second, nothing = out.splitlines()
    assert codes == [Exit.OK, Exit.OK, Exit.USAGE]
    assert (json.loads(first)["tool"], json.loads(second)["untouched"]["n"]) == ("ask_person", 3)
    assert nothing == "nobody was asked anything: all of the file"
    assert "--since='never' is no time: give 30m" in err
