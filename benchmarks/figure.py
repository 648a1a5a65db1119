"""A figure that was measured, beside what it is compared with, and how a list of them is printed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from statistics import median

import attrs


@attrs.frozen(kw_only=True)
class Figure:
    """One line of the report: medians over all rounds.

    `ratio` is choragus divided by the other, the median over rounds of what one round gave. `is_rate` says that more
    is better; otherwise it is a cost.
    """

    name: str
    unit: str
    ours: float
    other: float | None = None
    ratio: float | None = None
    is_rate: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        """The line as it is printed: name, choragus, the other, ratio."""
        other = "" if self.other is None else f"{number(self.other)} {self.unit}"
        word = "of the rate" if self.is_rate else "times the cost"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} {word}"
        return (self.name, f"{number(self.ours)} {self.unit}", other, ratio)


@attrs.frozen
class Section:
    """Figures against one kind of opponent; `notes` say what each side does."""

    title: str
    opponent: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        rows = [
            ("", "choragus", self.opponent, "choragus / other" if self.opponent else ""),
            *(one.cells() for one in self.figures),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [self.title, ""]
        for name, *cells in rows:
            right = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
            lines.append(f"  {name.ljust(widths[0])}  {right}".rstrip())
        return "\n".join([*lines, "", *(f"  - {note}" for note in self.notes)])


def interleaved(*sides: Callable[[], float], rounds: int) -> list[list[float]]:
    """What each side gives in each round; every round begins with another side, so that drift hits all alike."""
    taken: list[list[float]] = [[] for _ in sides]
    for round_ in range(rounds):
        for turn in range(len(sides)):
            side = (round_ + turn) % len(sides)
            gc.collect()
            taken[side].append(sides[side]())
    return taken


def cost(name: str, unit: str, ours: Sequence[float], other: Sequence[float]) -> Figure:
    """Two series of costs, a pair per round."""
    ratio = median(mine / theirs for mine, theirs in zip(ours, other, strict=True))
    return Figure(name=name, unit=unit, ours=median(ours), other=median(other), ratio=ratio)


def rate(name: str, unit: str, amount: int, ours: Sequence[float], other: Sequence[float]) -> Figure:
    """Two series of seconds for `amount` units of work, a pair per round, as units per second."""
    ratio = median(theirs / mine for mine, theirs in zip(ours, other, strict=True))
    return Figure(
        name=name, unit=unit, ours=amount / median(ours), other=amount / median(other), ratio=ratio, is_rate=True
    )


def number(value: float) -> str:
    """Three digits or more.

    >>> number(123456.7), number(12.345), number(0.01234)
    ('123,457', '12.3', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
