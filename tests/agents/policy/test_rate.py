"""How often a tool may be called within a time."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.rate import RatePolicy
from choragus.agents.policy.verdict import Deny, Escalate

from .checks import after, calling, did

POLICY = RatePolicy(calls=2, within=60, tools=("send_*",))


def test_a_call_too_many_is_told_how_long_to_wait() -> None:
    past = after(did("send_mail", at=100), did("send_fax", at=110))

    verdict = POLICY.judge(calling("send_mail", past=past, now=120))

    assert verdict == Deny("2 calls within 60 s, 2 are allowed: call again in 40 s")


def test_calls_too_long_ago_do_not_count() -> None:
    past = after(did("send_mail", at=59.9), did("send_fax", at=110))

    assert POLICY.judge(calling("send_mail", past=past, now=120)) is None


def test_a_call_that_still_runs_counts_and_a_refused_one_does_not() -> None:
    running = refused = did("send_mail", "", at=100)

    assert isinstance(POLICY.judge(calling("send_mail", past=after(running=[running, running]), now=120)), Deny)
    assert POLICY.judge(calling("send_mail", past=after(refused, running=[running]), now=120)) is None


def test_other_tools_neither_count_nor_are_stopped() -> None:
    past = after(did("send_mail", at=100), did("look", at=110), did("send_mail", at=115))

    assert POLICY.judge(calling("look", past=past, now=120)) is None
    assert POLICY.judge(calling("send_mail", past=after(*past.calls[:2]), now=120)) is None


def test_other_agents_are_not_stopped() -> None:
    past = after(did("look", at=1))

    assert RatePolicy(calls=1, within=9, agents=("broker",)).judge(calling(past=past, now=2)) is None


def test_a_call_too_many_may_be_escalated() -> None:
    policy = RatePolicy(calls=1, within=60, then="escalate")

    assert isinstance(policy.judge(calling(past=after(did("look", at=1)), now=2)), Escalate)


@pytest.mark.parametrize(
    "wrong", [{"calls": 0}, {"calls": 201}, {"calls": 1.5}, {"within": 0}, {"within": float("nan")}]
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(AgentFault, match=rf"^RatePolicy\({next(iter(wrong))}="):
        RatePolicy(**{"calls": 1, "within": 1, **wrong})  # type: ignore[arg-type]  # that is the point
