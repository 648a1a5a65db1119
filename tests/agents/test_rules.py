"""Standing rules: exact arguments, an author, an end, and a count that holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.approver import Approvals
from choragus.agents.cli.exit import Exit
from choragus.agents.errors import AgentError
from choragus.agents.policy import Ask, Deny, Escalate, Policy, Stage
from choragus.agents.rulebook import MAIN, RULEBOOK, AddRule
from choragus.agents.rulebook import Rule as Standing
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.turn import Envelope

from .cli_clerk import command
from .people_play import question
from .play import Ledger, Mortal, Rule, call, calls, data, kinds, live, soon, tools

Printed = pytest.CaptureFixture[str]


def _payer(
    ledger: Ledger, *amounts: int, policies: tuple[Policy, ...] = (), approvals: Approvals | None = None
) -> Agent:
    """An agent that pays these amounts, one after the other."""
    lines = [calls(call("pay", str(number), amount=amount)) for number, amount in enumerate(amounts)]
    return Agent(
        "clerk",
        model=ScriptedModel([*lines, "done"]),
        tools=tools(ledger),
        policies=policies,
        approvals=approvals or Approvals(),
    )


@simulated(seeds=range(1))
async def test_a_rule_lets_the_same_call_run_and_no_other() -> None:
    ledger = Ledger()
    agent = _payer(ledger, 5, 6)
    async with Runtime(agents=[agent]) as runtime:
        rule = await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=9)
        run = await runtime.start(agent, "Go.")

        approval = await question(run)

        assert (approval.arguments, ledger.calls()) == ({"amount": 6}, ["1.1"])
        (ruled,) = await data(run, "approval.ruled")
        (left,) = await runtime.rules.all()
    assert (ruled["rule"], ruled["by"], ruled["left"]) == (rule.id, "mia", 8)
    assert (left.uses, left.arguments) == (8, {"amount": 5})


@simulated(seeds=range(1))
async def test_a_rule_is_used_no_oftener_than_it_says() -> None:
    ledger = Ledger()
    agents = [_payer(ledger, 5, 5, 5)]
    async with Runtime(agents=agents) as runtime:
        await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=2)
        run = await runtime.start(agents[0], "Go.")

        approval = await question(run)

        assert (approval.call, await runtime.rules.all()) == ("3.1", [])
    assert ledger.calls() == ["1.1", "2.1"]


@simulated(seeds=range(3))
async def test_runs_that_ask_at_once_share_the_uses() -> None:
    ledger = Ledger()
    agent = _payer(ledger, 5)
    async with Runtime(agents=[agent]) as runtime:
        await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=3)
        runs = [await runtime.start(agent, "Go.") for _ in range(8)]

        async def settled() -> bool:
            return len(ledger.done) + len(await runtime.pending()) == len(runs)

        await soon(settled)

        assert (len(ledger.done), len(await runtime.pending())) == (3, 5)


@simulated(seeds=range(1))
async def test_a_rule_expires_and_is_revoked() -> None:
    agent = _payer(Ledger(), 5)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        await runtime.rules.add("pay", {"amount": 5}, by="mia", expires=clock() + 2)
        other = await runtime.rules.add("pay", {"amount": 5}, by="ann", uses=1)
        await asyncio.sleep(2.5)
        assert [one.by for one in await runtime.rules.all()] == ["ann"]

        await runtime.rules.revoke(other.id, by="mia")
        with pytest.raises(AgentError, match=f"^there is no rule '{other.id}': see `choragus rules`$"):
            await runtime.rules.revoke(other.id, by="mia")

        run = await runtime.start(agent, "Go.")
        await question(run)
        assert "approval.ruled" not in await kinds(run)


@pytest.mark.parametrize(
    ("policy", "approvals"),
    [
        pytest.param(Rule(Stage.CALL, lambda check: Escalate("large")), Approvals(), id="escalated"),
        pytest.param(Rule(Stage.CALL, lambda check: Ask("", ("boss",))), Approvals(), id="put to others by a policy"),
        pytest.param(Rule(Stage.CALL, lambda check: None), Approvals(chain=["boss"]), id="put to others"),
        pytest.param(Rule(Stage.CALL, lambda check: None), Approvals(quorum=2), id="for two to decide"),
    ],
)
@simulated(seeds=range(1))
async def test_a_rule_is_no_word_on_what_its_author_may_not_decide(policy: Policy, approvals: Approvals) -> None:
    agent = _payer(Ledger(), 5, policies=(policy,), approvals=approvals)
    async with Runtime(agents=[agent]) as runtime:
        await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=1)
        run = await runtime.start(agent, "Go.")

        await question(run)

        assert len(await runtime.rules.all()) == 1


@simulated(seeds=range(1))
async def test_a_rule_allows_nothing_that_a_policy_denies() -> None:
    ledger = Ledger()
    agent = _payer(ledger, 5, policies=(Rule(Stage.CALL, lambda check: Deny("never")),))
    async with Runtime(agents=[agent]) as runtime:
        await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=1)
        run = await runtime.start(agent, "Go.")

        assert (await run.result(5), ledger.done) == ("done", [])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"by": " ", "uses": 1}, r"^by=' ' names nobody"),
        ({"by": "mia"}, r"a rule has an end$"),
        ({"by": "mia", "uses": 0}, r"^expires=None, uses=0: give"),
        ({"by": "mia", "expires": 5.0}, r"^expires=5.0 has passed already"),
        ({"by": "mia", "uses": 1, "agent": "x"}, r"^no agent 'x' has a tool 'pay'$"),
        ({"by": "mia", "uses": 1, "arguments": {"amount": "5"}}, r"^bad arguments for tool 'pay'"),
    ],
)
@simulated(seeds=range(1))
async def test_a_rule_that_makes_no_sense_is_refused(options: dict[str, object], why: str) -> None:
    given: Mapping[str, object] = {"arguments": {"amount": 5}, **options}
    async with Runtime(agents=[_payer(Ledger(), 5)]) as runtime:
        with pytest.raises(ValueError, match=why):
            await runtime.rules.add("pay", **given)  # type: ignore[arg-type]  # that is the point

        assert await runtime.rules.all() == []


def _life(store: Mortal, ledger: Ledger) -> tuple[int, list[int | None]] | None:
    """Two runs of three payments, by a rule for four: how many were paid, and what is left of the rule."""
    agent = _payer(ledger, 5, 5, 5)

    async def play(runtime: Runtime) -> tuple[int, list[int | None]]:
        if not ledger.done and not await runtime.store.views("rule"):
            await runtime.rules.add("pay", {"amount": 5}, by="mia", uses=4)
        for key in "ab":
            run = await runtime.start(agent, "Go.", key=key)
            while not (await run.status()).status.is_final and not await run.pending():
                for unknown in await run.unknown():
                    happened = "happened" if ledger.count(unknown.idempotency_key) else "not"
                    await run.settle(unknown.call, happened, by="me")
                await asyncio.sleep(0.002)
        left = [one.uses for one in await runtime.rules.all()]
        store.dies_at = 0
        return len(ledger.done), left

    return live(store, agent, play)


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_the_uses_of_a_rule_are_counted_exactly_whenever_the_process_dies(after: bool) -> None:
    store, ledger = Mortal(), Ledger()
    assert _life(store, ledger) == (4, [])
    total = store.commits

    for dies_at in range(2 + after, total + 1, 7):
        store, ledger = Mortal(), Ledger()
        store.dies_at, store.after = dies_at, after
        _life(store, ledger)
        store.revive()

        assert _life(store, ledger) == (4, []), f"died at {dies_at}"
        assert anyio.run(store.verify).problems == ()


async def test_the_command_line_makes_lists_and_revokes_rules(tmp_path: Path, capsys: Printed) -> None:
    file, ledger = str(tmp_path / "runs.db"), Ledger()
    agent = _payer(ledger, 5)
    async with Runtime(file, agents=[agent]) as runtime:
        first = await runtime.start(agent, "Go.")
        made = await command("approve", file, (await question(first)).id, "--by", "mia", "--always", "2")
        await first.result(5)

        second = await runtime.start(agent, "Go.")
        await second.result(5)
        await command("show", file, second.id)
        await command("rules", file)
        listed = capsys.readouterr().out
        (rule,) = await runtime.rules.all()
        revoked = await command("rules", file, "--revoke", rule.id[:4], "--by", "ann")
        await command("rules", file)

    assert (made, revoked, ledger.calls()) == (Exit.OK, Exit.OK, ["1.1", "1.1"])
    assert "the next 2 such calls run without a question" in listed
    assert f'1.1    allowed    pay {{"amount": 5}}  (rule {rule.id} of mia)' in listed
    assert f"{rule.id}  pay of agent clerk: runs without a question, says mia, 1 use left\n" in listed
    assert capsys.readouterr().out.endswith(f"is taken back by ann\nno standing rules in {file}\n")


async def test_the_command_line_makes_no_rule_of_nothing(tmp_path: Path, capsys: Printed) -> None:
    file = str(tmp_path / "runs.db")
    agent = _payer(Ledger(), 5)
    async with Runtime(file, agents=[agent]) as runtime:
        approval = await question(await runtime.start(agent, "Go."))

        assert await command("approve", file, approval.id, "--always", "-1") == Exit.USAGE

        assert len(await runtime.pending()) == 1
    assert "--always -1 makes no rule" in capsys.readouterr().err


@simulated(seeds=range(1))
async def test_only_people_make_rules() -> None:
    """Another actor's message comes from its address."""
    rule = Standing(id="r", tool="pay", arguments={"amount": 5}, by="mia", added=0.0, uses=9)
    async with Runtime(agents=[_payer(Ledger(), 5)]) as runtime:
        book = actor_id(RULEBOOK, MAIN)
        forged = Envelope(id="f", receiver=book, sender="an.actor/f", record=encode(AddRule(rule)), key="f")

        await runtime.store.append([forged])

        async def refused() -> list[object]:
            return [one.data["sender"] async for one in runtime.log(kind="rule.refused")]

        await soon(refused)
        assert await refused() == ["an.actor/f"]
        assert await runtime.rules.all() == []
