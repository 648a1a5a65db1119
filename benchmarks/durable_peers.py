"""Choragus beside other durable libraries, on the same work in the same run; what is not installed is left out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from benchmarks import durable_plan
from benchmarks.durable_peer import DurablePeer, Growth, Work
from benchmarks.figure import Figure, Section, cost, interleaved, rate
from benchmarks.raw_commit import flush
from benchmarks.target import Target, at_most

PEERS = {"langgraph": ("langgraph", "langgraph.checkpoint.sqlite"), "dbos": ("dbos",), "litequeue": ("litequeue",)}
"""What each needs, a parent before its parts; how it works is in `NAME_peer.py`."""
PLANS = 50
STEPS = 20
LONG = 100
WAVES = 5
MESSAGES = 10_000
THEIR_MESSAGES = 2_000
EARLY, LATE = 100, 1_000
EVEN = at_most(1.02)
"""Bytes per step of a long plan against those of a short one: the same."""
NOTES = (
    f"steps: {PLANS} plans at once of {STEPS} steps, or one of {LONG}; each step adds 200 characters; ours "
    f"{WAVES} times, for it is soon over",
    "a turn: a message to itself and its text in the actor's stream; turns run ahead of the disk, and nothing leaves "
    "the system before they are on it: the plan's answer comes after its last commit",
    "a call: `self.step`, in one handler: its begin is on disk before the call, its result before the next; the peers "
    "record the result alone",
    f"told: {durable_plan.LOT:,} messages to one actor, then an ask, whose answer says that they are taken, on disk; "
    f"sent: by {durable_plan.SENDERS} senders, each of whom waits until its message is on disk; one actor takes them "
    "one by one",
    "bytes per step: what a plan adds to the closed file, divided by its steps; ours a mean of 10 plans",
    "choragus: synchronous=FULL everywhere, WAL",
    "what a library has loaded is kept from the garbage collector (gc.freeze), for both sides: it costs ours a third",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure those that are installed: 3 rounds, or 5."""
    rounds = 3 if quick else 5
    figures: list[Figure] = []
    notes = [*NOTES]
    for name in PEERS:
        peer = load(name)
        if peer is None:
            notes.append(missing(name))
            continue
        gc.freeze()  # or collections would go through all that the library has loaded, at every side's cost
        figures += _figures(peer, folder, rounds)
        notes += [*peer.notes, f"{name} {version(name)}"]
    gc.unfreeze()
    notes.append(f"fsync of 4 KiB, at the end: {flush(folder) * 1e3:.2f} ms")
    return Section("Other durable libraries", "the other", figures, notes)


def load(name: str) -> DurablePeer | None:
    """How that library does the work; None when it is not installed."""
    if any(find_spec(package) is None for package in PEERS[name]):
        return None
    # by name, because the module cannot be imported where the library is missing
    return cast("DurablePeer", import_module(f"benchmarks.{name}_peer").PEER)


def missing(name: str) -> str:
    """What is printed in place of its figures."""
    return f"{name}: skipped, it is not installed; `pip install -e '.[peers]'` brings it"


def _figures(peer: DurablePeer, folder: Path, rounds: int) -> Iterator[Figure]:
    if peer.steps is not None:
        yield from _of_steps(peer.name, peer.steps, peer.target, folder, rounds)
    for what, (work, target) in peer.queues.items():
        told, sent, other = interleaved(
            partial(durable_plan.told, folder, MESSAGES),
            partial(durable_plan.sent, folder, MESSAGES),
            partial(work, folder, THEIR_MESSAGES),
            rounds=rounds,
        )
        yield rate(f"messages told, {peer.name} ({what})", "messages/s", 1, told, other, target=target)
        yield rate(f"messages sent, {peer.name} ({what})", "messages/s", 1, sent, other)
    if peer.grown is not None:
        yield from _of_bytes(peer.name, peer.grown, folder)


def _of_steps(name: str, work: Work, target: Target | None, folder: Path, rounds: int) -> Iterator[Figure]:
    for what, plans, steps, promised in (("at once", PLANS, STEPS, target), ("alone", 1, LONG, None)):
        turns, calls, other = interleaved(
            partial(durable_plan.seconds, durable_plan.turns, folder, plans, steps, WAVES),
            partial(durable_plan.seconds, durable_plan.calls, folder, plans, steps),
            partial(work, folder, plans, steps),
            rounds=rounds,
        )
        yield rate(f"steps {what}, a turn each, {name}", "steps/s", 1, turns, other, target=promised)
        yield rate(f"steps {what}, a call each, {name}", "steps/s", 1, calls, other)


def _of_bytes(name: str, work: Growth, folder: Path) -> Iterator[Figure]:
    early, late = (durable_plan.grown(folder, steps) / steps for steps in (EARLY, LATE))
    theirs = [work(folder, steps) / steps for steps in (EARLY, LATE)]
    yield cost(f"bytes per step, plan of {EARLY}, {name}", "B", [early], [theirs[0]])
    yield cost(f"bytes per step, plan of {LATE}, {name}", "B", [late], [theirs[1]])
    yield Figure(
        name=f"the second by the first: ours ({name}: {theirs[1] / theirs[0]:.2f})",
        unit="",
        ours=late / early,
        target=EVEN,
    )
