"""Durable actors: turns per second, and what of that SQLite would take for the same rows alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import cast

import attrs
from benchmarks.figure import Figure, Section, cost, rate
from benchmarks.raw_commit import flush, fresh, replay, rows_of, write
from benchmarks.reopening import left, read, reopened

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.mailbox.codec import stored
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Rejected
from choragus.supervision.system import System

HELD = "book"
NOTES = (
    "a turn: the message off, ~1 KB of state (12 nested lines), a message sent on to an actor that is not woken, a "
    "line of the actor's stream with its head, a batch row; the host's message comes with it, and leaves no row",
    "each actor is asked in sequence; with 100 the asks of different actors share commits",
    "raw sqlite3: the same rows, tables and batches, prepared beforehand: no codec, digest, look-up, thread or loop",
    "store alone: the recorded batches through SqliteStore.commit, so the rest is what actors and asks add",
    "every commit is flushed on both sides (synchronous=FULL); the batches for the others are from a run of their own",
)


@attrs.frozen
class Line:
    """One line of an account."""

    number: int
    amount: int
    note: str


@stored("benchmark.ledger")
@attrs.define
class Ledger:
    """About 1 KB of JSON."""

    count: int = 0
    lines: list[Line] = attrs.field(
        factory=lambda: [Line(n, n, "a note of forty characters, more or less") for n in range(12)]
    )


@stored("benchmark.deposit")
@attrs.frozen
class Deposit(Request[int]):
    """Asked by the host."""

    amount: int
    note: str


@stored("benchmark.notice")
@attrs.frozen
class Notice:
    """Sent on."""

    number: int
    note: str


class Book(DurableActor[Ledger, Notice], name="benchmark.book"):
    """Where the notices go; its key is held, so it never takes them."""

    @handle
    def notice(self, message: Notice) -> None:
        raise AssertionError("held")


class Account(DurableActor[Ledger, Deposit], name="benchmark.account"):
    """Takes deposits."""

    @property
    def stream(self) -> str:
        return f"account/{self.key}"

    @handle
    async def deposit(self, message: Deposit) -> int:
        state = self.state
        state.count += 1
        state.lines[state.count % len(state.lines)] = Line(state.count, message.amount, message.note)
        self.ref(Book, HELD).tell(Notice(state.count, message.note))
        self.log("deposited", amount=message.amount, number=state.count)
        return state.count


class Recording(SqliteStore):
    """The store, keeping the batches that it was given."""

    batches: list[Batch]
    keeps: bool

    async def commit(self, batch: Batch) -> Committed | Rejected:
        if self.keeps:
            self.batches.append(batch)
        return await super().commit(batch)


@attrs.frozen(kw_only=True)
class Observed:
    """One measured run: its seconds, the seconds of each ask, all batches, and where the measured ones begin."""

    seconds: float
    asks: list[float] = attrs.field(repr=False)  # asyncio.run spells its result out when it gives SIGINT back
    batches: list[Batch] = attrs.field(repr=False)
    begin: int


async def recording(path: Path, *, keeps: bool) -> Recording:
    """A store that keeps its batches, or not: kept, they are what the collector of garbage goes through."""
    store = cast("Recording", await Recording.open(path))
    store.batches, store.keeps = [], keeps
    return store


async def observe(path: Path, actors: int, turns: int, *, keeps: bool = True) -> Observed:
    """Ask `actors` accounts `turns` times each."""
    store = await recording(path, keeps=keeps)
    async with System(store=store, actors=[Account, Book], held=[HELD]) as system:
        refs = [system.ref(Account, f"account-{n}") for n in range(actors)]
        asks: list[float] = []

        async def customer(number: int, times: int) -> None:
            for turn in range(times):
                begin = perf_counter()
                await refs[number].ask(Deposit(turn, "a note of forty characters, more or less"))
                asks.append(perf_counter() - begin)

        await asyncio.gather(*(customer(number, 3) for number in range(actors)))
        asks.clear()
        first = len(store.batches)
        begin = perf_counter()
        await asyncio.gather(*(customer(number, turns) for number in range(actors)))
        took = perf_counter() - begin
        return Observed(seconds=took, asks=asks, batches=list(store.batches), begin=first)


async def observe_tells(path: Path, tells: int, *, keeps: bool = True) -> Observed:
    """Tell one actor that never wakes; the last of every 2,000 is waited for, as a host does that heeds the backlog."""
    store = await recording(path, keeps=keeps)
    async with System(store=store, actors=[Account, Book], held=[HELD]) as system:
        book = system.ref(Book, HELD)
        await book.send(Notice(0, ""))
        first = len(store.batches)
        began = perf_counter()
        for number in range(tells):
            notice = Notice(number, "a note of forty characters, more or less")
            if number % 2_000 == 1_999 or number == tells - 1:
                await book.send(notice)
            else:
                book.tell(notice)
        took = perf_counter() - began
        return Observed(seconds=took, asks=[0.0], batches=list(store.batches), begin=first)


@attrs.define
class Series:
    """What the rounds gave, in seconds."""

    ours: list[float] = attrs.field(factory=list)
    raw: list[float] = attrs.field(factory=list)
    store: list[float] = attrs.field(factory=list)
    ask: list[float] = attrs.field(factory=list)
    commit: list[float] = attrs.field(factory=list)
    flush: list[float] = attrs.field(factory=list)
    size: list[float] = attrs.field(factory=list)

    def measure(self, folder: Path, actors: int, turns: int) -> None:
        """One round of turns."""
        taken = asyncio.run(observe(fresh(folder, "actors"), actors, turns, keeps=False))
        self.compare(folder, taken, asyncio.run(observe(fresh(folder, "kept"), actors, turns)))

    def compare(self, folder: Path, taken: Observed, seen: Observed) -> None:
        """One round: what it took, then the batches of another such run, raw and through the store."""
        self.flush.append(flush(folder))
        commits = write(folder, rows_of(folder, seen.batches), seen.begin)
        self.ours.append(taken.seconds)
        self.raw.append(sum(commits))
        self.store.append(replay(folder, seen.batches, seen.begin))
        self.ask.append(median(taken.asks))
        self.commit.append(median(commits))
        self.size.append(mean(len(one.turns) + len(one.appends) for one in seen.batches[seen.begin :]))


def section(folder: Path, quick: bool) -> Section:
    """Measure 1 and 100 actors: 3 rounds, or 5."""
    rounds, share = (3, 4) if quick else (5, 1)
    figures: list[Figure] = []
    sizes: list[str] = []
    for actors, turns in ((1, 2_000 // share), (100, 100 // share)):
        series = Series()
        for _ in range(rounds):
            series.measure(folder, actors, turns)
        figures += _figures(actors, turns, series)
        sizes.append(f"{median(series.size):.1f} with {actors}")
    figures += [*_tells(folder, rounds, 20_000 // share), _reopening(folder, rounds, share)]
    flushed = median(series.flush) * 1e3
    figures.append(Figure(name="fsync of 4 KiB, at this moment", unit="ms", ours=flushed))
    return Section(
        "Durable turns", "raw sqlite3", figures, (*NOTES, f"turns and messages per commit: {', '.join(sizes)}")
    )


def _tells(folder: Path, rounds: int, tells: int) -> list[Figure]:
    series = Series()
    for _ in range(rounds):
        taken = asyncio.run(observe_tells(fresh(folder, "tells"), tells, keeps=False))
        series.compare(folder, taken, asyncio.run(observe_tells(fresh(folder, "kept"), tells)))
    return [
        rate("durable tells to one actor", "msg/s", tells, series.ours, series.raw),
        rate("the same, store alone", "msg/s", tells, series.store, series.raw),
    ]


def _reopening(folder: Path, rounds: int, share: int) -> Figure:
    actors, messages = 10_000 // share, 100_000 // share
    path = asyncio.run(left(folder, actors, messages, Ledger(), Deposit(1, "a note of forty characters, more or less")))
    ours, raw = [], []
    for _ in range(rounds):
        ours.append(asyncio.run(reopened(path)) * 1e3)
        raw.append(read(path) * 1e3)
    return cost(f"reopening, {actors:,} actors, {messages:,} messages, against reading them", "ms", ours, raw)


def _figures(actors: int, turns: int, series: Series) -> list[Figure]:
    amount, who = actors * turns, f"{actors} actor{'s' if actors > 1 else ''}"
    figures = [
        rate(f"turns, {who}", "turns/s", amount, series.ours, series.raw),
        rate(f"the same, store alone, {who}", "turns/s", amount, series.store, series.raw),
    ]
    if actors == 1:
        asks, commits = [one * 1e3 for one in series.ask], [one * 1e3 for one in series.commit]
        figures.append(cost("one ask, median, against one commit", "ms", asks, commits))
    return figures
