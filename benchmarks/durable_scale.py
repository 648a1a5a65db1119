"""Durable actors in a row and by the million: what a hop costs, how long the loop is held, how cost grows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import attrs
from benchmarks.actor_scale import exponent
from benchmarks.durable_rate import observe
from benchmarks.figure import Figure, Section, cost
from benchmarks.interpreter import Interpreter
from benchmarks.raw_commit import claim, fresh
from benchmarks.target import at_most

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.mailbox.codec import stored
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Envelope, Turn
from choragus.supervision.system import System

HERD = Path(__file__).resolve().parent / "durable_herd.py"
AMOUNTS = (1_000, 10_000, 100_000, 1_000_000)
HOPS = 100
NOTES = (
    f"chain: a message passed on by {HOPS} durable actors, each with a state, until the last turn is on disk; against "
    "as many commits of one hop each, the same turns through the store alone",
    "held: the longest turn of a loop that spins while batches of some 100 turns are committed beside it",
    "herd: so many actors in one file, each asked once, 1,000 at a time, 10,000 of them kept in memory; each figure "
    "from a fresh process; growth: the power of the amount by which the whole cost grows",
)


@stored("benchmark.chain.seen")
@attrs.define
class Seen:
    """How many messages came by."""

    count: int = 0


@stored("benchmark.chain.pass")
@attrs.frozen
class Pass:
    """To be passed on."""

    hops: int


class Link(DurableActor[Seen, Pass], name="benchmark.chain.link"):
    """Passes on; the last one says so."""

    @handle
    def take(self, message: Pass) -> None:
        self.state.count += 1
        if message.hops:
            self.ref(Link, str(int(self.key) + 1)).tell(Pass(message.hops - 1))
        else:
            self.view("chain", "end", {"count": self.state.count})


class Noting(SqliteStore):
    """The store; sets an event when the chain's last turn is on disk, and keeps the batches."""

    def note(self) -> None:
        """Begin."""
        self.ended = asyncio.Event()
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch):  # type: ignore[no-untyped-def]  # as the store's
        """See `Store.commit`."""
        result = await super().commit(batch)
        self.batches.append(batch)
        if any(turn.views for turn in batch.turns):
            self.ended.set()
        return result


def section(folder: Path, quick: bool) -> Section:
    """Measure: 3 rounds, and a herd of up to 10,000; or 7, and up to a million."""
    rounds, amounts = (3, AMOUNTS[:2]) if quick else (7, AMOUNTS)
    figures = [_chain(folder, rounds), _held(folder, rounds), *_herd(folder, amounts)]
    return Section("Durable actors in a row and by the million", "one commit per hop", figures, NOTES)


def _chain(folder: Path, rounds: int) -> Figure:
    ours, single = [], []
    for _ in range(rounds):
        took, batches = asyncio.run(chained(fresh(folder, "chain")))
        ours.append(took * 1e3)
        single.append(asyncio.run(one_by_one(fresh(folder, "hops"), batches)) * 1e3)
    faster = at_most(1 / 5)
    return cost(f"a chain of {HOPS} actors", "ms", ours, single, target=faster)


async def chained(path: Path) -> tuple[float, list[Batch]]:
    """Seconds from the tell to the last commit, when all are in memory; and what was written."""
    store = await Noting.open(path)
    assert isinstance(store, Noting)
    store.note()
    async with System(store=store, actors=[Link]) as system:
        first = system.ref(Link, "0")
        for _ in range(2):  # the first time they are loaded
            store.note()
            began = perf_counter()
            first.tell(Pass(HOPS - 1))
            await store.ended.wait()
            took = perf_counter() - began
            await asyncio.sleep(0.01)
        return took, store.batches


async def one_by_one(path: Path, batches: list[Batch]) -> float:
    """Seconds for the same turns, each in a commit of its own, its message on disk before it."""
    store = await SqliteStore.open(path)
    claim = await store.claim("alone", 60.0, 0.0)
    turns = [turn for batch in batches for turn in batch.turns]
    mail = {send.id: send for turn in turns for send in turn.sends}
    mail.update({one.id: one for batch in batches for one in batch.appends})
    base = Batch(node="alone", fence=claim.fence, at=0.0)
    await store.commit(attrs.evolve(base, appends=tuple(_first(mail, turns))))
    began = perf_counter()
    for turn in turns:
        alone = attrs.evolve(turn, revision=0, fence=claim.fence)
        result = await store.commit(attrs.evolve(base, turns=(alone,)))
        assert not hasattr(result, "offenders"), result
    took = perf_counter() - began
    await store.close()
    return took


def _first(mail: dict[str, Envelope], turns: list[Turn]) -> Iterator[Envelope]:
    """The messages that no turn sends: they came from the host."""
    sent = {send.id for turn in turns for send in turn.sends}
    yield from (one for one in mail.values() if one.id not in sent)


def _held(folder: Path, rounds: int) -> Figure:
    batches = asyncio.run(observe(fresh(folder, "watched"), 100, 20)).batches
    longest = [asyncio.run(held(folder, batches)) * 1e3 for _ in range(rounds)]
    return Figure(name="the loop held by a commit, at most", unit="ms", ours=median(longest), target=at_most(10))


async def held(folder: Path, batches: list[Batch]) -> float:
    """Seconds of the longest turn of a loop that does nothing but wait for these commits."""
    path = fresh(folder, "held")
    await claim(path, batches[-1].node)
    store = await SqliteStore.open(path)
    longest, going = 0.0, True

    async def watch() -> None:
        nonlocal longest
        while going:
            began = perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, perf_counter() - began)

    watching = asyncio.ensure_future(watch())
    for batch in batches:
        await store.commit(batch)
    going = False
    await watching
    await store.close()
    return longest


def _herd(folder: Path, amounts: tuple[int, ...]) -> Iterator[Figure]:
    python = Interpreter(folder)
    totals: list[float] = []
    for amount in amounts:
        seconds, peak, size = python.run(str(HERD), str(amount), str(folder)).split()
        totals.append(float(seconds) * amount)
        yield Figure(name=f"a herd of {amount:,}, each", unit="us", ours=float(seconds) * 1e6)
        yield Figure(name=f"a herd of {amount:,}, memory at its peak", unit="MB", ours=float(peak) / 1e6)
        yield Figure(name=f"a herd of {amount:,}, file", unit="MB", ours=float(size) / 1e6)
    growth = exponent(amounts, totals)
    yield Figure(name="growth", unit="", ours=growth, target=at_most(1.1))
