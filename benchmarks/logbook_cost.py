"""The logbook: what its entries cost of a durable turn and of an agent's step, and how fast `verify` reads them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import attrs
import msgspec
from benchmarks.entry_share import shares
from benchmarks.figure import Figure, Section, interleaved, rate
from benchmarks.raw_commit import fresh
from benchmarks.target import at_least

from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry
from choragus.mailbox.verification import verify_file

BATCHES = (3, 20)
"""Entries of a commit: of one actor's turn, and of several runs at once."""
ACTOR = "choragus.tool_gateway"
BODIES: tuple[tuple[str, dict[str, object]], ...] = (
    ("phase", {"phase": "act", "step": 1, "calls": ["1.1"]}),
    ("budget.reserved", {"token": "step-1.1", "steps": 1, "input_tokens": 1, "output_tokens": 29, "cost_usd": 0.25}),
    ("call.judged", {"tool": "find_invoice", "verdict": "allow", "reason": "", "policy": "", "version": ""}),
    ("call.intended", {"tool": "find_invoice", "effect": ""}),
    (
        "call.finished",
        {"tool": "find_invoice", "agent": "clerk", "end": "returned", "ran": True, "is_error": False}
        | {"text": "invoice of 2026-11-20 over 120.00 EUR, not paid yet", "started": 0.0, "ended": 0.0},
    ),
)
NOTES = (
    "a turn: that of the section durable, with one entry; with 100 actors several share a commit",
    "without entries: the same through a store that drops those of the logbook before it writes",
    "CPU: of the whole process; in brackets the 95 % interval of the median of the rounds' ratios",
    "a step: one model call and one call of a tool, by the agent runtime; its conversation is written on both sides",
    "verify: a file of entries of five kinds, no two the same, 40 to a run; everything in it is checked",
    "by hand: the same entries read by sqlite3 and chained by sha256 over their bytes as stored, nothing compared",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure: the share that entries have, then the pace of `verify` in 3 rounds, or 5."""
    rounds, entries = (3, 50_000) if quick else (5, 200_000)
    figures = [
        *shares(folder, quick),
        *(one for size in BATCHES for one in _verified(folder, rounds, entries, size)),
    ]
    return Section("The logbook", "without entries", figures, NOTES)


def _verified(folder: Path, rounds: int, entries: int, size: int) -> Iterator[Figure]:
    path = fresh(folder, f"verified-{size}")
    asyncio.run(write(path, entries, size))
    ours, other = interleaved(lambda: _timed(verify_file, path), lambda: _timed(by_hand, path), rounds=rounds)
    figure = rate(f"verify, {size} to a commit, against by hand", "entries/s", entries, ours, other)
    yield figure
    name = f"verify, {size} to a commit"
    yield Figure(name=name, unit="entries/s", ours=figure.ours, is_rate=True, target=at_least(100_000))


def by_hand(path: Path) -> bytes:
    """The least that a chain takes."""
    last = bytes(32)
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute("SELECT seq, stream, position, kind, at, body, batch FROM entry ORDER BY seq"):
            last = sha256(b"%b%d%d%d%b%a%b%d" % (last, *row[:3], row[3].encode(), *row[4:])).digest()
    return last


def _timed(work: Callable[[Path], object], path: Path) -> float:
    begin = perf_counter()
    work(path)
    return perf_counter() - begin


async def write(path: Path, entries: int, size: int) -> None:
    """A file of so many entries, `size` to a commit."""
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("benchmark", 1e6, 0.0)
    batch = Batch(node="benchmark", fence=claim.fence, at=0.0)
    for first in range(0, entries, size):
        at = 1763877251.5 + first * 0.00731
        lines = tuple(_line(number, at) for number in range(first, min(first + size, entries)))
        await store.commit(attrs.evolve(batch, at=at, entries=lines))
    await store.release("benchmark")
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _line(number: int, at: float) -> Entry:
    run, (kind, body) = sha256(b"%d" % (number // 40)).hexdigest()[:32], BODIES[number % len(BODIES)]
    own: dict[str, object] = {"actor": f"{ACTOR}/{run}", "call": f"{number % 40}.1"}
    if "started" in body:
        own |= {"started": at - 0.25, "ended": at, "text": f"invoice {number} of 2026-11-20, not paid yet"}
    if "steps" in body:
        own |= {"input_tokens": 1_000 + number % 7_919}
    if "effect" in body:
        own |= {"effect": f"{run}:{number}"}
    return Entry(f"run/{run}", kind, at, msgspec.json.encode({**body, **own}))
