"""How long it takes to import choragus.agents, and what an agent needs of it, in fresh processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.figure import Section, cost, interleaved
from benchmarks.interpreter import Interpreter
from benchmarks.target import at_most

OURS = "import choragus.agents"
USED = "from choragus.agents import Agent, Runtime, tool"
MADE = f"{USED}; Runtime(agents=())"
BARE = "import anyio, attrs, cattrs.preconf.msgspec, msgspec, aiosqlite"
TIMED = "from time import perf_counter; begin = perf_counter(); {}; print(perf_counter() - begin)"
NOTES = (
    f"other: {BARE}",
    "what is behind the door of choragus.agents is imported when it is first asked for",
    "what a runtime works with is imported when the first one is made; that is the last line, which has no target",
    "each in a fresh interpreter whose start is not counted, in turns, all modules compiled beforehand",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 7 rounds, or 15, after one that does not count."""
    python = Interpreter(folder)
    rounds = 8 if quick else 16
    sides = [partial(seconds, python, statement) for statement in (OURS, USED, MADE, BARE)]
    door, used, made, bare = ([one * 1e3 for one in taken[1:]] for taken in interleaved(*sides, rounds=rounds))
    figures = [cost(OURS, "ms", door, bare, target=at_most(1.5)), cost(USED, "ms", used, bare, target=at_most(1.5))]
    figures.append(cost("the same, and a Runtime made", "ms", made, bare))
    return Section("Import", "bare dependencies", figures, NOTES)


def seconds(python: Interpreter, statement: str) -> float:
    """Seconds for that import."""
    return float(python.run("-c", TIMED.format(statement)))
