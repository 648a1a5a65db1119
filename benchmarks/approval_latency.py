"""How soon a person's decision, written by a second process, moves a live run."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic

import attrs
from benchmarks.figure import Figure, Section
from benchmarks.raw_commit import fresh

from choragus.agents import Agent, FunctionModel, Prompt, Runtime, ToolCall, tool
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.run import Run

VISITOR = Path(__file__).resolve().parent / "visitor.py"
NOTES = (
    "from just before a second process's store.append, its commit included, by one clock (CLOCK_MONOTONIC)",
    "seen: the guardrail's turn on the decision is on disk and run.events gives it; acted: the approved tool has begun",
    "the live process looks for what others wrote every 40 ms; the goal is below 100 ms",
)


@attrs.frozen
class Latency:
    """Seconds until the decision was seen, and until the tool began."""

    seen: float
    acted: float


def section(folder: Path, quick: bool) -> Section:
    """Measure 20 decisions."""
    latencies = asyncio.run(measure(fresh(folder, "approval"), 20))
    seen, acted = [one.seen * 1e3 for one in latencies], [one.acted * 1e3 for one in latencies]
    figures = [
        Figure(name="decision seen, median", unit="ms", ours=median(seen)),
        Figure(name="decision seen, longest of 20", unit="ms", ours=max(seen)),
        Figure(name="decision acted on, median", unit="ms", ours=median(acted)),
        Figure(name="decision acted on, longest of 20", unit="ms", ours=max(acted)),
    ]
    return Section("A decision from a second process", "", figures, NOTES)


async def measure(path: Path, times: int) -> list[Latency]:
    """A run that needs `times` approvals, each given by a visitor."""
    begun: list[float] = []

    @tool(risk="irreversible")
    def launch(number: int) -> int:
        """Launch."""
        begun.append(monotonic())
        return number

    agent = Agent("launcher", model=FunctionModel(_next(times)), prompt=Prompt("Launch."), tools=[launch])
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Launch.")
        visitor = await asyncio.create_subprocess_exec(sys.executable, str(VISITOR), str(path), stdin=PIPE, stdout=PIPE)
        assert visitor.stdout is not None
        await visitor.stdout.readline()
        written, seen = await _follow(run, visitor, times)
        await run.result(timeout=10.0)
        visitor.terminate()
        await visitor.wait()
    return [Latency(*both) for both in zip(*(_since(written, moments) for moments in (seen, begun)), strict=True)]


async def _follow(run: Run, visitor: Process, times: int) -> tuple[list[float], list[float]]:
    """When each decision was written, and when it was seen."""
    assert visitor.stdin is not None
    assert visitor.stdout is not None
    written: list[float] = []
    seen: list[float] = []
    async for event in run.events():
        if event.kind == "approval.decided":
            seen.append(monotonic())
            written.append(float(await visitor.stdout.readline()))
        elif event.kind == "approval.requested":
            # the next look for foreign writes is at any moment of its 40 ms, as for a person
            await asyncio.sleep(0.013 * (len(written) % 7) + 0.05)
            visitor.stdin.write(f"{run.id} {event.data['call']} {event.data['hash']}\n".encode())
    assert len(written) == times
    return written, seen


def _next(times: int) -> Callable[[ModelRequest], ModelReply]:
    def decide(request: ModelRequest) -> ModelReply:
        done = sum(message.role == "tool" for message in request.messages)
        if done == times:
            return ModelReply(text="Launched.")
        return ModelReply(calls=(ToolCall(f"launch-{done}", "launch", {"number": done}),), stop="tool_calls")

    return decide


def _since(begins: list[float], ends: list[float]) -> list[float]:
    return [end - begin for begin, end in zip(begins, ends, strict=True)]
