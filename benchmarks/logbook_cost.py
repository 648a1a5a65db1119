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
IN_A_BATCH = 3
BODY = {
    "actor": "choragus.tool_gateway",
    "call": "12.1",
    "tool": "find_invoice",
    "agent": "clerk",
    "end": "returned",
    "ran": True,
    "is_error": False,
    "text": "invoice 4711 of 2026-11-20 over 120.00 EUR, not paid yet",
    "started": 1763877251.25,
    "ended": 1763877251.5,
}
NOTES = (
    "a turn: that of the section durable, with one entry; with 100 actors several share a commit",
    "without entries: the same through a store that drops those of the logbook before it writes",
    "a step: one model call and one call of a tool, by the agent runtime; its conversation is written on both sides",
    f"verify: a file of entries of one kind, {IN_A_BATCH} to a commit, 40 to a run; everything in it is checked",
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
        *_verified(folder, 3 if quick else 5, 300_000 // share),
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


def _verified(folder: Path, rounds: int, entries: int) -> Iterator[Figure]:
    path = fresh(folder, "verified")
    asyncio.run(_write(path, entries))
    ours, other = interleaved(lambda: _timed(verify_file, path), lambda: _timed(by_hand, path), rounds=rounds)
    figure = rate("verify, against by hand", "entries/s", entries, ours, other)
    yield figure
    yield Figure(name="verify", unit="entries/s", ours=figure.ours, is_rate=True, target=at_least(100_000))


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


async def _write(path: Path, entries: int) -> None:
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("benchmark", 1e6, 0.0)
    batch = Batch(node="benchmark", fence=claim.fence, at=1763877251.5)
    for number in range(0, entries, IN_A_BATCH):
        lines = tuple(
            Entry(f"run/{one // 40:032x}", "call.finished", batch.at, msgspec.json.encode({**BODY, "call": f"{one}.1"}))
            for one in range(number, number + IN_A_BATCH)
        )
        await store.commit(attrs.evolve(batch, entries=lines))
    await store.release("benchmark")
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
