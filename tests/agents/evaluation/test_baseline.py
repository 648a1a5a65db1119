"""An evaluation is held against an earlier one by a rule, and what is different can be read."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from choragus.agents.errors import EvaluationFault
from choragus.agents.evaluation import Baseline, Report, Rule, Score, Trial, compare, printed

IDENTITY: dict[str, object] = {"model": "small", "prompt": "0a", "limits": {"steps": 50}}


FINE = {f"fine {n}": (3, 3) for n in range(9)}


def report(
    passed: dict[str, tuple[int, int]],
    manifest: str = "m1",
    digest: str = "d1",
    identity: dict[str, object] = IDENTITY,
    at_least: float | None = None,
) -> Report:
    """A report with so many passes of so many trials of each case."""
    trials = [
        Trial(case=name, repeat=n, run=f"{name}{n}", status="completed", cost_usd=0.1, scores=(_score(n <= passes),))
        for name, (passes, repeats) in passed.items()
        for n in range(1, repeats + 1)
    ]
    return Report(
        id="aa-1",
        dataset="cases.jsonl",
        digest=digest,
        agent="clerk",
        manifest=manifest,
        identity=identity,
        cases=tuple(passed),
        repeats=max(repeats for _, repeats in passed.values()),
        scorers=("exact",),
        started=1.0,
        ended=2.0,
        trials=tuple(trials),
        at_least=at_least,
    )


def _score(passed: bool | None) -> Score:
    return Score(name="exact", passed=passed, value=None if passed is None else float(passed), error=passed is None)


def held(before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]], rule: Rule | None = None) -> Report:
    """The report of now against that of before."""
    return compare(report(now), Baseline.of(report(before)), rule or Rule())


@pytest.mark.parametrize(
    ("before", "now", "rule", "regressions"),
    [
        ({"a": (3, 3), "b": (3, 3)}, {"a": (3, 3), "b": (3, 3)}, Rule(), []),
        ({**FINE, "b": (3, 3)}, {**FINE, "b": (0, 3)}, Rule(), ["case b: 0 of 3 passed, 3 of 3 before"]),
        ({"a": (3, 3), "b": (3, 3)}, {"a": (3, 3), "b": (1, 3)}, Rule(), []),
        ({"a": (3, 3), "b": (3, 3)}, {"a": (3, 3), "b": (1, 3)}, Rule(any_worse=True), ["case b: 1 of 3 passed"]),
        ({"a": (1, 1)}, {"a": (0, 1)}, Rule(), []),
        ({"a": (1, 1)}, {"a": (0, 1)}, Rule(any_worse=True), ["case a: 0 of 1 passed, 1 of 1 before"]),
        ({"a": (3, 3)}, {"a": (0, 3)}, Rule(case_level=0.0, tolerance=0.99), []),
        ({"a": (18, 20)}, {"a": (9, 20)}, Rule(case_level=0.0), ["the pass rate fell from 90.0% to 45.0%: by 16"]),
        ({"a": (18, 20)}, {"a": (9, 20)}, Rule(case_level=0.0, tolerance=0.3), []),
        ({"a": (9, 20)}, {"a": (18, 20)}, Rule(any_worse=True), []),
        ({"a": (3, 3), "gone": (3, 3)}, {"a": (3, 3), "new": (0, 3)}, Rule(any_worse=True), []),
    ],
)
def test_the_rule_says_what_is_a_regression(
    before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]], rule: Rule, regressions: list[str]
) -> None:
    found = held(before, now, rule)

    assert len(found.regressions) == len(regressions)
    assert all(one.startswith(wanted) for one, wanted in zip(found.regressions, regressions, strict=True))
    assert found.passed is (not regressions)


def test_a_run_that_costs_more_is_one_where_that_is_asked_for() -> None:
    before = Baseline.of(report({"a": (3, 3)}))
    dear = report({"a": (3, 3)})
    dear = attrs.evolve(dear, trials=tuple(attrs.evolve(one, cost_usd=0.15) for one in dear.trials))

    assert compare(dear, before, Rule()).regressions == ()
    assert compare(dear, before, Rule(cost=0.2)).regressions[0].startswith("a run costs 0.150000 dollars")
    assert compare(dear, before, Rule(cost=0.6)).regressions == ()


def test_what_is_different_is_told() -> None:
    before = Baseline.of(report({"a": (3, 3), "b": (1, 3), "gone": (3, 3)}))
    identity: dict[str, object] = {"model": "large", "prompt": "0a", "limits": {"steps": 9}}
    now = report({"a": (2, 3), "b": (2, 3), "new": (3, 3)}, manifest="m2", identity=identity, digest="d2")

    found = compare(now, before, Rule())

    assert found.differences == (
        "limits.steps: 50 before, 9 now",
        'model: "small" before, "large" now',
        "the cases or their scorers are not those of before (d1, d2)",
        "case a is worse: 2 of 3 passed, 3 of 3 before",
        "case b is better: 2 of 3 passed, 1 of 3 before",
        "case new is new: 3 of 3 passed",
        "case gone is gone",
    )
    assert 'model: "small" before, "large" now' in printed(found)


def test_whatever_is_different_stays_within_80_columns() -> None:
    long = "a case with a name that goes on and on, " * 4
    before = Baseline.of(report({long: (3, 3)}, identity={"prompt": "a" * 300}))

    found = compare(report({long: (0, 3)}, manifest="m2" * 40, identity={"prompt": "b\x1b" * 300}), before, Rule())

    text = printed(found)
    assert found.regressions
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_a_baseline_is_a_file_and_of_one_report_always_the_same(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    baseline = Baseline.of(report({"b": (3, 3), "a": (1, 3)}))

    baseline.save(path)
    first = path.read_bytes()
    baseline.save(path)

    assert Baseline.load(path) == baseline
    assert path.read_bytes() == first
    assert [one.name for one in tmp_path.iterdir()] == ["base.json"]


@pytest.mark.parametrize("passed", [False, True])
def test_what_was_not_run_or_not_judged_to_its_end_is_no_baseline(passed: bool) -> None:
    whole = report({"a": (3, 3)})
    trials = whole.trials[:2] if passed else (*whole.trials[:2], attrs.evolve(whole.trials[2], scores=(_score(None),)))

    with pytest.raises(EvaluationFault, match="is no baseline"):
        Baseline.of(attrs.evolve(whole, trials=trials))


@pytest.mark.parametrize(
    ("text", "told"),
    [("{}", "is no baseline"), ("[", "is no baseline"), ('{"choragus_baseline": 2}', "is no baseline")],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "b.json").write_text(text, encoding="utf-8")

    with pytest.raises(EvaluationFault, match=told):
        Baseline.load(tmp_path / "b.json")


def test_a_baseline_with_more_passes_than_trials_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    Baseline.of(report({"a": (1, 3)})).save(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"passed": 1', '"passed": 4'), encoding="utf-8")

    with pytest.raises(EvaluationFault, match="is no baseline: passed=4 of judged=3"):
        Baseline.load(path)


def test_what_has_not_passed_is_no_baseline() -> None:
    with pytest.raises(EvaluationFault, match="is no baseline, for it has not passed"):
        Baseline.of(report({"a": (1, 3)}, at_least=0.9))


def test_a_baseline_of_other_cases_is_refused() -> None:
    with pytest.raises(EvaluationFault, match="has no case in common"):
        held({"a": (3, 3)}, {"b": (3, 3)})


@pytest.mark.parametrize(
    ("at_least", "passed", "verdict"),
    [(None, None, "nothing was demanded"), (0.5, True, "passed"), (0.9, False, "not passed: 66.7% of the trials")],
)
def test_a_share_can_be_demanded(at_least: float | None, passed: bool | None, verdict: str) -> None:
    found = report({"a": (2, 3)}, at_least=at_least)

    assert found.passed is passed
    assert printed(found).splitlines()[-1].startswith(verdict)


def test_trials_that_are_missing_leave_it_undecided() -> None:
    found = report({"a": (3, 3)}, at_least=0.5)

    found = attrs.evolve(found, trials=found.trials[:2], stopped="its time was used up")

    assert found.passed is None
    assert "stopped, 1 trials were not run: its time was used up" in printed(found)
