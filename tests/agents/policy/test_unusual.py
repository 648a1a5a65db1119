"""Policies on unexpected behaviour and on leaving the plan."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.norms import Figures, Norms
from choragus.agents.policy.unusual import (
    NewToolPolicy,
    PlanPolicy,
    UnusualArgumentsPolicy,
    UnusualSpendingPolicy,
    unexpected,
)
from choragus.agents.policy.verdict import Ask, Deny, Escalate, Verdict
from choragus.agents.spending import Spent

from .checks import after, calling, did


def norms() -> Norms:
    """Twelve runs of five steps, each of which booked a table for two."""
    found, figures = Norms(), Figures()
    figures.note("book", {"seats": 2})
    for _ in range(12):
        found = found.learn(figures, steps=5, cost_usd=0.1)
    return found


def test_a_new_tool_that_changes_something_is_asked_about() -> None:
    verdict = NewToolPolicy().judge(calling("wipe", risk="reversible", norms=norms()))

    assert verdict == Ask("unusual: wipe was not used in any of 12 runs of this version")
    assert NewToolPolicy().judge(calling("look", risk="read", norms=norms())) is None
    assert NewToolPolicy(risks=("read",), then="deny").judge(calling("look", norms=norms())) is not None


def test_unusual_arguments_are_asked_about() -> None:
    policy = UnusualArgumentsPolicy()

    assert policy.judge(calling("book", risk="reversible", norms=norms(), seats=2)) is None
    assert policy.judge(calling("book", risk="reversible", norms=norms(), seats=400)) == Ask(
        "unusual: $.seats is 400; 12 runs had 2 to 2"
    )


def test_unusual_spending_is_escalated_once() -> None:
    policy = UnusualSpendingPolicy()
    first = policy.judge(calling(norms=norms(), step=40))
    again = policy.judge(calling(norms=norms(), step=41, past=after(objections={policy.name: 1})))
    dear = policy.judge(calling(norms=norms(), step=5, spent=Spent(cost_usd=3.0)))

    assert isinstance(first, Escalate)
    assert again is None
    assert isinstance(dear, Escalate)


@pytest.mark.parametrize("policy", unexpected(), ids=lambda policy: policy.name)
def test_without_norms_or_a_plan_there_is_no_opinion(policy: NewToolPolicy) -> None:
    assert policy.judge(calling("wipe", risk="irreversible", step=10**6)) is None
    assert policy.judge(calling("wipe", risk="irreversible", step=10**6, norms=Norms())) is None


def planned(tool: str, *past: str, risk: str = "reversible") -> Verdict | None:
    """A call after these, by the plan find, book, book, pay."""
    check = calling(tool, risk=risk, past=after(*map(did, past)))
    return PlanPolicy(order=["find", "book", "pay"], then="deny").judge(check)


def test_calls_in_the_order_of_the_plan_keep_to_it() -> None:
    assert planned("find") is None
    assert planned("find", "find") is None
    assert planned("book", "find", "look") is None
    assert planned("pay", "find", "book", "book") is None
    assert planned("pay") is None


def test_a_call_out_of_turn_or_outside_leaves_the_plan() -> None:
    assert planned("find", "find", "book") == Deny(
        "find leaves the plan: its turn is over; what is left of it: book, pay"
    )
    assert planned("wipe", "find") == Deny(
        "wipe leaves the plan: the plan does not have it; what is left of it: find, book, pay"
    )
    assert planned("look", "find", risk="read") is None


def test_a_policy_with_an_order_needs_no_plan_of_the_run() -> None:
    policy = PlanPolicy(order=["find", "book"], then="deny")

    assert policy.judge(calling("book", risk="reversible", past=after(did("find")))) is None
    assert isinstance(policy.judge(calling("pay", risk="irreversible")), Deny)
    assert policy.version != PlanPolicy(then="deny").version


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(AgentFault, match=r"^PlanPolicy\(order='find'\) names no tools: give a list of names"):
        PlanPolicy(order="find")
    with pytest.raises(AgentFault, match=r"^NewToolPolicy\(least=1\) must be a whole number of runs, 2 or more"):
        NewToolPolicy(least=1)
