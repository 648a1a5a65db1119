"""Whether a figure grows: the slope of its samples, and how far it can be told from noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

BLOCKS = 15
T = 2.16
"""Student's t for 13 degrees of freedom: the slope through 15 means, at 95 %."""


@attrs.frozen(kw_only=True)
class Trend:
    """Growth in an hour, as a share of the mean: somewhere in `growth` ± `margin`, at 95 %."""

    growth: float
    margin: float

    def __str__(self) -> str:
        return f"{self.growth:+.2%} ± {self.margin:.2%} an hour"

    def exceeds(self, limit: float) -> bool:
        """Whether it grows by more than the limit, however much of it is put down to noise."""
        return self.growth - self.margin > limit

    def is_within(self, limit: float) -> bool:
        """Whether it does not, however much. Neither: the samples are too few, or too noisy, to tell."""
        return self.growth + self.margin <= limit


def trend(samples: Sequence[float], every: float) -> Trend:
    """The straight line through the means of 15 blocks of equal length.

    Neighbouring samples depend on each other, and a margin that takes them for independent is too small; means of
    blocks hardly do, as long as a block is longer than what makes the noise lasts. A single step up within the samples
    counts as growth with a wide margin.

    Args:
        samples: at least 30, the latest last; of those that do not fill a block the first are left out.
        every: seconds between two.

    Raises:
        ValueError: when there are fewer.
    """
    size = len(samples) // BLOCKS
    if size < 2:
        raise ValueError(f"{len(samples)} samples say nothing about a trend: give {2 * BLOCKS} or more")
    used = samples[len(samples) - size * BLOCKS :]
    means = [math.fsum(used[at : at + size]) / size for at in range(0, len(used), size)]
    mean, middle = math.fsum(means) / BLOCKS, (BLOCKS - 1) / 2
    if not mean:
        return Trend(growth=0.0, margin=0.0)
    spread = math.fsum((at - middle) ** 2 for at in range(BLOCKS))
    slope = math.fsum((at - middle) * (value - mean) for at, value in enumerate(means)) / spread
    left = math.fsum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(means))
    error = math.sqrt(left / (BLOCKS - 2) / spread)
    blocks_in_an_hour = 3600 / (every * size)
    return Trend(growth=slope * blocks_in_an_hour / mean, margin=T * error * blocks_in_an_hour / mean)
