"""The logbook: what its entries cost of a durable turn and of an agent's step, and how fast `verify` reads them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

import attrs
import msgspec
from benchmarks.agent_loops.ours import steps
from benchmarks.durable_rate import HELD, Account, Book, Deposit
from benchmarks.figure import Figure, Section, interleaved, over, rate
from benchmarks.raw_commit import fresh
from benchmarks.target import at_least, at_most

from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Entry, Rejected
from choragus.mailbox.verification import verify_file
from choragus.supervision.system import System

KEPT = ("conversation/", "results/", "context/", "plan/")
"""The streams that a run reads back stay."""
ENDS = ("run.started", "run.ended")
"""As do the entries by which whoever waits for a run knows that it has ended."""
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
    "a step: one model call and one call of a tool, by the agent runtime; its conversation is written on both sides",
    "verify: a file of entries of five kinds, no two the same, 40 to a run; everything in it is checked",
    "by hand: the same entries read by sqlite3 and chained by sha256 over their bytes as stored, nothing compared",
)


class Dropping(SqliteStore):
    """A store for this benchmark alone, which forgets what the logbook should keep."""

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """Write everything else."""
        for turn in batch.turns:
            if turn.entries:
                kept = tuple(entry for entry in turn.entries if entry.stream.startswith(KEPT) or entry.kind in ENDS)
                object.__setattr__(turn, "entries", kept)
        return await super().commit(batch)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 5 rounds, or 9."""
    rounds, share = (5, 4) if quick else (9, 1)
    figures = [
        _share("a turn, 1 actor", folder, rounds, lambda store: turns(store, 1, 1_000 // share)),
        _share("a turn, 100 actors", folder, rounds, lambda store: turns(store, 100, 40 // min(share, 2))),
        _share("a step of an agent, 20 runs", folder, rounds, lambda store: steps(store, 20)),
        *(one for size in BATCHES for one in _verified(folder, 3 if quick else 5, 200_000 // share, size)),
    ]
    return Section("The logbook", "without entries", figures, NOTES)


async def turns(store: SqliteStore, actors: int, times: int) -> float:
    """Seconds of a turn."""
    async with System(store=store, actors=[Account, Book], held=[HELD]) as system:
        refs = [system.ref(Account, f"account-{n}") for n in range(actors)]

        async def customer(number: int, asks: int) -> None:
            for turn in range(asks):
                await refs[number].ask(Deposit(turn, "a note of forty characters, more or less"))

        await asyncio.gather(*(customer(number, 3) for number in range(actors)))
        begin = perf_counter()
        await asyncio.gather(*(customer(number, times) for number in range(actors)))
        return (perf_counter() - begin) / (actors * times)


def _share(name: str, folder: Path, rounds: int, work: Callable[[SqliteStore], Awaitable[float]]) -> Figure:
    """What the entries cost of the work's time."""

    def side(kind: type[SqliteStore]) -> float:
        async def measured() -> float:
            return await work(await kind.open(fresh(folder, kind.__name__)))

        return asyncio.run(measured())

    ours, other = interleaved(lambda: side(SqliteStore), lambda: side(Dropping), rounds=rounds + 1)
    ours, other = ours[1:], other[1:]
    micro = [median(one) * 1e6 for one in (ours, other)]
    return Figure(name=name, unit="us", ours=micro[0], other=micro[1], ratio=over(ours, other), target=at_most(1.15))


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
