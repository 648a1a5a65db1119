"""The estimators are what they say, held against counting all possibilities and against published examples."""

from __future__ import annotations

from itertools import combinations

import pytest

from choragus.agents.evaluation.baseline import CaseCount, difference, fallen
from choragus.agents.evaluation.estimate import over_cases, pass_all, pass_at
from choragus.agents.figures.formula import rate


@pytest.mark.parametrize("n", range(1, 7))
def test_they_average_over_all_sets_of_k_trials(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            drawn = list(combinations([1] * c + [0] * (n - c), k))
            assert pass_all(n, c, k) == pytest.approx(sum(all(one) for one in drawn) / len(drawn))
            assert pass_at(n, c, k) == pytest.approx(sum(any(one) for one in drawn) / len(drawn))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_what_cannot_be_drawn_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"n={n}, c={c}, k={k}"):
        pass_at(n, c, k)


def test_the_mean_over_cases_has_an_interval() -> None:
    whole = over_cases([(3, 3), (3, 0), (3, 3), (2, 2)], 3, every=True)
    part = over_cases([(3, 2), (3, 1), (3, 3)], 2, every=True)

    assert (whole.n, whole.value) == (3, 2 / 3)
    assert (whole.low, whole.high) == (rate(2, 3).low, rate(2, 3).high)
    assert part.value == pytest.approx((1 / 3 + 0 + 1) / 3)
    assert (part.low, part.high) == (0.0, 1.0)
    assert over_cases([], 1, every=True).value is None


def test_the_difference_is_that_of_newcombe() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 is 0.0524 to 0.3339, 9/10 - 3/10 is 0.1705 to 0.8090."""
    assert difference(rate(48, 80), rate(56, 70)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference(rate(3, 10), rate(9, 10)) == pytest.approx((0.6, 0.1705, 0.8090), abs=5e-5)
    assert difference(rate(0, 0), rate(1, 1)) is None


@pytest.mark.parametrize(
    ("before", "now", "chance"),
    [((3, 3), (3, 0), 0.05), ((5, 5), (5, 0), 1 / 252), ((1, 1), (1, 0), 0.5), ((4, 3), (4, 1), 17 / 70)],
)
def test_a_case_falls_as_fisher_says(before: tuple[int, int], now: tuple[int, int], chance: float) -> None:
    sides = [CaseCount(judged=judged, passed=passed) for judged, passed in (before, now)]

    assert fallen(*sides) == pytest.approx(chance)
