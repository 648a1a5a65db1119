"""Volatile actors by the hundred thousand and by the million: memory of an idle one, and how cost grows with number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median

import attrs
from benchmarks.crowd import SMAPS
from benchmarks.figure import Figure, Section
from benchmarks.interpreter import Interpreter
from benchmarks.target import at_most

CROWD = Path(__file__).resolve().parent / "crowd.py"
IDLE = 100_000
AMOUNTS = (1_000, 10_000, 100_000, 1_000_000)
MEMORY = at_most(600)
GROWTH = at_most(1.1)
NOTES = (
    "every figure is from fresh processes; idle: growth of resident memory (PSS) by as many actors as said, each of "
    "which has handled one message, with ref, mailbox, name and supervision record",
    "spawned, told, stopped: all started, each told once, then the System is left; peak: of the whole process (VmHWM)",
    "growth: the power of the amount by which the whole cost grows, fitted over the amounts above it; 1 is linear, 2 "
    "quadratic; n log n would be 1.1 here",
)


@attrs.frozen
class Crowd:
    """Seconds for one unit of work, and bytes at the process's peak."""

    seconds: float
    peak: float


def section(folder: Path, quick: bool) -> Section:
    """Measure: 1 round up to a hundred thousand, or 3 up to a million."""
    python = Interpreter(folder)
    rounds, amounts = (1, AMOUNTS[:3]) if quick else (3, AMOUNTS)
    notes = NOTES
    figures: list[Figure] = []
    if SMAPS.exists():
        figures.append(_idle(python, rounds))
    else:
        notes = (*NOTES, f"idle actor: skipped, because {SMAPS} is missing here: it needs Linux 4.14 or newer")
    figures += [*_growing(python, "tell", "messages told", amounts, rounds)]
    figures += [*_growing(python, "spawn", "actors spawned, told, stopped", amounts, rounds)]
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

    pairs = [(bytes_of("choragus"), bytes_of("handwritten")) for _ in range(rounds)]
    ours, other = (median(series) for series in zip(*pairs, strict=True))
    return Figure(name=f"idle actor, of {IDLE:,}", unit="bytes", ours=ours, other=other, target=MEMORY)


def _growing(python: Interpreter, what: str, name: str, amounts: Sequence[int], rounds: int) -> Iterator[Figure]:
    taken: dict[int, list[Crowd]] = {amount: [] for amount in amounts}
    for _ in range(rounds):
        for amount in amounts:
            taken[amount].append(_crowd(python, what, amount))
    seconds = {amount: median(one.seconds for one in series) for amount, series in taken.items()}
    for amount, each in seconds.items():
        yield Figure(name=f"{amount:,} {name}", unit="us each", ours=each * 1e6)
    totals = [amount * each for amount, each in seconds.items()]
    yield Figure(name="growth", unit="", ours=exponent(amounts, totals), target=GROWTH)
    most = amounts[-1]
    yield Figure(name=f"{most:,} in all", unit="s", ours=totals[-1])
    yield Figure(name=f"{most:,}, peak", unit="MB", ours=median(one.peak for one in taken[most]) / 1e6)


def _crowd(python: Interpreter, what: str, amount: int) -> Crowd:
    return Crowd(*map(float, python.run(str(CROWD), what, "choragus", str(amount)).split()))
