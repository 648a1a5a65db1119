"""An hour of steady work in one process, and whether anything of it stays behind in memory.

    nice python -m tests.faults.soak --minutes 60

A bank of durable actors with timers, effects and steps, and runs of an agent with forks and approvals, take a quarter
of a core; what is old is pruned. What a system keeps is bounded, and here by less, so that it is level after minutes:
1,000 idle actors in place of 10,000, and 256 records of what was handled in place of 4,096. Each minute prints a line.
Ends with 1 when in the second half memory, blocks of it, tasks, threads or open files grew by more than 1 % an hour,
noise taken off, or a file does not verify. Less than 20 minutes are for a try: it is still warming up then, and growth
is no failure.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path

import attrs

from choragus.actors import population, trace

from .traffic import Counting, Pace, bank, runs
from .trend import trend

EVERY = 1.0
LIMIT = 0.01
"""Growth in an hour, in the second half."""
LEAST = 20
"""Minutes from which on growth is a failure."""
MEGABYTE = 1_000_000
CELLS, RECORDED = 1_000, 256
FIGURES = ("RSS", "blocks", "tasks", "threads", "descriptors", "workers")
JUDGED = FIGURES[:5]
"""Not the workers: of those that have nothing to do a system keeps 64, as many as were ever busy at a time."""


def _now() -> tuple[float, ...]:
    """The figures at present: bytes, allocated blocks of the interpreter, and counts."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    workers = sum(task.get_name() == "choragus:worker" for task in asyncio.all_tasks())
    return (
        pages * resource.getpagesize(),
        sys.getallocatedblocks(),
        len(asyncio.all_tasks()) - workers,
        threading.active_count(),
        len(os.listdir("/proc/self/fd")),
        workers,
    )


@attrs.define
class Samples:
    """A sample each second; room is made for all of them before the first, so that taking them is no growth."""

    size: int
    taken: int = 0
    rows: list[array[float]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.rows = [array("d", [1.0]) * self.size for _ in FIGURES]

    def take(self) -> None:
        """One of each figure; what comes when all room is taken is left out."""
        if self.taken < self.size:
            for row, value in zip(self.rows, _now(), strict=True):
                row[self.taken] = value
            self.taken += 1

    def latest(self, count: int) -> list[float]:
        """The median of the latest so many, of each figure."""
        return [statistics.median(row[max(0, self.taken - count) : self.taken]) for row in self.rows]

    def second_half(self) -> dict[str, list[float]]:
        """The samples of each figure that is judged."""
        rows = zip(JUDGED, self.rows, strict=False)
        return {figure: list(row[self.taken // 2 : self.taken]) for figure, row in rows}


@attrs.define
class Soak:
    """The work of a soak, and what it is measured by."""

    bank: Counting
    agents: Counting
    samples: Samples
    ended: int = 0

    def end(self) -> None:
        """One more run."""
        self.ended += 1

    async def watch(self, minutes: int) -> None:
        """Take samples, print a line each minute, and return when they are over."""
        begun, spent = time.monotonic(), time.process_time()
        print(
            f"{'minute':>6} {'RSS MB':>7} {'blocks':>8} {'tasks':>5} {'threads':>7} {'fds':>4} {'workers':>7}", end=" "
        )
        print(
            f"{'bank MB':>7} {'WAL':>5} {'runs MB':>7} {'WAL':>5} {'turns':>8} {'messages':>8} {'runs':>6} {'CPU':>4}"
        )
        for second in range(1, minutes * 60 + 1):
            await asyncio.sleep(max(0.0, begun + second * EVERY - time.monotonic()))
            self.samples.take()
            if second % 60 == 0:
                share = (time.process_time() - spent) / (time.monotonic() - begun)
                print(self._line(second // 60, share), flush=True)

    def _line(self, minute: int, share: float) -> str:
        rss, blocks, tasks, threads, files, workers = self.samples.latest(60)
        sizes = " ".join(
            f"{_size(store.path):7.1f} {_size(_log(store.path)):5.1f}" for store in (self.bank, self.agents)
        )
        turns, messages = self.bank.turns + self.agents.turns, self.bank.messages + self.agents.messages
        return (
            f"{minute:6} {rss / MEGABYTE:7.2f} {blocks:8.0f} {tasks:5.0f} {threads:7.0f} {files:4.0f} {workers:7.0f} "
            f"{sizes} {turns:8} {messages:8} {self.ended:6} {share:4.0%}"
        )


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> float:
    return path.stat().st_size / MEGABYTE if path.exists() else 0.0


async def soak(folder: Path, minutes: int, share: float) -> Soak:
    """Work for so many minutes."""
    done = Soak(await _opened(folder / "bank.db"), await _opened(folder / "runs.db"), Samples(minutes * 60))
    pace = Pace(share)
    async with asyncio.TaskGroup() as group:
        work = [group.create_task(bank(done.bank, pace)), group.create_task(runs(done.agents, pace, done.end))]
        await done.watch(minutes)
        for one in work:
            one.cancel()
    return done


async def _opened(path: Path) -> Counting:
    store = await Counting.open(path)
    assert isinstance(store, Counting)
    return store


def verdict(samples: Samples) -> bool:
    """Print how each figure went in the second half; whether none grew."""
    is_flat = True
    for figure, row in samples.second_half().items():
        found = trend(row, EVERY)
        grows = found.exceeds(LIMIT)
        word = "grows" if grows else "flat" if found.is_within(LIMIT) else "too short or too noisy to tell"
        print(f"{figure:12} {found}: {word}")
        is_flat = is_flat and not grows
    return is_flat


async def whole(path: Path) -> bool:
    """Whether a file verifies; says what is wrong."""
    store = await Counting.open(path, visitor=True)
    try:
        found = await store.verify()
    finally:
        await store.close()
    for problem in found.problems:
        print(f"{path.name}: {problem}", file=sys.stderr)
    return not found.problems


def main() -> int:
    """Parse, work, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="how long; 60 by default")
    parser.add_argument("--share", type=float, default=0.25, help="of one core, at most; 0.25 by default")
    given = parser.parse_args()
    if not Path("/proc/self/statm").exists():
        print("memory is read as on Linux, from /proc/self/statm, which is not here", file=sys.stderr)
        return 2
    logging.getLogger().addHandler(logging.NullHandler())  # failures on purpose are many
    population.CELLS, trace.RECORDED = CELLS, RECORDED
    with tempfile.TemporaryDirectory() as folder:
        done = asyncio.run(soak(Path(folder), given.minutes, given.share))
        is_flat = verdict(done.samples)
        are_whole = all(asyncio.run(whole(store.path)) for store in (done.bank, done.agents))
    is_try = given.minutes < LEAST
    return 0 if are_whole and (is_flat or is_try) else 1


if __name__ == "__main__":
    sys.exit(main())
