"""Many durable actors in one file, in a process of its own.

    python benchmarks/durable_herd.py AMOUNT FOLDER

Each is told once; prints the seconds for one of them, the bytes of the process at its peak, and those of the file.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import attrs
from benchmarks.child import peak

from choragus.actors import DurableActor, Request, handle
from choragus.mailbox import stored
from choragus.supervision import System

WAVE = 1_000
"""How many are told before the host waits for them."""


@stored("benchmark.herd.tag")
@attrs.define
class Tag:
    """How often it was told."""

    told: int = 0


@stored("benchmark.herd.call")
@attrs.frozen
class Call(Request[int]):
    """Count one more."""


class Sheep(DurableActor[Tag, Call], name="benchmark.herd.sheep"):
    """One of many."""

    @handle
    def call(self, message: Call) -> int:
        self.state.told += 1
        return self.state.told


async def drive(path: Path, amount: int) -> float:
    """Seconds for one actor."""
    async with System(path, actors=[Sheep]) as system:
        began = perf_counter()
        for first in range(0, amount, WAVE):
            told = await asyncio.gather(
                *(system.ref(Sheep, f"sheep-{n}").ask(Call()) for n in range(first, min(first + WAVE, amount)))
            )
            assert set(told) == {1}
        took = perf_counter() - began
        await asyncio.sleep(0)
        assert await system.ref(Sheep, "sheep-0").ask(Call()) == 2  # long since out of memory, and there again
    return took / amount


if __name__ == "__main__":
    count, file = int(sys.argv[1]), Path(sys.argv[2]) / f"herd-{sys.argv[1]}.db"
    print(asyncio.run(drive(file, count)), peak(), file.stat().st_size)
    file.unlink()
