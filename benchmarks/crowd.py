"""Many actors or messages in a process of their own, so that memory and the garbage collector begin afresh.

    python benchmarks/crowd.py idle|tell|spawn choragus|handwritten AMOUNT

Prints the bytes of an idle actor; or, for messages told to one actor and for actors that are spawned, told once and
stopped, the seconds for one of them and the bytes of the whole process at its peak.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import workload
from benchmarks.actor_rate import run
from benchmarks.child import peak
from benchmarks.crew import roomy, spawned
from benchmarks.handwritten import handwritten
from benchmarks.workload import Get, Hire

SMAPS = Path("/proc/self/smaps_rollup")
SETTLED = 100_000
"""Smaller amounts are done so often that they come to this many, and the median counts."""


def main(what: str, whose: str, amount: int) -> None:
    """Do the work, print the figures."""
    ours = roomy if what == "tell" else spawned
    hire = ours if whose == "choragus" else handwritten
    if what == "idle":
        print(asyncio.run(idle(hire, amount)))
        return
    work = workload.tell if what == "tell" else workload.spawn
    print(median([run(work, hire, amount) for _ in range(max(1, SETTLED // amount))]), peak())


async def idle(hire: Hire, amount: int) -> float:
    """Resident bytes per actor that has handled one message and waits, with whatever refers to it."""
    await asyncio.sleep(0)
    before = resident()
    async with hire(amount) as workers:
        for worker in workers:  # one after the other: what a burst leaves to the allocator is no actor's
            assert await worker.ask(Get()) == 0
        return (resident() - before) / amount


def resident() -> int:
    """Bytes of memory that this process has now, shared ones by their share (PSS)."""
    gc.collect()
    line = next(line for line in SMAPS.read_text().splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
