"""Agent runs beside a loop written by hand and beside other agent libraries; each side in a process of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import attrs
from benchmarks.agent_loop import STEPS
from benchmarks.figure import Figure, Section, over, rate
from benchmarks.interpreter import Interpreter
from benchmarks.raw_commit import fresh
from benchmarks.target import Target, at_least, at_most

PEERS = {
    "pydantic-ai": ("pydantic_ai", "pydantic-ai-slim"),
    "openai-agents": ("agents", "openai-agents"),
    "langchain": ("langchain", "langchain"),
    "autogen-agentchat": ("autogen_agentchat", "autogen-agentchat"),
}
"""The package each needs, and its distribution."""
SCRIPT = Path(__file__).with_name("agent_loop.py")
AT_ONCE = 100
ROW = 1_000
NOTES = (
    f"a run: {STEPS} steps of one model call and one call of a tool that adds, then an answer; the model takes no time",
    f"at once: {AT_ONCE} runs; alone: one after the other",
    "hand-written: a list, a model, a dictionary of tools: no limit, check, log or error handling",
    "choragus: guardrail, limits, logbook and all, as by default; durable: a file with synchronous=FULL",
    f"one raw commit: an insert of {ROW:,} bytes into a WAL file with synchronous=FULL",
    "each side in fresh processes, in turns",
)


@attrs.frozen
class Taken:
    """What one process took: seconds of a step alone, and of one with many runs at once; bytes at its peak."""

    alone: float
    at_once: float
    peak: float


def section(folder: Path, quick: bool) -> Section:
    """Measure: 3 rounds, or 5."""
    rounds, runs = (3, 10) if quick else (5, 30)
    there = {name: distribution for name, (package, distribution) in PEERS.items() if find_spec(package) is not None}
    sides = ["handwritten", "choragus", "choragus-durable", *there]
    sides += ["langchain-durable"] if "langchain" in there and find_spec("langgraph.checkpoint.sqlite") else []
    python = Interpreter(folder)
    taken: dict[str, list[Taken]] = {side: [] for side in sides}
    commits: list[float] = []
    for round_ in range(rounds):
        commits.append(commit(folder))
        for side in sides[round_ % len(sides) :] + sides[: round_ % len(sides)]:
            taken[side].append(once(python, side, runs, folder))
    notes = [*NOTES, *(f"{name} {version(distribution)}" for name, distribution in there.items())]
    notes += [
        f"{name}: skipped, it is not installed; `pip install -e '.[peers]'` brings it"
        for name in PEERS
        if name not in there
    ]
    return Section("Agent runs", "the other", list(_figures(taken, commits, [*there])), notes)


def once(python: Interpreter, side: str, runs: int, folder: Path) -> Taken:
    """One process of that side."""
    return Taken(*map(float, python.run(str(SCRIPT), side, str(runs), str(AT_ONCE), str(folder)).split()))


def commit(folder: Path, times: int = 50) -> float:
    """Seconds of one raw commit, the median."""
    connection = sqlite3.connect(fresh(folder, "commit"), isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (body BLOB) STRICT")
    taken = []
    for _ in range(times):
        begin = perf_counter()
        connection.execute("INSERT INTO t VALUES (?)", (bytes(ROW),))
        taken.append(perf_counter() - begin)
    connection.close()
    return median(taken)


def _figures(taken: Mapping[str, Sequence[Taken]], commits: Sequence[float], peers: Sequence[str]) -> Iterator[Figure]:
    alone = {side: [one.alone for one in each] for side, each in taken.items()}
    ours = alone["choragus"]
    yield _cost("a step alone, in memory, hand-written", ours, alone["handwritten"], at_most(12))
    yield _cost("a step alone, durable, one raw commit", alone["choragus-durable"], commits, at_most(3))
    yield from (_cost(f"a step alone, in memory, {peer}", ours, alone[peer], None) for peer in peers)
    at_once = {side: [one.at_once for one in each] for side, each in taken.items()}
    speed = partial(rate, unit="steps/s", amount=1)
    best = min(peers, key=lambda peer: median(at_once[peer]), default="")
    for peer in peers:
        target = at_least(15) if peer == best else None
        best_of = " (the best)" if peer == best else ""
        yield speed(
            f"{AT_ONCE} at once, in memory, {peer}{best_of}",
            ours=at_once["choragus"],
            other=at_once[peer],
            target=target,
        )
    if "langchain-durable" in taken:
        name = f"{AT_ONCE} at once, durable, langchain with SQLite"
        yield speed(name, ours=at_once["choragus-durable"], other=at_once["langchain-durable"], target=at_least(70))
    for side in ("choragus", "choragus-durable"):
        peak = median(one.peak for one in taken[side]) / 1e6
        yield Figure(name=f"peak memory, {side}", unit="MB", ours=peak, target=at_most(50))


def _cost(name: str, ours: Sequence[float], other: Sequence[float], target: Target | None) -> Figure:
    return Figure(
        name=name,
        unit="us",
        ours=median(ours) * 1e6,
        other=median(other) * 1e6,
        ratio=over(ours, other),
        target=target,
    )
