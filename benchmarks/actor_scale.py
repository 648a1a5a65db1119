"""Volatile actors by the hundred thousand and by the million: memory of an idle one, and how cost grows with number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

import attrs
from benchmarks.crowd import SMAPS
from benchmarks.figure import Figure, Section, cost, interleaved
from benchmarks.interpreter import Interpreter
from benchmarks.target import at_most

CROWD = Path(__file__).resolve().parent / "crowd.py"
IDLE = 100_000
AMOUNTS = (1_000, 10_000, 100_000, 1_000_000)
MEMORY = at_most(600)
MARGIN = 0.02
"""By how much our growth may exceed that of the hand-written mailbox, whose cost is linear: what two runs differ by."""
NOTES = (
    "every figure is from fresh processes; idle: growth of resident memory (PSS) by as many actors as said, each of "
    "which has handled one message, with ref, mailbox, name and supervision record",
    "spawned, told, stopped: all started, each told once, then the System is left; peak: of the whole process (VmHWM)",
    "growth: the power of the amount by which the whole cost grows, fitted over the amounts above it; 1 is linear, 2 "
    "quadratic; small amounts stay in the processor's cache, so that the hand-written mailbox is not at 1 either: the "
    "target is what it shows, and 0.02",
)


@attrs.define
class Crowd:
    """What the processes of one amount gave: microseconds for a unit of work, megabytes at the peak."""

    microseconds: list[float] = attrs.field(factory=list)
    peaks: list[float] = attrs.field(factory=list)

    def measure(self, python: Interpreter, what: str, whose: str, amount: int) -> None:
        """One more process."""
        seconds, peak = python.run(str(CROWD), what, whose, str(amount)).split()
        self.microseconds.append(float(seconds) * 1e6)
        self.peaks.append(float(peak) / 1e6)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 1 round up to a hundred thousand, or 3, and 1 of a million."""
    python = Interpreter(folder)
    rounds, amounts = (1, AMOUNTS[:3]) if quick else (3, AMOUNTS)
    notes: tuple[str, ...] = NOTES
    figures: list[Figure] = []
    if SMAPS.exists():
        figures.append(_idle(python, rounds))
    else:
        notes = (*NOTES, f"idle actor: skipped, because {SMAPS} is missing here: it needs Linux 4.14 or newer")
    figures += _growing(python, "tell", "messages told", amounts, rounds)
    figures += _growing(python, "spawn", "actors spawned, told, stopped", amounts, rounds)
    return Section("Many volatile actors", "deque + Event", figures, notes)


def exponent(amounts: Sequence[int], totals: Sequence[float]) -> float:
    """The power of the amount with which the total grows: the slope of their logarithms, by least squares.

    >>> round(exponent([10, 100, 1000], [5.0, 50.0, 500.0]), 6), round(exponent([10, 100], [1.0, 100.0]), 6)
    (1.0, 2.0)
    """
    across, up = [math.log(one) for one in amounts], [math.log(one) for one in totals]
    middle, height = fmean(across), fmean(up)
    spread = sum((one - middle) ** 2 for one in across)
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread


def _idle(python: Interpreter, rounds: int) -> Figure:
    def bytes_of(whose: str) -> float:
        return float(python.run(str(CROWD), "idle", whose, str(IDLE)))

    ours, other = interleaved(lambda: bytes_of("choragus"), lambda: bytes_of("handwritten"), rounds=rounds)
    name = f"idle actor, of {IDLE:,}"
    return Figure(name=name, unit="bytes", ours=median(ours), other=median(other), target=MEMORY)


def _growing(python: Interpreter, what: str, name: str, amounts: Sequence[int], rounds: int) -> Iterator[Figure]:
    ours, other = ({amount: Crowd() for amount in amounts} for _ in range(2))
    for round_ in range(rounds):
        for amount in amounts:
            if round_ == 0 or amount < AMOUNTS[-1]:
                ours[amount].measure(python, what, "choragus", amount)
                other[amount].measure(python, what, "handwritten", amount)
    for amount in amounts:
        mine, theirs = ours[amount], other[amount]
        yield cost(f"{amount:,} {name}", "us each", mine.microseconds, theirs.microseconds)
    most = amounts[-1]
    mine, theirs = ours[most], other[most]
    yield cost(f"{name}: peak of the most", "MB", mine.peaks, theirs.peaks)
    theirs_grows = _growth(other)
    limit = at_most(round(theirs_grows + MARGIN, 2))
    yield Figure(name=f"{name}: growth", unit="", ours=_growth(ours), other=theirs_grows, target=limit)


def _growth(crowds: Mapping[int, Crowd]) -> float:
    return exponent([*crowds], [amount * median(one.microseconds) for amount, one in crowds.items()])
