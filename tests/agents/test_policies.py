"""The built-in policies and those of a configuration, in runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import Denied, Held
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.policy.chain import Policy
from choragus.agents.policy.config import load_policies
from choragus.agents.policy.loop import LoopPolicy
from choragus.agents.policy.rate import RatePolicy
from choragus.agents.policy.redaction import RedactionPolicy
from choragus.agents.policy.risk import RiskPolicy
from choragus.agents.policy.schema import OutputSchema
from choragus.agents.policy.unusual import NewToolPolicy, PlanPolicy, UnusualArgumentsPolicy, UnusualSpendingPolicy
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.tool import tool

from .play import Ledger, answering, call, calls, data, soon, tools


def clerk(*lines: str | ModelReply, policies: list[Policy], ledger: Ledger | None = None) -> Agent:
    """An agent that says these lines under these policies."""
    return Agent("clerk", model=ScriptedModel(lines), tools=tools(ledger or Ledger()), policies=policies)


@simulated(seeds=range(2))
async def test_a_loop_is_denied_then_asked_about_and_the_ruling_is_recorded() -> None:
    ledger, policy = Ledger(), LoopPolicy()
    agent = clerk(*[calls(call("look", at="sea"))] * 5, "done", policies=[policy], ledger=ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await soon(run.pending)
        (asked,) = await run.pending()
        await run.deny(asked, by="mia", reason="stop it")
        await run.result(5)
        judged = await data(run, "call.judged")

    assert len(ledger.done) == 3
    assert [one["verdict"] for one in judged] == ["allow", "allow", "allow", "deny", "wait"]
    assert (judged[3]["policy"], judged[3]["version"]) == ("loop", policy.version)
    assert str(judged[3]["reason"]).startswith("this call of look was made 3 times with the same")


@simulated(seeds=range(2))
async def test_polling_is_no_loop() -> None:
    seen: list[int] = []

    @tool(risk="read")
    async def status() -> int:
        """How far it is."""
        seen.append(1)
        return len(seen)

    model = ScriptedModel([*[calls(call("status"))] * 8, "done"])
    agent = Agent("clerk", model=model, tools=[status], policies=[LoopPolicy()])
    async with Runtime(agents=[agent]) as runtime:
        assert await (await runtime.start(agent, "Wait.")).result(5) == "done"

    assert len(seen) == 8


@simulated(seeds=range(2))
async def test_a_fan_out_stays_within_the_rate() -> None:
    ledger = Ledger()
    wide = calls(*(call("look", str(n), at=str(n)) for n in range(20)))
    agent = clerk(wide, wide, "done", policies=[RatePolicy(calls=5, within=3600)], ledger=ledger)
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Look.")).result(5)

    assert len(ledger.done) == 5


@simulated(seeds=range(2))
async def test_a_secret_in_a_result_is_not_shown_to_the_model() -> None:
    @tool(risk="read")
    async def config() -> str:
        """The configuration."""
        return "OPENAI_API_KEY=sk-" + "aB3dE6gH" * 5

    def model(request: ModelRequest) -> Answer:
        read = [line.text for line in request.messages if line.role == "tool"]
        return read[0] if read else calls(call("config"))

    agent = answering(model, tools=[config], policies=[RedactionPolicy()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Read.")
        answer = await run.result(5)
        finished, judged = await data(run, "call.finished"), await data(run, "text.judged")

    assert answer == '"OPENAI_API_KEY=[redacted:api-key]"'
    assert finished[0]["text"] == answer
    assert [(one["stage"], one["rewritten"]) for one in judged if one["rewritten"]] == [("result", ["redaction"])]


@simulated(seeds=range(2))
async def test_arguments_are_not_rewritten_by_redaction() -> None:
    ledger = Ledger()
    agent = clerk(calls(call("look", at="ada@example.org")), "done", policies=[RedactionPolicy()], ledger=ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result(5)
        (requested,) = await data(run, "call.requested")

    assert requested["arguments"] == {"at": "ada@example.org"}
    assert len(ledger.done) == 1


@simulated(seeds=range(2))
async def test_an_answer_of_a_wrong_shape_is_mended() -> None:
    def model(request: ModelRequest) -> Answer:
        return '{"sum": 5}' if "Expected `int`, got `str`" in request.messages[-1].text else '{"sum": "five"}'

    agent = answering(model, policies=[OutputSchema(dict[str, int])])
    async with Runtime(agents=[agent]) as runtime:
        assert await (await runtime.start(agent, "2 + 3")).result(5) == '{"sum": 5}'


@simulated(seeds=range(2))
async def test_an_answer_that_is_never_mended_ends_the_run() -> None:
    agent = clerk("five", "five!", "cinq", policies=[OutputSchema(dict[str, int], tries=2)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "2 + 3")

        with pytest.raises(Denied, match="the answer is not of its schema, 3 times now"):
            await run.result(5)


@simulated(seeds=range(2))
async def test_a_risk_class_can_be_configured_for_all_agents() -> None:
    agent = clerk(calls(call("book", what="a table")), "done", policies=[])
    async with Runtime(agents=[agent], policies=[RiskPolicy(reversible="ask")]) as runtime:
        run = await runtime.start(agent, "Book.")
        await soon(run.pending)
        await run.approve((await run.pending())[0], by="mia")

        assert await run.result(5) == "done"


RULES = """
[[rule]]
name = "small"
tools = ["pay"]
arguments.amount = { at_most = 100 }
verdict = "allow"
reason = "small"

