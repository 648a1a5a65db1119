"""A trend is told from noise, and what cannot be told is neither flat nor growing."""

from __future__ import annotations

import random

import pytest

from .trend import trend

HOUR = 3600
LIMIT = 0.01


def noisy(growth: float, noise: float, seed: int = 0, *, lasts: float = 0.9) -> list[float]:
    """Half an hour of samples, one a second, around 100 MB; of its noise so much is still there a second later."""
    drawn, drift = random.Random(seed), 0.0
    found: list[float] = []
    for at in range(HOUR // 2):
        drift = lasts * drift + drawn.gauss(0, noise)
        found.append(100 * (1 + growth * at / HOUR) + drift)
    return found


def test_a_line_has_its_slope_and_no_margin() -> None:
    found = trend(noisy(0.05, 0.0), 1.0)

    assert found.growth == pytest.approx(0.05, rel=0.05)
    assert found.margin < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_growth_above_the_limit_is_seen_through_noise(seed: int) -> None:
    found = trend(noisy(0.05, 0.1, seed), 1.0)

    assert found.exceeds(LIMIT)
    assert not found.is_within(LIMIT)


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_no_growth(seed: int) -> None:
    found = trend(noisy(0.0, 0.1, seed), 1.0)

    assert found.is_within(LIMIT)
    assert not found.exceeds(LIMIT)


def test_much_noise_in_a_short_time_says_neither() -> None:
    found = trend(noisy(0.0, 3.0, lasts=0.0)[:60], 1.0)

    assert not found.is_within(LIMIT)
    assert not found.exceeds(LIMIT)


def test_nothing_at_all_does_not_grow() -> None:
    assert trend([0.0] * 30, 1.0).is_within(0.0)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^29 samples say nothing"):
        trend([1.0] * 29, 1.0)
