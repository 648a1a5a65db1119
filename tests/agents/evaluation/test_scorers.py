"""Each scorer says what it says of answers and of what runs did."""

from __future__ import annotations

import pytest

from choragus.agents.ended import EndedRun, MadeCall
from choragus.agents.errors import EvaluationFault
from choragus.agents.evaluation import AtMost, Case, Contains, Exact, Matches, Predicate, Schema, Score, Trajectory
from choragus.agents.evaluation.scorer import Scorer, as_scorers


def ended(answer: str = "", *tools: str, status: str = "completed") -> EndedRun:
    """A run with that answer that called these tools."""
    calls = tuple(MadeCall(tool=one, arguments={"at": n}) for n, one in enumerate(tools))
    return EndedRun(run="5f", agent="a", goal="g", answer=answer, calls=calls, status=status, steps=3, cost_usd=0.5)


def case(expected: object = None, *targets: str, trajectory: tuple[str, ...] | None = None) -> Case:
    """A case that expects this."""
    return Case(name="c", inputs="x", expected_output=expected, targets=targets, trajectory=trajectory)


@pytest.mark.parametrize(
    ("scorer", "expected", "answer", "passed"),
    [
        (Exact(), "Paris", " Paris\n", True),
        (Exact(), "Paris", "paris", False),
        (Exact(ignore_case=True), "Paris", "paris", True),
        (Exact(), {"a": [1, 2]}, '```json\n{"a": [1, 2]}\n```', True),
        (Exact(), {"a": [1, 2]}, '{"a": [2, 1]}', False),
        (Exact(), 4, "4.0", True),
        (Exact(), True, "1", False),
        (Exact(), 4, "four", False),
        (Exact(value="x"), "Paris", "x", True),
        (Contains(), "Paris", "It is Paris.", True),
        (Contains("ROME", ignore_case=True), "Paris", "It is Rome.", True),
        (Contains(), "Paris", "It is Rome.", False),
        (Matches(r"^\d+$"), None, "12", True),
        (Matches(r"^\d+$"), None, "twelve", False),
        (Schema(list[int]), None, "[1]", True),
        (Schema(list[int]), None, '["1"]', False),
        (AtMost(steps=3, cost_usd=0.5), None, "", True),
        (AtMost(steps=2), None, "", False),
    ],
)
def test_a_scorer_looks_at_the_answer(scorer: Scorer, expected: object, answer: str, passed: bool) -> None:
    said = scorer.score(case(expected), ended(answer))

    assert said is not None
    assert (said.passed, said.value, bool(said.reason)) == (passed, float(passed), not passed)


def test_any_of_several_targets_will_do() -> None:
    both = case(None, "two", "2")

    assert [Exact().score(both, ended(one)).passed for one in ("2", "two", "3")] == [True, True, False]  # type: ignore[union-attr]  # it says something


@pytest.mark.parametrize("scorer", [Exact(), Contains(), Trajectory()])
def test_where_nothing_is_expected_nothing_is_said(scorer: Scorer) -> None:
    assert scorer.score(case(), ended("x")) is None


@pytest.mark.parametrize(
    ("scorer", "tools", "reason"),
    [
        (Trajectory(["look", "pay"]), ("look", "wait", "pay"), ""),
        (Trajectory(["look", "pay"]), ("pay", "look"), "it called pay, look, and not look, pay (subsequence)"),
        (Trajectory(["look", "pay"], order="exact"), ("look", "wait", "pay"), "it called look, wait, pay, and not"),
        (Trajectory(["look", "pay"], order="exact"), ("look", "pay"), ""),
        (Trajectory(["look", "pay"], order="set"), ("pay", "wait", "look"), ""),
        (Trajectory(["look", "pay"], order="set"), ("pay",), "it called pay, and not look, pay (set)"),
        (Trajectory([], order="exact"), ("pay",), "it called pay, and not no tool"),
        (Trajectory((), forbidden=["pay"]), ("look", "pay"), "it asked for pay, which is forbidden"),
        (Trajectory((), arguments={"pay": {"at": 1}}), ("look", "pay"), ""),
        (
            Trajectory((), arguments={"pay": {"at": 7}}),
            ("look", "pay"),
            "no call of pay had {'at': 7}: one had {'at': 1}",
        ),
        (Trajectory(), ("look",), "it called look, and not book (subsequence)"),
    ],
)
def test_a_trajectory_is_which_tools_in_which_order(scorer: Trajectory, tools: tuple[str, ...], reason: str) -> None:
    said = scorer.score(case(trajectory=("book",)), ended("", *tools))

    assert said is not None
    assert said.passed is (reason == "")
    assert said.reason.startswith(reason)


def test_a_refused_call_is_none_of_the_trajectory_and_yet_forbidden() -> None:
    refused = EndedRun(run="5f", agent="a", goal="g", calls=(MadeCall(tool="pay", ran=False),))

    assert refused.tools == ()
    assert Trajectory(["pay"]).score(case(), refused).passed is False  # type: ignore[union-attr]  # it says something
    assert Trajectory(forbidden=["pay"]).score(case(), refused).passed is False  # type: ignore[union-attr]  # the same


def half(run: EndedRun) -> float:
    """A number."""
    return 0.5


def told(case: Case, run: EndedRun) -> Score | None:
    """A score, or nothing."""
    return Score(name="told", passed=True, value=1.0) if case.expected_output else None


def test_a_function_is_a_scorer() -> None:
    scorers = as_scorers([half, told, Predicate(half, name="enough", at_least=0.4)])

    said = [one.score(case("x"), ended("x")) for one in scorers]

    assert [(one.name, one.value, one.passed) for one in said if one] == [
        ("half", 0.5, False),
        ("told", 1.0, True),
        ("enough", 0.5, True),
    ]
    assert scorers[1].score(case(), ended("x")) is None


async def later(run: EndedRun) -> bool:
    """None."""
    return True


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("exact", "give a list of scorers"),
        ([Exact], "is no scorer"),
        ([later], "is no scorer"),
        ([lambda: True], "takes neither"),
        ([Exact(), Exact()], "several scorers are named 'exact'"),
        ([3], "is no scorer"),
    ],
)
def test_what_is_no_scorer_is_refused(given: object, reason: str) -> None:
    with pytest.raises(EvaluationFault, match=reason):
        as_scorers(given)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Matches("("), "is no regular expression"),
        (lambda: Trajectory("pay"), "is no list of names"),
        (lambda: Trajectory(order="any"), "give 'exact'"),  # type: ignore[arg-type]  # the subject
        (lambda: AtMost(), "limits nothing"),
    ],
)
def test_a_scorer_that_can_say_nothing_is_refused(make: object, reason: str) -> None:
    with pytest.raises(EvaluationFault, match=reason):
        make()  # type: ignore[operator]  # a function


def test_scores_have_the_names_that_telemetry_has_for_them() -> None:
    passed = Score(name="tone", passed=False, value=0.2, reason="rude")
    failed = Score(name="tone", passed=None, error=True, reason="gone")

    assert passed.fields() == {
        "gen_ai.evaluation.name": "tone",
        "gen_ai.evaluation.score.value": 0.2,
        "gen_ai.evaluation.score.label": "fail",
        "gen_ai.evaluation.explanation": "rude",
    }
    assert "gen_ai.evaluation.score.value" not in failed.fields()
    assert failed.fields()["error.type"] == "scorer"