[[rule]]
name = "large"
tools = ["pay"]
arguments.amount = { above = 1000 }
verdict = "{}"
reason = "large"
"""


@pytest.mark.parametrize("verdict", ["deny", "ask", "escalate", "end"])
@simulated(seeds=range(2))
async def test_rules_of_a_configuration_judge_and_are_recorded(verdict: str) -> None:
    ledger, policies = Ledger(), load_policies(RULES.replace("{}", verdict))
    agent = clerk(calls(call("pay", amount=50)), calls(call("pay", amount=5000)), "done", policies=[], ledger=ledger)
    async with Runtime(agents=[agent], policies=policies) as runtime:
        run = await runtime.start(agent, "Pay.")
        if verdict in ("ask", "escalate"):
            await soon(run.pending)
            await run.deny((await run.pending())[0], by="mia", reason="no")
        if verdict == "end":
            with pytest.raises(Denied, match="large"):
                await run.result(5)
        else:
            await run.result(5)
        judged = await data(run, "call.judged")

    said = "wait" if verdict in ("ask", "escalate") else "deny"
    assert [(one["verdict"], one["policy"]) for one in judged] == [("allow", "small"), (said, "large")]
    assert [one["version"] for one in judged] == [one.version for one in policies]
    assert len(ledger.done) == 1


async def test_a_run_is_held_when_a_rule_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    agent = clerk(calls(call("pay", amount=500)), "done", policies=[])
    async with Runtime(file, agents=[agent], policies=load_policies(RULES.replace("{}", "deny"))) as runtime:
        run = await runtime.start(agent, "Pay.")
        await soon(run.pending)

    async with Runtime(file, agents=[agent], policies=load_policies(RULES.replace("{}", "ask"))) as runtime:
        with pytest.raises(Held, match="has changed since it began"):
            await (await runtime.run(run.id)).result(1)
    async with Runtime(file, agents=[agent], policies=load_policies(RULES.replace("{}", "deny"))) as runtime:
        assert runtime.held == ()


POLICIES: list[Policy] = [NewToolPolicy(least=3), UnusualArgumentsPolicy(least=3), UnusualSpendingPolicy(least=3)]


def usual(*lines: ModelReply | str) -> Agent:
    """An agent under the policies on unusual behaviour; its model is no part of what it is known by."""
    spoken = iter(lines)
    return answering(lambda request: next(spoken), tools=tools(Ledger()), policies=POLICIES)


async def test_what_runs_do_is_learnt_and_the_unusual_is_asked_about_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    day = usual(*[calls(call("book", what=f"table {n % 2}")) if n % 2 == 0 else "done" for n in range(10)])
    async with Runtime(file, agents=[day]) as runtime:
        for _ in range(4):
            await (await runtime.start(day, "Book.")).result(5)
        assert await runtime.store.views("norms")

    strange = usual(calls(call("reserve", what="all"), call("book", what="x" * 5_000)), "done")
    async with Runtime(file, agents=[strange]) as runtime:
        run = await runtime.start(strange, "Book.")

        async def two() -> bool:
            return len(await run.pending()) == 2

        await soon(two)
        reasons = {str(one["policy"]): str(one["reason"]) for one in await data(run, "call.judged")}

    assert reasons["new-tool"] == "unusual: reserve was not used in any of 4 runs of this version"
    assert reasons["unusual-arguments"].startswith("unusual: $.what has a size of 5000; 4 runs had 7 to 7")


@simulated(seeds=range(2))
async def test_runs_at_the_same_time_are_all_learnt_from_and_failed_ones_are_not() -> None:
    def model(request: ModelRequest) -> Answer:
        if request.messages[0].text == "fail":
            raise RuntimeError("no")
        return "done" if request.messages[-1].role == "tool" else calls(call("book", what="a table"))

    agent = answering(model, tools=tools(Ledger()), policies=POLICIES)
    async with Runtime(agents=[agent]) as runtime:
        runs = [await runtime.start(agent, "Book." if n else "fail") for n in range(8)]
        for run in runs[1:]:
            await run.result(5)

        async def all_learnt() -> bool:
            rows = await runtime.store.views("norms")
            return [msgspec.json.decode(one.body or b"")["runs"] for one in rows] == [7]

        await soon(all_learnt)
        (row,) = await runtime.store.views("norms")

    norms = msgspec.json.decode(row.body or b"")
    assert (norms["tools"], norms["steps"]) == ({"book": 7}, [2.0] * 7)


@simulated(seeds=range(2))
async def test_without_such_a_policy_nothing_is_learnt() -> None:
    agent = clerk(calls(call("look", at="sea")), "done", policies=[])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result(5)

        assert await runtime.store.views("norms") == []


@simulated(seeds=range(2))
async def test_a_call_that_leaves_the_declared_order_does_not_run() -> None:
    ran: list[str] = []

    @tool(risk="reversible")
    async def find() -> str:
        """Find."""
        ran.append("find")
        return "found"

    @tool(risk="reversible")
    async def book() -> str:
        """Book."""
        ran.append("book")
        return "booked"

    model = ScriptedModel([*[calls(call(name)) for name in ("find", "book", "find")], "done"])
    policy = PlanPolicy(order=["find", "book"], then="deny")
    agent = Agent("clerk", model=model, tools=[find, book], policies=[policy])
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(5)

    assert ran == ["find", "book"]
