"""PlanPolicy without an order of its own: a call is held against the run's own plan."""

from __future__ import annotations

import pytest
from tests.agents.plan_play import by_call, given, planner, proposes
from tests.agents.play import Ledger, call, calls, data

from choragus.agents.plan.planning import Planning
from choragus.agents.policy.chain import Chain
from choragus.agents.policy.check import Check, Planned, Stage
from choragus.agents.policy.unusual import PlanPolicy, unexpected
from choragus.agents.policy.verdict import Deny
from choragus.agents.runtime import Runtime

NAMED = {"book": ("b",), "pay": ("c", "d")}


@pytest.mark.parametrize(
    ("tool", "risk", "tools", "why"),
    [
        ("book", "reversible", ("book",), ""),
        ("pay", "irreversible", ("book",), "pay leaves the plan: step a has book"),
        ("pay", "irreversible", None, "pay leaves the plan: step a is in hand, and step c has pay"),
        ("fly", "irreversible", None, "fly leaves the plan: no step of what is left of it has fly"),
        ("look", "read", ("book",), ""),
    ],
)
def test_a_call_leaves_the_plan_whose_tool_is_another_steps(
    tool: str, risk: str, tools: tuple[str, ...] | None, why: str
) -> None:
    check = Check(
        stage=Stage.CALL, run="r", agent="a", tool=tool, risk=risk, planned=Planned(step="a", tools=tools, named=NAMED)
    )

    verdict = PlanPolicy(then="deny").judge(check)

    assert (verdict.reason if verdict is not None else "") == why


def test_a_run_without_a_plan_or_with_one_that_names_no_tools_leaves_nothing() -> None:
    check = Check(stage=Stage.CALL, run="r", agent="a", tool="pay", risk="irreversible")

    assert PlanPolicy().judge(check) is None
    nameless = Check(
        stage=Stage.CALL, run="r", agent="a", tool="pay", risk="irreversible", planned=Planned(step="a", tools=None)
    )
    assert PlanPolicy().judge(nameless) is None


def test_only_a_policy_without_an_order_wants_the_plan() -> None:
    assert Chain(tuple(unexpected())).wants_plan
    assert not Chain((PlanPolicy(order=["pay"]),)).wants_plan


async def test_the_guardrail_judges_by_the_plan_of_the_run() -> None:
    ledger = Ledger()
    early = calls(call("book", what="room"), call("reserve", what="room"), call("look", at="sky"))
    script = {"a": (early, "looked"), "b": (calls(call("book", "again", what="room")), "booked")}
    plan = proposes(given("a"), given("b", "a", done=by_call("book")))
    agent = planner(script, plan, ledger=ledger, policies=[PlanPolicy(then="deny")], planning=Planning())
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"

        denied = [(one["tool"], one["reason"]) for one in await data(run, "call.judged") if one["verdict"] == "deny"]
        assert denied == [
            ("book", "book leaves the plan: step a is in hand, and step b has book"),
            ("reserve", "reserve leaves the plan: no step of what is left of it has reserve"),
        ]
        assert isinstance(PlanPolicy(then="deny").judge(_reserve()), Deny)


def _reserve() -> Check:
    planned = Planned(step="a", tools=None, named=NAMED)
    return Check(stage=Stage.CALL, run="r", agent="a", tool="reserve", risk="reversible", planned=planned)
