"""What traces cost: on the path of a turn, which is nothing, and in the tracer's own time."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from statistics import median
from time import process_time, thread_time
from types import FrameType

import attrs
from benchmarks.figure import Figure, Section, cost, interleaved
from benchmarks.target import at_most
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from choragus.agents import tracer
from choragus.agents.agent import Agent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.telemetry import Telemetry
from choragus.agents.telemetry.convention import V1_41
from choragus.agents.telemetry.shelf import Shelf
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import LogEntry

STEPS = 20
ON_THE_PATH = "on the path of a turn, an entry"
NOTES = (
    f"a run: {STEPS} steps of a model call and a tool call, in memory; an entry is one line of its logbook",
    "on the path: how many functions more the event loop's thread calls for a run while a tracer is there whose",
    "exporter holds on to its first page, so that all that it would do later is left out, at the CPU time that a call",
    "takes without a tracer: the times of runs differ by more than the whole of it",
    "in all: CPU of the process with a tracer that exports everything into nothing, against one without, the least of",
    "all rounds on either side",
    "spans: the tracer's own work alone, from entries to spans of the SDK, and to values of metrics",
)


@tool(risk="read")
def add(one: int, other: int) -> int:
    """Add."""
    return one + other


def section(quick: bool) -> Section:
    """Measure: 7 rounds of 10 runs, or 15 of 15."""
    rounds, runs = (7, 10) if quick else (15, 15)
    entries = _entries(runs)
    path = _path(15 if quick else 40)
    plain, full = interleaved(lambda: _all(runs, None), lambda: _all(runs, Dropping()), rounds=rounds)
    figures = [
        Figure(name=ON_THE_PATH, unit="µs", ours=path.more(len(entries) / runs), target=at_most(2.0)),
        cost("the path of a run, with a tracer", "ms", _each(path.seconds[1]), _each(path.seconds[0])),
        attrs.evolve(_more("in all, an entry", full, plain, len(entries)), target=None),
        Figure(name="entries to spans, an entry", unit="µs", ours=_telling(entries, rounds)),
    ]
    return Section("Telemetry", "no tracer", figures, NOTES)


class Dropping(SpanExporter):
    """Takes everything and keeps nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Done."""
        return SpanExportResult.SUCCESS


class Holding(SpanExporter):
    """Holds on to its first page until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """When it may."""
        self.go.wait()
        return SpanExportResult.SUCCESS


def _more(name: str, ours: Sequence[float], other: Sequence[float], entries: int) -> Figure:
    """What one costs more than the other for an entry, in microseconds: the least of each, which others disturb least.

    The difference is a small part of either, and the median of what is disturbed would hide it.
    """
    return Figure(name=name, unit="µs", ours=(min(ours) - min(other)) / entries * 1e6, target=at_most(2.0))


def _each(seconds: Sequence[float]) -> list[float]:
    return [one * 1e3 for one in seconds]


def _agent() -> Agent:
    usage = Usage(input_tokens=10, output_tokens=5)

    def model(request: ModelRequest) -> ModelReply:
        done = sum(message.role == "tool" for message in request.messages)
        if done == STEPS:
            return ModelReply(text="done", usage=usage)
        return ModelReply(calls=(ToolCall("", "add", {"one": done, "other": 1}),), usage=usage)

    return Agent("adder", model=FunctionModel(model), tools=[add], limits=Limits(steps=STEPS + 1, tokens=10**9))


@attrs.frozen
class Path:
    """What runs took on the path of their turns, each without a tracer and with one: calls, and seconds of CPU."""

    calls: tuple[list[int], list[int]] = attrs.field(factory=lambda: ([], []))
    seconds: tuple[list[float], list[float]] = attrs.field(factory=lambda: ([], []))

    def more(self, entries: float) -> float:
        """Microseconds of CPU more for an entry with a tracer: the calls more, at what a call takes without one.

        Calls hardly differ from run to run, where times differ by more than what is looked for.
        """
        bare, held = (median(one) for one in self.calls)
        return (held - bare) / entries * median(self.seconds[0]) / bare * 1e6


def _path(pairs: int) -> Path:
    """Both runtimes are open at once and take turns, run by run: the machine is the same for both."""

    async def play() -> Path:
        agents, exporter, found = (_agent(), _agent()), Holding(), Path()
        async with (
            Runtime(agents=agents[:1]) as bare,
            Runtime(agents=agents[1:], telemetry=_telemetry(exporter)) as held,
        ):
            sides = ((bare, agents[0]), (held, agents[1]))
            for side in sides:
                await _run(*side)  # the tracer's first page, on which it is held
            await asyncio.sleep(0.5)
            for pair in range(pairs):
                for at in (0, 1) if pair % 2 else (1, 0):
                    begin = thread_time()
                    await _run(*sides[at])
                    found.seconds[at].append(thread_time() - begin)
                    found.calls[at].append(await _counted(*sides[at]))
            exporter.go.set()
        return found

    taking, tracer.TAKING = tracer.TAKING, 600.0  # nobody is told that the exporter holds on
    try:
        return asyncio.run(play())
    finally:
        tracer.TAKING = taking


async def _run(runtime: Runtime, agent: Agent) -> None:
    """One run, with what is done behind its end."""
    await (await runtime.start(agent, "Add.")).result()
    for _ in range(50):
        await asyncio.sleep(0)


async def _counted(runtime: Runtime, agent: Agent) -> int:
    """How many functions are called in the loop's thread for one run."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        await _run(runtime, agent)
    finally:
        sys.setprofile(None)
    return calls


def _all(runs: int, exporter: Dropping | None) -> float:
    """Seconds of CPU of the process for these runs, with all that is exported."""

    async def play() -> float:
        agent = _agent()
        begin = process_time()
        async with Runtime(agents=[agent], telemetry=_telemetry(exporter)) as runtime:
            for _ in range(runs):
                await (await runtime.start(agent, "Add.")).result()
        return process_time() - begin

    return asyncio.run(play())


def _entries(runs: int) -> list[LogEntry]:
    """What these runs enter."""

    async def play() -> list[LogEntry]:
        agent, store = _agent(), MemoryStore()
        async with Runtime(agents=[agent], store=store) as runtime:
            for _ in range(runs):
                await (await runtime.start(agent, "Add.")).result()
        return await store.log(after=0, limit=10**9)

    return asyncio.run(play())


def _telling(entries: Sequence[LogEntry], rounds: int) -> float:
    """Microseconds of CPU for an entry."""
    outlet = Telemetry(exporter=Dropping()).outlets()[0]

    async def tell() -> float:
        begin = thread_time()
        facts = await Shelf(MemoryStore(), V1_41, outlet.samples, None).take(entries)
        outlet.take(outlet.of(facts))
        return (thread_time() - begin) / len(entries) * 1e6

    return median(asyncio.run(tell()) for _ in range(rounds))


def _telemetry(exporter: SpanExporter | None) -> Telemetry | None:
    return None if exporter is None else Telemetry(exporter=exporter)
