"""The main example: what supervision, durability and the trail cost a real job."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from time import perf_counter

import attrs
from benchmarks.figure import Figure, Section, cost
from benchmarks.interpreter import Interpreter

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/audit_environment.py"
PLAIN = ROOT / "benchmarks/plain_audit.py"
CHILD = ROOT / "benchmarks/child.py"
FIXTURE = ROOT / "tests/scenarios/fixture_tree.py"
NOTES = (
    "choragus: examples/audit_environment.py --yes as a process into an empty folder, every step durable and logged",
    "other: the same checks as plain functions and the same report filed, as a process; nothing else is kept",
    "the work: the run from its start to its end by its own clock, against the plain functions without imports",
    "a step is a call of the offline model, which reads the whole conversation, with up to four tool calls",
)


@attrs.frozen
class Audit:
    """One process: seconds of it and of the work in it, bytes at its peak, and how many steps or calls it made."""

    wall: float
    work: float
    peak: float
    count: int


def section(folder: Path, quick: bool) -> Section:
    """Measure the fixture and this environment: 3 rounds, or 5."""
    fixture = folder / "fixture"
    _build_fixture(fixture)
    places = {"6 packages": fixture, "this environment": Path(sysconfig.get_path("purelib"))}
    rounds = 3 if quick else 5
    figures = [figure for name, place in places.items() for figure in _compared(name, place, folder, rounds)]
    return Section("The example, an audit", "plain functions", figures, NOTES)


def _compared(name: str, place: Path, folder: Path, rounds: int) -> Iterable[Figure]:
    pairs = [(ours(place, folder), plain(place, folder)) for _ in range(rounds + 1)][1:]  # the first compiles

    def figure(what: str, unit: str, value: Callable[[Audit], float]) -> Figure:
        return cost(f"{name}: {what}", unit, [value(one) for one, _ in pairs], [value(other) for _, other in pairs])

    yield figure("process", "s", lambda one: one.wall)
    yield figure("the work", "s", lambda one: one.work)
    yield figure("peak memory", "MB", lambda one: one.peak / 1e6)
    steps = pairs[0][0].count
    speed = median(one.count / one.work for one, _ in pairs)
    yield Figure(name=f"{name}: {steps} steps", unit="steps/s", ours=speed, is_rate=True)


def ours(place: Path, folder: Path) -> Audit:
    """The example over a site-packages folder."""
    out = _empty(folder / "ours")
    wall, peak, _ = _process(folder, EXAMPLE, "--path", str(place), "--out", str(out), "--yes")
    connection = sqlite3.connect(out / "audit.db")
    (body,) = connection.execute("SELECT body FROM view WHERE kind = 'run'").fetchone()
    connection.close()
    run = json.loads(body)
    return Audit(wall, run["ended"] - run["started"], peak, run["steps"])


def plain(place: Path, folder: Path) -> Audit:
    """The checks alone over it."""
    wall, peak, said = _process(folder, PLAIN, str(place), str(_empty(folder / "plain")))
    seconds, calls = said.split()
    return Audit(wall, float(seconds), peak, int(calls))


def _process(folder: Path, script: Path, *arguments: str) -> tuple[float, int, str]:
    """Seconds of a fresh process, its peak memory, and what it printed."""
    figures = folder / "peak"
    python = Interpreter(folder)
    begin = perf_counter()
    said = python.run(str(CHILD), str(figures), str(script), *arguments)
    return perf_counter() - begin, int(figures.read_text()), said


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _build_fixture(root: Path) -> None:
    """The tree of the scenario tests, whose module is no part of any package."""
    spec = importlib.util.spec_from_file_location(FIXTURE.stem, FIXTURE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build(root)
