"""Choragus beside other actor libraries, in the same run; those that are not installed are left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import cast

from benchmarks import workload
from benchmarks.actor_rate import run
from benchmarks.crew import roomy, spawned
from benchmarks.figure import Figure, Section, interleaved, rate
from benchmarks.peer import Peer, Trial
from benchmarks.workload import Hire

PEERS = {"autogen-core": ("autogen_core", "benchmarks.autogen_peer"), "pykka": ("pykka", "benchmarks.pykka_peer")}
OURS: Mapping[str, tuple[str, Callable[[Hire, int], Awaitable[float]], Hire, int]] = {
    "tell": ("messages/s", workload.tell, roomy, workload.TELLS),
    "ask": ("asks/s", workload.ask, spawned, workload.ASKS),
    "ring": ("hops/s", workload.ring, spawned, workload.HOPS),
    "spawn": ("actors/s", workload.spawn, spawned, workload.SPAWNS),
}
NOTES = (
    "the same work in the same run, in turns; a slow library does less of it, and rates are compared",
    "spawn: start, one message told, stopped; for choragus by leaving the System",
)


def section(quick: bool) -> Section:
    """Measure those that are installed: 3 rounds, or 5."""
    rounds = 3 if quick else 5
    figures: list[Figure] = []
    notes = [*NOTES]
    for name in PEERS:
        peer = load(name)
        if peer is None:
            notes.append(missing(name))
            continue
        figures += [measured(name, trial, rounds) for trial in peer.trials]
        notes += [*peer.notes, f"{name} {version(name)}"]
    return Section("Other actor libraries", "the other", figures, notes)


def load(name: str) -> Peer | None:
    """How that library does the work; None when it is not installed."""
    package, module = PEERS[name]
    # by name, because the module cannot be imported where the library is missing
    return cast("Peer", import_module(module).PEER) if find_spec(package) is not None else None


def missing(name: str) -> str:
    """What is printed in place of its figures."""
    return f"{name}: skipped, it is not installed; `pip install -e '.[peers]'` brings it"


def measured(name: str, trial: Trial, rounds: int) -> Figure:
    """Both sides."""
    unit, work, hire, amount = OURS[trial.name]
    ours, other = interleaved(lambda: run(work, hire, amount), lambda: trial.work(trial.amount), rounds=rounds)
    return rate(f"{trial.name}, {name}", unit, 1, ours, other, target=trial.target)
