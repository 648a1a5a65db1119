"""One test on each kind of store: in simulated time where it is in memory, on a real loop where it is a file."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import ParamSpec

from choragus.actors.testing.loop import SimulatedLoop, clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

P = ParamSpec("P")


class Reopen:
    """Opens one store again and again, for the systems of a test that run one after the other; each run has its own.

    Args:
        path: the file; None keeps it in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._memories: dict[asyncio.AbstractEventLoop, MemoryStore] = {}

    async def __call__(self) -> Store:
        if self.path is not None:
            return await SqliteStore.open(self.path)
        return self._memories.setdefault(asyncio.get_running_loop(), MemoryStore())


def on_each_store(
    *, seeds: Iterable[int] = range(5)
) -> Callable[[Callable[P, Coroutine[object, object, None]]], Callable[P, None]]:
    """Run an async test that takes `reopen`: in memory once for each seed and simulated, with a file as it is.

    A file needs a thread, and that a real loop; there the test waits for what it is told, never for a time.
    """

    def decorate(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
        virtual = simulated(seeds=seeds)(test)

        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            reopen = kwargs["reopen"]
            assert isinstance(reopen, Reopen)
            if reopen.path is None:
                virtual(*args, **kwargs)
            else:
                asyncio.run(test(*args, **kwargs))

        return run

    return decorate


def wall() -> float:
    """The wall time of the simulation that runs, else the real one."""
    return clock() if _is_simulated() else time.time()


async def settle() -> None:
    """Let everything happen that can without time passing; on a real loop, which cannot tell, 200 turns of it."""
    if _is_simulated():
        await settled()
    else:
        for _ in range(200):
            await asyncio.sleep(0)


async def pause() -> None:
    """Before one looks again: a second of a simulation; on a real loop, where time passes anyway, one turn."""
    await asyncio.sleep(1 if _is_simulated() else 0)


def _is_simulated() -> bool:
    return isinstance(asyncio.get_running_loop(), SimulatedLoop)
