"""How long `import choragus.agents` takes, in fresh processes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figure import Figure, Section, cost, interleaved
from benchmarks.interpreter import Interpreter

OURS = "choragus.agents"
BARE = "anyio, attrs, cattrs.preconf.msgspec, msgspec, aiosqlite, opentelemetry.sdk.trace"
TIMED = "from time import perf_counter; begin = perf_counter(); import {}; print(perf_counter() - begin)"
NOTES = (
    f"other: import {BARE}",
    "each in a fresh interpreter whose start is not counted, in turns, all modules compiled beforehand",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 7 rounds, or 15, after one that does not count."""
    python = Interpreter(folder)
    rounds = 8 if quick else 16
    ours, bare = interleaved(lambda: seconds(python, OURS), lambda: seconds(python, BARE), rounds=rounds)
    mine, theirs = [one * 1e3 for one in ours[1:]], [one * 1e3 for one in bare[1:]]
    figure = cost(f"import {OURS}", "ms", mine, theirs)
    over = Figure(name="of which choragus itself", unit="ms", ours=figure.ours - (figure.other or 0.0))
    return Section("Import", "bare dependencies", [figure, over], NOTES)


def seconds(python: Interpreter, modules: str) -> float:
    """Seconds for that import."""
    return float(python.run("-c", TIMED.format(modules)))
