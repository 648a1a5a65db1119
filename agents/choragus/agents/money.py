"""Money that adds up: whole billionths of a US dollar, however many spends there are."""

from __future__ import annotations

import math

NANOS = 1_000_000_000
"""Billionths in a dollar."""

MOST_USD = 1_000_000.0
"""Up to here a float names each billionth, so that sums are exact."""

_NOISE = 1e-15
"""What a few operations on floats may add: no spend is rounded up for it."""


def nanos(dollars: float) -> int:
    """The billionths that a whole number of them, kept as dollars, stands for."""
    return round(dollars * NANOS)


def dollars(billionths: int) -> float:
    """Billionths as dollars."""
    return billionths / NANOS


def rounded_up(amount: float) -> float:
    """An amount of dollars as the next whole billionth: what is spent counts for no less than it was.

    >>> rounded_up(0.0000000001), rounded_up(0.1), rounded_up(0.1 + 0.2)
    (1e-09, 0.1, 0.3)
    """
    if amount == 0:
        return 0.0
    whole = nanos(amount)
    if abs(amount * NANOS - whole) <= abs(amount) * NANOS * _NOISE:
        return dollars(whole)
    return dollars(math.ceil(amount * NANOS))


def rounded_down(amount: float) -> float:
    """An amount of dollars as the whole billionth below it: a ceiling counts for no more than it is."""
    whole = nanos(amount)
    if abs(amount * NANOS - whole) <= abs(amount) * NANOS * _NOISE:
        return dollars(whole)
    return dollars(math.floor(amount * NANOS))
