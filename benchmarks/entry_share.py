"""What the entries of the logbook cost of a durable turn and of a step of an agent: short slices, in turns.

Both sides are open in one process, and each has short slices of work one after the other. What is compared is CPU time
of the process, which other processes do not add to; waiting for the disk is not in it, so the share that the entries
have of the time on the clock is smaller.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.agent_loops.ours import agent
from benchmarks.durable_rate import HELD, Account, Book, Deposit
from benchmarks.figure import Figure
from benchmarks.raw_commit import fresh
from benchmarks.target import at_most

from choragus.agents import Runtime
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Rejected
from choragus.supervision.system import System

KEPT = ("conversation/", "results/", "context/", "plan/")
"""The streams that a run reads back stay."""
ENDS = ("run.started", "run.ended")
"""As do the entries by which whoever waits for a run knows that it has ended."""
SHARE = 1.15

Slice = Callable[[], Awaitable[object]]
"""Does a little work; always as much."""


class Dropping(SqliteStore):
    """A store for this benchmark alone, which forgets what the logbook should keep."""

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """Write everything else."""
        for turn in batch.turns:
            if turn.entries:
                kept = tuple(entry for entry in turn.entries if entry.stream.startswith(KEPT) or entry.kind in ENDS)
                object.__setattr__(turn, "entries", kept)
        return await super().commit(batch)


def shares(folder: Path, quick: bool) -> list[Figure]:
    """A turn of one actor, of a hundred, and a step of an agent."""
    rounds = 25 if quick else 101
    return [
        _figure("a turn, 1 actor", folder, rounds, 100, lambda store: depositing(store, 1, 100)),
        _figure("a turn, 100 actors", folder, rounds, 200, lambda store: depositing(store, 100, 2)),
        _figure("a step of an agent", folder, rounds, 10, stepping),
    ]


@asynccontextmanager
async def depositing(store: SqliteStore, actors: int, times: int) -> AsyncIterator[Slice]:
    """So many turns of each actor."""
    async with System(store=store, actors=[Account, Book], held=[HELD]) as system:
        refs = [system.ref(Account, f"account-{n}") for n in range(actors)]

        async def customer(number: int) -> None:
            for turn in range(times):
                await refs[number].ask(Deposit(turn, "a note of forty characters, more or less"))

        async def once() -> object:
            return await asyncio.gather(*(customer(number) for number in range(actors)))

        yield once


@asynccontextmanager
async def stepping(store: SqliteStore) -> AsyncIterator[Slice]:
    """A run of ten steps, each a call of the model and one of a tool."""
    async with Runtime(store=store, agents=[agent]) as runtime:

        async def once() -> object:
            return await (await runtime.start(agent, "Add.")).result()

        yield once


def _figure(
    name: str,
    folder: Path,
    rounds: int,
    amount: int,
    work: Callable[[SqliteStore], AbstractAsyncContextManager[Slice]],
) -> Figure:
    ours, other = asyncio.run(_slices(folder, rounds, work))
    low, middle, high = interval([one / two for one, two in zip(ours, other, strict=True)])
    return Figure(
        name=f"{name}, CPU ({low:.3f} to {high:.3f})",
        unit="us",
        ours=median(ours) / amount * 1e6,
        other=median(other) / amount * 1e6,
        ratio=middle,
        target=at_most(SHARE),
    )


async def _slices(
    folder: Path, rounds: int, work: Callable[[SqliteStore], AbstractAsyncContextManager[Slice]]
) -> tuple[list[float], list[float]]:
    """CPU seconds of each slice with entries and without, a pair for each round."""
    taken: tuple[list[float], list[float]] = ([], [])
    async with AsyncExitStack() as stack:
        sides = [
            await stack.enter_async_context(work(await kind.open(fresh(folder, kind.__name__))))
            for kind in (SqliteStore, Dropping)
        ]
        for side in (0, 1, 0, 1):
            await sides[side]()
        gc.disable()
        try:
            for number in range(rounds):
                for side in (0, 1) if number % 2 else (1, 0):
                    gc.collect()
                    begin = process_time()
                    await sides[side]()
                    taken[side].append(process_time() - begin)
        finally:
            gc.enable()
    return taken


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median with the 95 % interval of its order statistics.

    >>> interval([float(n) for n in range(1, 102)])
    (41.0, 51.0, 61.0)
    """
    ordered = sorted(values)
    half = 0.98 * len(ordered) ** 0.5
    middle = (len(ordered) - 1) / 2
    return ordered[max(0, round(middle - half))], median(ordered), ordered[min(len(ordered) - 1, round(middle + half))]
