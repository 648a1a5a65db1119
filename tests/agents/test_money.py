"""Money that adds up, whatever the spends: no sum of them passes a ceiling that each was held against."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choragus.agents.errors import LimitFault
from choragus.agents.limits import Limits
from choragus.agents.money import dollars, nanos, rounded_down, rounded_up
from choragus.agents.spending import NOTHING, Spent, exceeded

AMOUNTS = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@given(AMOUNTS)
def test_a_spend_counts_for_no_less_than_it_was(amount: float) -> None:
    counted = Fraction(nanos(rounded_up(amount)), 10**9)

    assert counted >= Fraction(amount) * (1 - Fraction(1, 10**14))
    assert counted - Fraction(amount) <= Fraction(1, 10**9)


@given(AMOUNTS)
def test_a_ceiling_counts_for_no_more_than_it_is(amount: float) -> None:
    assert Fraction(nanos(rounded_down(amount)), 10**9) <= Fraction(amount) * (1 + Fraction(1, 10**14))


@given(st.integers(min_value=0, max_value=10**15))
def test_whole_billionths_stay_what_they_are(billionths: int) -> None:
    amount = dollars(billionths)

    assert nanos(amount) == nanos(rounded_up(amount)) == nanos(rounded_down(amount)) == billionths


@pytest.mark.parametrize("amount", [0.1, 0.07, 0.29, 0.1 + 0.2, 1.15, 2.675, 1e-9, 999_999.99])
def test_prices_of_people_are_not_rounded_up_for_the_noise_of_floats(amount: float) -> None:
    assert rounded_up(amount) == round(amount, 9)


@given(ceiling=st.integers(1, 5_000), seed=st.integers(0, 10**9))
def test_spends_that_were_let_through_never_pass_the_ceiling(ceiling: int, seed: int) -> None:
    chance, limits, spent, exact = random.Random(seed), Limits(cost_usd=ceiling / 1000), NOTHING, Fraction(0)

    for _ in range(300):
        amount = chance.choice([1e-10, 0.01, 0.1, chance.random() * ceiling / 5000, chance.random() / 1e6])
        if exceeded(limits, spent, Spent(cost_usd=amount), wall=0) is None:
            spent = spent.add(Spent(cost_usd=amount))
            exact += Fraction(amount)

    assert exact <= Fraction(ceiling, 1000) * (1 + Fraction(1, 10**12))
    assert nanos(spent.cost_usd) <= ceiling * 10**6


@pytest.mark.parametrize("times", [100_000, pytest.param(5_000_000, marks=pytest.mark.slow)])
def test_a_great_many_small_spends_use_a_ceiling_up_to_the_last(times: int) -> None:
    """With floats alone 5,000,000 times 0.0000001 is off in the tenth digit, and one spend too many or too few fits."""
    one, limit = Spent(cost_usd=0.0000001), times / 10_000_000
    spent = Spent(cost_usd=dollars(nanos(one.cost_usd) * (times - 2)))

    fits = [exceeded(Limits(cost_usd=limit), spent, Spent(cost_usd=0.0000001 * n), wall=0) is None for n in (1, 2, 3)]

    assert fits == [True, True, False]
    assert math.isclose(spent.add(one).add(one).cost_usd, limit, rel_tol=0, abs_tol=1e-12)


def test_money_beyond_what_adds_up_is_refused() -> None:
    with pytest.raises(LimitFault, match=r"^Limits\(cost_usd=1000000\.5\) is above 1,000,000, up to which sums"):
        Limits(cost_usd=1_000_000.5)
