"""Circles of calls that bring no news, and what only looks like one."""

from __future__ import annotations

import random

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.check import PastCall
from choragus.agents.policy.loop import LoopPolicy
from choragus.agents.policy.verdict import Ask, Deny, End, Verdict

from .checks import after, calling, did

POLICY = LoopPolicy()


def judged(tool: str, *past: PastCall, policy: LoopPolicy = POLICY) -> Verdict | None:
    """The policy's word on one more call."""
    return policy.judge(calling(tool, past=after(*past)))


def circle(names: str, times: int) -> list[PastCall]:
    """The tools, each a letter, so many times over."""
    return [did(name) for name in names * times]


@pytest.mark.parametrize("names", ["a", "ab", "abc", "abcd", "aab", "abac"])
def test_a_circle_of_up_to_four_is_denied_before_its_fourth_round(names: str) -> None:
    assert judged(names[0], *circle(names, 2), *circle(names[:-1], 1)) is None
    assert isinstance(judged(names[0], *circle(names, 3)), Deny)


@pytest.mark.parametrize("names", ["a", "ab", "abcd"])
def test_a_circle_that_goes_on_after_the_warning_gets_the_configured_verdict(names: str) -> None:
    denied = did(names[0], "")

    verdict = judged((names * 2)[1], *circle(names, 3), denied)

    assert isinstance(verdict, Ask)
    assert verdict.reason.startswith("a loop: this ")


def test_there_may_be_more_warnings_or_none() -> None:
    past = [*circle("a", 3), did("a", "")]

    assert isinstance(judged("a", *past, policy=LoopPolicy(warnings=2, then="end")), Deny)
    assert isinstance(judged("a", *circle("a", 3), policy=LoopPolicy(warnings=0, then="end")), End)


def test_calls_that_are_refused_again_and_again_are_a_loop() -> None:
    refused = [did("pay", "") for _ in range(3)]

    assert isinstance(judged("pay", *refused), Deny)


def test_polling_whose_result_changes_is_no_loop() -> None:
    assert judged("status", *(did("status", f"{n} %") for n in range(50))) is None


def test_a_read_repeated_after_another_write_is_no_loop() -> None:
    past = [one for n in range(20) for one in (did("read"), did("write", "ok", arguments={"line": n}))]

    assert judged("read", *past) is None


def test_other_arguments_are_no_loop() -> None:
    assert judged("look", *(did("look", arguments={"page": n}) for n in range(50))) is None


def test_calls_at_the_same_time_are_no_loop() -> None:
    past = after(running=[did("look", "") for _ in range(50)])

    assert POLICY.judge(calling("look", past=past)) is None


def test_a_circle_with_a_poll_in_it_is_none() -> None:
    policy = LoopPolicy(polls=("wait*",))
    past = [one for _ in range(30) for one in (did("status"), did("wait_a_little"))]

    assert judged("status", *past, policy=policy) is None
    assert isinstance(judged("status", *past), Deny | Ask)


def test_varied_work_raises_no_alarm() -> None:
    """A hundred runs of 60 calls among five tools with four arguments each, results that depend on both."""
    chance, alarms = random.Random(7), 0

    for _ in range(100):
        past: list[PastCall] = []
        for _ in range(60):
            tool, page = chance.choice("abcde"), chance.randrange(4)
            check = calling(tool, past=after(*past[-8:]), page=page)
            alarms += POLICY.judge(check) is not None
            past.append(did(tool, f"{tool}{page}", arguments={"page": page}))

    assert alarms <= 4  # by chance the same call comes four times in a row: 6,000 / 20 ** 3 = 0.75


@pytest.mark.parametrize("wrong", [{"times": 1}, {"times": 21}, {"warnings": -1}, {"warnings": 0.5}])
def test_a_number_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(AgentFault, match=rf"^LoopPolicy\({next(iter(wrong))}="):
        LoopPolicy(**wrong)  # type: ignore[arg-type]  # that is the point
