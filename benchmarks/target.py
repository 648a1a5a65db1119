"""What the project promises about a figure, and whether it was kept."""

from __future__ import annotations

import attrs


@attrs.frozen
class Target:
    """A limit for a figure; `stretch` is a harder one beyond it. `is_least`: not to be fallen short of.

    >>> at_least(0.55, 0.8).verdict(0.61), at_least(0.55).verdict(0.54), at_most(600).verdict(598.2)
    ('met', 'MISSED', 'met')
    """

    limit: float
    stretch: float | None
    is_least: bool

    def __str__(self) -> str:
        word = "at least" if self.is_least else "at most"
        return f"{word} {self.limit:g}" + ("" if self.stretch is None else f" ({self.stretch:g})")

    def is_met(self, value: float) -> bool:
        """Whether the promise is kept, to the digit: nothing is rounded in its favour."""
        return self._within(value, self.limit)

    def verdict(self, value: float) -> str:
        """In one word: met, stretch (met, and the harder limit too) or MISSED."""
        if not self.is_met(value):
            return "MISSED"
        return "met" if self.stretch is None or not self._within(value, self.stretch) else "stretch"

    def _within(self, value: float, limit: float) -> bool:
        return value >= limit if self.is_least else value <= limit


def at_least(limit: float, stretch: float | None = None) -> Target:
    """A figure of which more is better."""
    return Target(limit, stretch, is_least=True)


def at_most(limit: float, stretch: float | None = None) -> Target:
    """A figure of which less is better."""
    return Target(limit, stretch, is_least=False)
