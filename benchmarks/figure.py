"""A figure that was measured, beside what it is compared with, and how a list of them is printed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import attrs
from benchmarks.target import Target


@attrs.frozen(kw_only=True)
class Figure:
    """One line of the report: medians over all rounds.

    `ratio` is choragus divided by the other, the median over rounds of what one round gave; `second` is the same
    against the section's second opponent. `is_rate` says that more is better; otherwise it is a cost. `target` is what
    the project promises of the ratio, or of choragus's own figure where there is no ratio.
    """

    name: str
    unit: str
    ours: float
    other: float | None = None
    ratio: float | None = None
    second: float | None = None
    is_rate: bool = False
    target: Target | None = None

    @property
    def promised(self) -> float:
        """The value that the target is about."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty without one."""
        return "" if self.target is None else self.target.verdict(self.promised)

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed: name, choragus, the other, ratio, second ratio, target, verdict."""
        other = "" if self.other is None else f"{number(self.other)} {self.unit}"
        word = "of the rate" if self.is_rate else "times the cost"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} {word}"
        second = "" if self.second is None else f"{self.second:.2f}"
        target = "" if self.target is None else str(self.target)
        return (self.name, f"{number(self.ours)} {self.unit}".rstrip(), other, ratio, second, target, self.verdict)


@attrs.frozen
class Section:
    """Figures against one kind of opponent; `notes` say what each side does. `second`: another opponent, as ratio."""

    title: str
    opponent: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    second: str = ""

    def __str__(self) -> str:
        second = f"/ {self.second}" if self.second else ""
        head = ("", "choragus", self.opponent, "choragus / other" if self.opponent else "", second)
        rows = [(*head, "target", "verdict"), *(one.cells() for one in self.figures)]
        table = [*_aligned(rows), ""] if self.figures else []
        return "\n".join([self.title, "", *table, *self._summary(), *(f"  - {note}" for note in self.notes)])

    def _summary(self) -> Iterator[str]:
        """How many targets are met, and each that is not."""
        promised = [one for one in self.figures if one.target is not None]
        if promised:
            missed = [one for one in promised if one.verdict == "MISSED"]
            yield f"  Targets met: {len(promised) - len(missed)} of {len(promised)}."
            yield from (f"  Missed: {one.name}, {one.promised:.3g}, target {one.target}." for one in missed)
            yield ""


def interleaved(*sides: Callable[[], float], rounds: int) -> list[list[float]]:
    """What each side gives in each round; every round begins with another side, so that drift hits all alike."""
    taken: list[list[float]] = [[] for _ in sides]
    for round_ in range(rounds):
        for turn in range(len(sides)):
            side = (round_ + turn) % len(sides)
            gc.collect()
            taken[side].append(sides[side]())
    return taken


def cost(
    name: str, unit: str, ours: Sequence[float], other: Sequence[float], *, target: Target | None = None
) -> Figure:
    """Two series of costs, a pair per round."""
    ratio = over(ours, other)
    return Figure(name=name, unit=unit, ours=median(ours), other=median(other), ratio=ratio, target=target)


def rate(
    name: str,
    unit: str,
    amount: int,
    ours: Sequence[float],
    other: Sequence[float],
    *,
    second: Sequence[float] = (),
    target: Target | None = None,
) -> Figure:
    """Two series of seconds for `amount` units of work, or three, one of each per round, as units per second."""
    return Figure(
        name=name,
        unit=unit,
        ours=amount / median(ours),
        other=amount / median(other),
        ratio=over(other, ours),
        second=over(second, ours) if second else None,
        is_rate=True,
        target=target,
    )


def over(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios, a pair per round.

    >>> over([1.0, 2.0, 9.0], [1.0, 1.0, 3.0])
    2.0
    """
    return median(mine / theirs for mine, theirs in zip(one, other, strict=True))


def number(value: float) -> str:
    """Three digits or more.

    >>> number(123456.7), number(12.345), number(0.01234)
    ('123,457', '12.3', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines; a column in which no row but the first has anything is left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for name, *cells in zip(*columns, strict=True):
        right = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"  {name.ljust(widths[0])}  {right}".rstrip()
