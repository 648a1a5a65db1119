"""The five figures by formula: against values computed by hand."""

from __future__ import annotations

import subprocess
import sys
from math import comb, gamma, pi, sqrt

import pytest

from choragus.agents.figures import Outcome, by_group, figures, mean, quantile, rate
from choragus.agents.figures.formula import student

RUNS = (
    Outcome("completed", cost_usd=0.10, seconds=10, waited=4, steps=2, tokens=100),
    Outcome("completed", cost_usd=0.20, seconds=20, questions=2, steps=4, tokens=300),
    Outcome("completed", succeeded=False, cost_usd=0.30, seconds=30, steps=6, tokens=200),
    Outcome("failed", cost_usd=0.60, seconds=1, questions=1),
    Outcome("limit", cost_usd=0.80, seconds=99),
    Outcome("denied"),
    Outcome("cancelled"),
    Outcome("waiting", cost_usd=9.0, questions=1),
    Outcome("running", cost_usd=9.0),
    Outcome("paused", cost_usd=9.0),
)


def test_each_figure_is_what_its_formula_says() -> None:
    """Seven have ended, two of them completed."""
    found = figures(RUNS)

    assert (found.runs, found.ended, found.open) == (10, 7, 3)
    assert found.completion[:3] == (2, 7, 2 / 7)
    assert found.errors[:3] == (2, 7, 2 / 7)
    assert found.escalation[:3] == (2, 7, 2 / 7)
    assert found.questions.value == pytest.approx(3 / 7)
    assert found.cost.value == pytest.approx(2.0 / 7)
    assert found.cost_per_completed == pytest.approx(1.0)
    assert (found.seconds.median.value, found.seconds.p90.value) == (10, 20)
    assert (found.active.median.value, found.waited.p99.value) == (6, 4)
    assert found.tokens.total == 600


def test_what_runs_ended_as_adds_up_to_all_of_them() -> None:
    found = figures(RUNS)

    assert found.ends == {"completed": 2, "unsuccessful": 1, "failed": 1, "limit": 1, "denied": 1, "cancelled": 1}
    assert sum(found.ends.values()) == found.ended


def test_having_ended_is_not_having_completed() -> None:
    missed, judged, plain = (Outcome("completed", succeeded=one) for one in (False, True, None))

    assert [one.completed for one in (missed, judged, plain)] == [False, True, True]
    assert [one.error for one in (missed, judged, plain)] == [False, False, False]


@pytest.mark.parametrize("runs", [(), (Outcome("running"), Outcome("waiting"))], ids=["none", "none that ended"])
def test_without_runs_there_is_no_figure_and_no_division(runs: tuple[Outcome, ...]) -> None:
    found = figures(runs)

    assert found.empty
    assert (found.completion.value, found.cost.value, found.cost_per_completed) == (None, None, None)
    assert found.seconds.median == (None, None, None)


def test_a_completed_run_has_no_cost_of_its_own_when_none_has_completed() -> None:
    assert figures([Outcome("failed", cost_usd=1.0)]).cost_per_completed is None


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_a_rate_has_the_interval_of_wilson(k: int, n: int, low: float, high: float) -> None:
    """81 of 263 is the example of Newcombe (1998), who gives 0.2553 to 0.3662."""
    found = rate(k, n)

    assert found[3:] == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_more_than_all_is_no_rate(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"^rate\("):
        rate(k, n)


def test_a_mean_has_the_interval_of_student() -> None:
    """Of 1 to 5 the deviation is 1.5811, t of 4 degrees 2.7764: 3 ± 1.9632."""
    found = mean([1, 2, 3, 4, 5])

    assert found[2:] == pytest.approx((3, 1.0368, 4.9632), abs=1e-4)


def test_the_interval_of_a_mean_needs_two_values_and_ends_at_nothing() -> None:
    assert mean([4.0])[2:] == (4.0, None, None)
    assert mean([0.0, 4.0]).low == 0.0
    low = mean([-1.0, 4.0]).low
    assert low is not None
    assert low < 0


@pytest.mark.parametrize("freedom", [1, 2, 7, 30, 31, 60, 500])
def test_students_percentile_leaves_a_fortieth_above_it(freedom: int) -> None:
    """By Simpson's rule over the density."""
    top, steps = student(freedom), 4000
    factor = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2)) if freedom < 300 else 1 / sqrt(2 * pi)
    density = [(1 + (i * top / steps) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps + 1)]
    area = density[0] + density[-1] + 4 * sum(density[1:-1:2]) + 2 * sum(density[2:-1:2])

    assert 0.5 + factor * area * top / steps / 3 == pytest.approx(0.975, abs=3e-4)


@pytest.mark.parametrize(
    ("n", "p", "expected"),
    [
        (1, 0.5, (1, None, None)),
        (5, 0.5, (3, None, None)),
        (6, 0.5, (3, 1, 6)),
        (10, 0.5, (5, 2, 9)),
        (100, 0.5, (50, 40, 61)),
        (35, 0.9, (32, 28, None)),
        (36, 0.9, (33, 29, 36)),
        (100, 0.99, (99, 97, None)),
    ],
)
def test_a_percentile_lies_between_values_that_were_seen(n: int, p: float, expected: tuple[float | None, ...]) -> None:
    assert quantile(range(1, n + 1), p) == expected


@pytest.mark.parametrize(("n", "p"), [(6, 0.5), (40, 0.9), (97, 0.5), (400, 0.99)])
def test_the_interval_of_a_percentile_holds_it_in_95_of_100_cases(n: int, p: float) -> None:
    """By the binomial distribution, summed up whole; one rank less on a side would leave more than 2.5 % there."""
    found = quantile(range(1, n + 1), p)
    assert found.low is not None
    assert found.high is not None
    low, high = int(found.low), int(found.high)

    def up_to(k: int) -> float:
        return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))

    assert up_to(low - 1) <= 0.025 < up_to(low)
    assert 1 - up_to(high - 1) <= 0.025 < 1 - up_to(high - 2)


def test_the_order_of_the_runs_changes_nothing() -> None:
    assert figures(RUNS) == figures(RUNS[::-1])


def test_groups_have_figures_of_their_own_in_the_order_of_their_names() -> None:
    found = by_group([("b", Outcome("completed")), ("a", Outcome("failed")), ("b", Outcome("failed"))])

    assert list(found) == ["a", "b"]
    assert (found["a"].completion.value, found["b"].completion.value) == (0.0, 0.5)


def test_figures_are_written_as_plain_values() -> None:
    told = figures(RUNS[:1]).as_dict()

    assert told["ended"] == 1
    assert told["completion"] == {"k": 1, "n": 1, "value": 1.0, "low": pytest.approx(0.2065, abs=1e-4), "high": 1.0}
    assert told["seconds"]["median"] == {"value": 10, "low": None, "high": None}  # type: ignore[index]  # as above


def test_the_formulas_are_light_to_import() -> None:
    asked = "import sys, choragus.agents.figures; print({'attrs', 'msgspec', 'anyio', 'asyncio'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
