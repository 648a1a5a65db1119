"""One agent loop in a process of its own: a model without latency, one tool call a step, ten steps and an answer.

    python benchmarks/agent_loop.py NAME RUNS AT_ONCE FOLDER

Prints the seconds of a step when one run goes on at a time (the median over RUNS), the seconds of a step when AT_ONCE
go on at a time (the median of three times), and the bytes of the whole process at its peak.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.child import peak

STEPS = 10
WARM = 3
TIMES = 3

Once: TypeAlias = Callable[[], Awaitable[int]]
"""Does one run, and gives back how many calls of the tool it made."""
Loop: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Once]]
"""Makes ready for runs; files go into the folder."""

LOOPS = {
    "handwritten": "benchmarks.agent_loops.handwritten:loop",
    "choragus": "benchmarks.agent_loops.ours:in_memory",
    "choragus-durable": "benchmarks.agent_loops.ours:durable",
    "pydantic-ai": "benchmarks.agent_loops.pydantic_ai_loop:loop",
    "openai-agents": "benchmarks.agent_loops.openai_agents_loop:loop",
    "langchain": "benchmarks.agent_loops.langchain_loop:in_memory",
    "langchain-durable": "benchmarks.agent_loops.langchain_loop:durable",
    "autogen-agentchat": "benchmarks.agent_loops.agentchat_loop:loop",
}


def load(name: str) -> Loop:
    """The loop of that name; its library is imported only now."""
    module, _, function = LOOPS[name].partition(":")
    return cast("Loop", getattr(import_module(module), function))


async def measured(loop: Loop, folder: Path, runs: int, at_once: int) -> tuple[float, float]:
    """Seconds of a step alone, and with many runs at once."""
    async with loop(folder) as once:
        for _ in range(WARM):
            await _one(once)
        gc.collect()
        alone = [await _one(once) for _ in range(runs)]
        crowded = []
        for _ in range(TIMES):
            begin = perf_counter()
            await asyncio.gather(*(_one(once) for _ in range(at_once)))
            crowded.append((perf_counter() - begin) / at_once)
        return median(alone) / STEPS, median(crowded) / STEPS


async def _one(once: Once) -> float:
    begin = perf_counter()
    calls = await once()
    assert calls == STEPS, calls
    return perf_counter() - begin


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    alone, crowded = asyncio.run(measured(load(sys.argv[1]), Path(sys.argv[4]), int(sys.argv[2]), int(sys.argv[3])))
    print(alone, crowded, peak())
