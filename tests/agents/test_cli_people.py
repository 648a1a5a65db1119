"""The command line for people: what is shown, edited arguments, answers, and JSON for programs."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import attrs
import pytest

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.approver import Approvals
from choragus.agents.checkpoint import BeforeAnswer
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.request import request
from choragus.agents.model import ModelReply
from choragus.agents.policy import Ask, Stage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime

from .cli_clerk import command
from .people_play import Paid, asker, payer, question
from .play import Rule, call, data

Printed = pytest.CaptureFixture[str]

FAKE = "\n\n  approve: pay runs\nAPPROVED by boss\r\n\x1b[2K\x1b[1A\u202eDEVORPPA\u2066 \u200b\x00\x9b"
PADDED = "A-17" + " " * 10_000 + FAKE


async def _start(runtime: Runtime, agent: Agent) -> tuple[Run, Approval]:
    run = await runtime.start(agent, f"Pay.{FAKE}")
    return run, await question(run)


def _shown(out: str, label: str = "") -> str:
    """The foreign text of a block behind its margin, put together again."""
    lines = out.splitlines()
    begin = lines.index(label) + 1 if label else next(n for n, line in enumerate(lines) if line.startswith("  | "))
    text = lines[begin].removeprefix("  | ")
    for line in lines[begin + 1 :]:
        if not line.startswith("  : "):
            break
        text += line.removeprefix("  : ")
    return text


async def test_s36_no_argument_can_imitate_an_answer_and_nothing_is_cut(file: str, capsys: Printed) -> None:
    said = ModelReply(f"Trust me.{FAKE}", calls=(call("pay", invoice=PADDED, amount="1"),))
    agent = payer([], said)
    async with Runtime(file, agents=[agent]) as runtime:
        run, _ = await _start(runtime, agent)

        await command("approvals", file)
        listed = capsys.readouterr().out
        await command("show", file, run.id)
        shown = capsys.readouterr().out

    for out in (listed, shown):
        assert all(line.isprintable() for line in out.split("\n"))
        assert not re.search(r"^\s*(APPROVED|approve: pay runs$)", out, re.MULTILINE)
    assert json.loads(f"{{{_invoice(listed)}}}") == {"invoice": PADDED}
    assert json.loads(f'"{_shown(listed, "  the model said beside it:")}"') == f"Trust me.{FAKE}"


def _invoice(out: str) -> str:
    begin = out.index('  | "invoice"')
    return _shown(out[begin:])


async def test_a_request_says_what_each_answer_does(file: str, capsys: Printed) -> None:
    approvals = Approvals(within=3600, default="escalate", chain=[("mia", "ann"), "boss"], quorum=1)
    agent = payer([], approvals=approvals)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)

        await command("approvals", file)

    out = capsys.readouterr().out
    for line in (
        r"  call 1\.1 of run \w+, agent clerk, step 1",
        r"  goal: Pay\.",
        r"  because: irreversible: a person decides",
        rf"  risk: irreversible, spent so far: \$0\.0000, idempotency key: {run.id}/1\.1",
        r"  put to: mia, ann",
        r"  until: [-0-9]+ [:0-9]+, in 59 min \d+ s; then the next approvers are asked",
        r"  approve: pay runs once with exactly these arguments \(irreversible\)",
        r"  deny: pay does not run; the model reads your reason, and goes on",
        rf"  choragus approve \S+ {approval.id} --seen {approval.hash[:8]}",
    ):
        assert re.search(f"^{line}$", out, re.MULTILINE), line


async def test_s36_nothing_is_so_long_that_the_terminal_breaks_it(file: str, capsys: Printed) -> None:
    long = "x " * 60 + "APPROVED by boss " * 20
    rule = Rule(Stage.CALL, lambda check: Ask(long, ("mia", "ann" * 40)))
    agent = payer([], ModelReply(long, calls=(call("pay", invoice=long, amount="1"),)), policies=(rule,))
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, long)
        approval = await question(run)
        await command("approvals", file)

    printed = capsys.readouterr().out.splitlines()
    printed += request(attrs.evolve(approval, origins={"$.invoice": long, long: "mail"}), 0.0)
    assert [line for line in printed if len(line) > 100 and not line.startswith("  choragus ")] == []
    assert not any(line.lstrip().startswith("APPROVED") for line in printed)


async def test_a_ceiling_is_no_call_that_runs() -> None:
    arguments: dict[str, object] = {"steps": 60}
    one = Approval(
        id="1", run="r", call="ceiling-1", tool="raise_limit", arguments=arguments, hash="h", asked=0.0, kind="ceiling"
    )

    lines = request(one, 0.0)

    assert lines[0].startswith("1  raise_limit: the run is at a ceiling, may it have more? Asked ")
    assert "  approve: the ceiling is raised to this, and the run goes on" in lines


async def test_origins_are_shown_beside_the_arguments() -> None:
    one = Approval(
        id="1",
        run="r",
        call="1.1",
        tool="pay",
        arguments={"to": "x"},
        hash="h",
        asked=0.0,
        origins={"$.to": "read_mail\n(untrusted)"},
    )

    lines = request(one, 0.0)

    assert lines[lines.index('  | "to": "x"') + 1] == r"  from: $.to: read_mail\n(untrusted)"


async def test_arguments_may_be_set_on_approval(file: str, capsys: Printed) -> None:
    paid: Paid = []
    agent = payer(paid)
    async with Runtime(file, agents=[agent]) as runtime:
        run, approval = await _start(runtime, agent)

        bad = await command("approve", file, approval.id, "--by", "mia", "--set", "amount=much")
        code = await command("approve", file, approval.id, "--by", "mia", "--set", "amount=120.00")

        await run.result(5)
        (decided,) = await data(run, "approval.decided")
        await command("show", file, run.id)
    printed = capsys.readouterr()
    assert (bad, code, paid) == (Exit.USAGE, Exit.OK, [("A-17", Decimal("120.00"))])
    assert "choragus: bad arguments for tool 'pay'" in printed.err
    assert (decided["seen"], decided["identity"]) == (
        "terminal-1",
        {"method": "command line", "login": decided["identity"]["login"]},  # type: ignore[index]  # it is a dictionary
    )
    assert 'approved   by mia, with {"invoice": "A-17", "amount": "120.00"}' in printed.out


async def test_a_setting_without_a_value_is_refused(file: str, capsys: Printed) -> None:
    agent = payer([])
    async with Runtime(file, agents=[agent]) as runtime:
        _, approval = await _start(runtime, agent)

        assert await command("approve", file, approval.id, "--set", "amount") == Exit.USAGE

    assert "--set 'amount' changes nothing: write --set NAME=VALUE" in capsys.readouterr().err


async def test_a_question_is_answered(file: str, capsys: Printed) -> None:
    agent = asker("W1", "W2")
    async with Runtime(file, agents=[agent]) as runtime:
        run, approval = await _start(runtime, agent)
        await command("approvals", file)
        listed = capsys.readouterr().out

        wrong = await command("answer", file, approval.id, "W3", "--by", "mia")
        right = await command("answer", file, approval.id, "W2", "--by", "mia")

        assert await run.result(5) == '"W2"'
        await command("show", file, run.id)
    printed = capsys.readouterr()
    assert (wrong, right) == (Exit.USAGE, Exit.OK)
    assert "'W3' is none of the options 'W1', 'W2'" in printed.err
    assert "answered by mia: the model reads it" in printed.out
    assert re.search(r"1\.1    answered   by mia: W2", printed.out)
    assert '  its options:\n  | "W1"\n  | "W2"\n' in listed
    assert re.search(rf"^  choragus answer \S+ {approval.id} TEXT --seen \w+$", listed, re.MULTILINE)


async def test_only_a_question_is_answered(file: str, capsys: Printed) -> None:
    agent = payer([])
    async with Runtime(file, agents=[agent]) as runtime:
        _, approval = await _start(runtime, agent)

        assert await command("answer", file, approval.id, "yes", "--by", "mia") == Exit.USAGE

    assert "asks for a decision, not for an answer" in capsys.readouterr().err


async def test_a_visitor_hears_who_may_decide_and_how_many_are_missing(file: str, capsys: Printed) -> None:
    agent = payer([], approvals=Approvals(chain=[("ann", "bob")], quorum=2))
    async with Runtime(file, agents=[agent]) as runtime:
        run, approval = await _start(runtime, agent)

        stranger = await command("approve", file, approval.id, "--by", "mia")
        first = await command("approve", file, approval.id, "--by", "ann")
        await command("approvals", file)
        second = await command("approve", file, approval.id, "--by", "bob")

        await run.result(5)
        await command("show", file, run.id)
    printed = capsys.readouterr()
    assert (stranger, first, second) == (Exit.USAGE, Exit.OK, Exit.OK)
    assert "'mia' may not decide about call 1.1: it is put to ann, bob" in printed.err
    assert "approved by ann: 1 more needed\n" in printed.out
    assert "  put to: ann, bob; 2 have to approve; so far: ann\n" in printed.out
    assert re.search(r"1\.1    counted    1 of 2, by ann", printed.out)


async def test_approvals_are_given_to_programs_as_json(file: str, capsys: Printed) -> None:
    said = ModelReply(calls=(call("pay", invoice=PADDED, amount="1"),))
    agent = payer([], said)
    async with Runtime(file, agents=[agent]) as runtime:
        run, approval = await _start(runtime, agent)

        await command("approvals", file, "--json")

    out = capsys.readouterr().out
    (line,) = out.splitlines()
    told = json.loads(line)
    assert out.isascii()
    assert (told["arguments"]["invoice"], told["run"], told["hash"]) == (PADDED, run.id, approval.hash)
    assert set(told["answers"]) == {"approve", "deny"}


async def test_a_text_at_a_checkpoint_is_shown_and_passed(file: str, capsys: Printed) -> None:
    agent = payer([], "All is\x1b[2Jpaid.", checkpoints=(BeforeAnswer(),))
    async with Runtime(file, agents=[agent]) as runtime:
        run, approval = await _start(runtime, agent)
        await command("approvals", file)
        listed = capsys.readouterr().out

        await command("approve", file, approval.id, "--by", "mia")

        await run.result(5)
    decided = capsys.readouterr().out
    assert "output-1: may the run go on with this text? Asked" in listed
    assert "  the text:\n  | All is\\u001b[2Jpaid.\n  approve: the run goes on with exactly this text" in listed
    assert decided.endswith(": checkpoint\n  | All is\\u001b[2Jpaid.\napproved by mia: the run goes on\n")
