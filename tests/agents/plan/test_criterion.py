"""What proves a step done, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from choragus.agents.model import ChatMessage, ToolCall
from choragus.agents.plan.criterion import results_of, unmet
from choragus.agents.plan.planning import Planning, StepResult
from choragus.agents.plan.step import Done


@attrs.frozen
class Report:
    total: int
    lines: list[str]


def fails(outcome: str, results: Sequence[StepResult]) -> bool:
    raise KeyError("rate")


PLANNING = Planning(
    types={"report": Report},
    checks={"fails": fails, "never": lambda outcome, results: False, "odd": lambda outcome, results: 1},  # type: ignore[dict-item,return-value]  # what a careless user may write
)


@pytest.mark.parametrize(
    ("done", "outcome", "why"),
    [
        (Done.said(), "it rains", ""),
        (Done.said(), " \n", "nothing was said of how it came out"),
        (Done.fits("report"), '{"total": 5, "lines": ["a"]}', ""),
        (
            Done.fits("report"),
            '{"total": "5", "lines": []}',
            "what was said is no JSON of 'report': Expected `int`, got `str`",
        ),
        (Done.fits("report"), "it is 5", "what was said is no JSON of 'report'"),
        (Done.fits("report"), "[" * 100_000, "what was said is no JSON of 'report'"),
        (Done.fits("number"), "5.5", ""),
        (Done.fits("integer"), "5.5", "no JSON of 'integer'"),
        (Done.fits("gone"), "5", "there is no type 'gone' any more"),
        (Done.checked("never"), "5", "check 'never' says no"),
        (Done.checked("odd"), "5", "check 'odd' says no"),
        (Done.checked("fails"), "5", "check 'fails' failed with KeyError: 'rate'"),
        (Done.checked("gone"), "5", "there is no check 'gone' any more"),
    ],
)
def test_what_was_said_proves_a_step_done_or_not(done: Done, outcome: str, why: str) -> None:
    found = unmet(done, outcome, (), PLANNING)

    assert why in found
    assert bool(found) == bool(why)


def test_a_call_proves_nothing_of_what_somebody_else_has_done() -> None:
    assert unmet(Done.called("pay"), "paid by hand", (), PLANNING, by_model=False) == ""
    assert unmet(Done.called("pay"), "", (), PLANNING, by_model=False) == "nothing was said of how it came out"


def test_a_number_is_not_taken_for_a_text_of_it() -> None:
    made = (StepResult(tool="pay", arguments={"amount": "5"}, text="", is_error=False),)

    assert unmet(Done.called("pay", amount=5), "", made, PLANNING) == 'pay was not called with {"amount":5}'


def test_the_results_of_an_attempt_are_those_of_its_calls_without_the_runtimes_own() -> None:
    lines = [
        ChatMessage("assistant", "", (ToolCall("1", "pay", {"amount": 5}), ToolCall("2", "revise_plan", {}))),
        ChatMessage("tool", "paid", call_id="1", name="pay"),
        ChatMessage("tool", "revised", call_id="2", name="revise_plan"),
        ChatMessage("tool", "late", call_id="0", name="look", is_error=True),
    ]

    assert results_of(lines) == (
        StepResult(tool="pay", arguments={"amount": 5}, text="paid", is_error=False),
        StepResult(tool="look", arguments={}, text="late", is_error=True),
    )
