"""Each of the five crashed alone in the middle of a run: its supervisor restarts it, and the run does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from choragus.actors.event import Event, Restarted
from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents import part as parts
from choragus.agents import runtime as runtimes
from choragus.agents import tracer as tracers
from choragus.agents import tracing
from choragus.agents.errors import Denied, Failed
from choragus.agents.guardrail import Guardrail
from choragus.agents.memory import Memory
from choragus.agents.message import (
    CallFinished,
    CallWaits,
    Decide,
    Decided,
    JudgeCall,
    Perceive,
    Perceived,
    Reserve,
    RunCall,
    SetLimits,
    Spend,
    StartRun,
)
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.part import Part
from choragus.agents.runtime import Runtime
from choragus.agents.tool_gateway import ToolGateway
from choragus.agents.tracer import Export, Tracer
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import SystemFailed
from choragus.supervision.strategy import OneForOne

from .play import Ledger, call, calls, data, fail, hang, kinds, scripted, soon, tools

POINTS = [
    (Orchestrator, StartRun),
    (Orchestrator, Perceived),
    (Orchestrator, CallFinished),
    (Orchestrator, CallWaits),
    (Memory, Perceive),
    (Guardrail, SetLimits),
    (Guardrail, Reserve),
    (Guardrail, Spend),
    (Guardrail, JudgeCall),
    (Guardrail, Decide),
    (ToolGateway, RunCall),
    (ToolGateway, Decided),
]
NAMES = [f"{part.__name__}-{message.__name__}" for part, message in POINTS]
PARTS = [(Orchestrator, Perceived), (Memory, Perceive), (Guardrail, Reserve), (ToolGateway, RunCall)]
PART_NAMES = [part.__name__ for part, _ in PARTS]

SCRIPT = (
    calls(call("look", "a", at="door"), call("book", "b", what="room")),
    calls(call("pay", amount=5)),
    "all done",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and restarts without the waits that a service wants."""
    swift = Backoff(first=0.001, most=0.001)
    monkeypatch.setattr(runtimes, "PART_BACKOFF", swift)
    monkeypatch.setattr(tracing, "PACE", 0.001)
    monkeypatch.setattr(tracing, "TRACING", OneForOne(max_restarts=5, within=60.0, backoff=swift))


async def _play(ledger: Ledger, exporter: SpanExporter | None = None, attempts: int = 5) -> tuple[str, list[Event]]:
    """One run with an approval; its result, and what happened in the system."""
    agent = scripted(*SCRIPT, tools=tools(ledger))
    happened: list[Event] = []
    async with Runtime(agents=[agent], exporter=exporter, attempts=attempts) as runtime:
        runtime.events.subscribe(happened.append)
        run = await runtime.start(agent, "Do it.", key="k")
        async for event in run.events():
            if event.kind == "approval.requested":
                await run.approve((await run.pending())[0], by="reviewer")
        return await run.result(), happened


@pytest.mark.parametrize(("part", "message"), POINTS, ids=NAMES)
@simulated(seeds=range(3))
async def test_a_part_that_raises_is_restarted(
    part: type[Part[object, object]], message: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    failed = fail(monkeypatch, part, message, times=1)

    result, happened = await _play(ledger)

    assert (result, len(failed)) == ("all done", 1)
    assert sorted(ledger.calls()) == ["1.1", "1.2", "2.1"]
    restarted = [event.actor for event in happened if isinstance(event, Restarted)]
    assert len(restarted) == 1
    assert part.type_name in restarted[0]


@pytest.mark.parametrize(("part", "message"), PARTS, ids=PART_NAMES)
@simulated(seeds=range(3))
async def test_a_part_that_hangs_is_restarted(
    part: type[Part[object, object]], message: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    monkeypatch.setattr(Part, "turn_timeout", 5.0)
    hung = hang(monkeypatch, part, message, times=1)

    result, happened = await _play(ledger)

    assert (result, len(hung)) == ("all done", 1)
    assert sorted(ledger.calls()) == ["1.1", "1.2", "2.1"]
    assert [part.type_name in event.actor for event in happened if isinstance(event, Restarted)] == [True]


@pytest.mark.parametrize(
    ("part", "message"), [PARTS[1], PARTS[3], (Orchestrator, Perceived)], ids=["Memory", "ToolGateway", "Orchestrator"]
)
@simulated(seeds=range(3))
async def test_a_part_that_always_fails_fails_the_run_and_names_its_path(
    part: type[Part[object, object]], message: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, part, message, times=1000)
    agent = scripted(*SCRIPT, tools=tools(Ledger()))

    async with Runtime(agents=[agent], attempts=3) as runtime:
        run = await runtime.start(agent, "Do it.")

        with pytest.raises(Failed, match=rf"^run '{run.id}' failed: {part.type_name}/{run.id}: failed 3 times"):
            await run.result(timeout=5)

        parked = await runtime.store.parked()
        assert [one.envelope.receiver for one in parked] == [f"{part.type_name}/{run.id}"]
        assert (await kinds(run)).count("message.parked") == 1


@pytest.mark.parametrize("message", [Reserve, JudgeCall])
@simulated(seeds=range(3))
async def test_a_guardrail_that_is_down_denies(message: type, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    fail(monkeypatch, Guardrail, message, times=1000)
    agent = scripted(*SCRIPT, tools=tools(ledger))

    async with Runtime(agents=[agent], attempts=2) as runtime:
        run = await runtime.start(agent, "Do it.")

        with pytest.raises(Denied, match=rf"^run '{run.id}' was denied: choragus.guardrail/{run.id}: failed 2 times"):
            await run.result(timeout=5)

    assert ledger.done == []


@simulated(seeds=range(3))
async def test_a_guardrail_that_does_not_answer_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PATIENCE", 2.0)
    monkeypatch.setattr(Part, "turn_timeout", 20.0)
    hang(monkeypatch, Guardrail, Reserve, times=1)
    agent = scripted(*SCRIPT, tools=tools(Ledger()))

    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Do it.")

        with pytest.raises(Denied, match=rf"choragus.guardrail/{run.id}: no reply within 2 s; without the"):
            await run.result(timeout=50)


# On a real loop from here: what is traced goes out in a thread.


async def test_a_tracer_that_raises_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, ledger = InMemorySpanExporter(), Ledger()
    failed = fail(monkeypatch, Tracer, Export, times=1)

    result, happened = await _play(ledger, exporter)

    assert (result, len(failed)) == ("all done", 1)
    assert [event.actor for event in happened if isinstance(event, Restarted)] == ["runtime/tracer"]
    assert "invoke_agent clerk" in [span.name for span in exporter.get_finished_spans()]


async def test_a_tracer_that_hangs_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, ledger = InMemorySpanExporter(), Ledger()
    monkeypatch.setattr(tracers, "TURN", 0.05)
    export_page = Tracer._export_page
    hung: list[int] = []

    async def hangs_once(self: Tracer) -> int | None:
        if not hung:
            hung.append(1)
            await asyncio.sleep(3600)
        return await export_page(self)

    monkeypatch.setattr(Tracer, "_export_page", hangs_once)
    agent = scripted(*SCRIPT[:1], "all done", tools=tools(ledger))
    happened: list[Event] = []
    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        runtime.events.subscribe(happened.append)
        run = await runtime.start(agent, "Do it.")
        assert await run.result(timeout=5) == "all done"

        async def restarted() -> bool:
            return any(isinstance(event, Restarted) for event in happened)

        await soon(restarted)

    assert [event.actor for event in happened if isinstance(event, Restarted)] == ["runtime/tracer"]
    assert "invoke_agent clerk" in [span.name for span in exporter.get_finished_spans()]


async def test_a_tracer_that_always_fails_ends_the_runtime_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, Tracer, Export, times=10_000)
    monkeypatch.setattr(tracing, "NUDGE", 0.001)
    monkeypatch.setattr(tracing, "PACE", 0.001)
    agent = scripted("all done")

    with pytest.raises(SystemFailed) as ended:
        async with Runtime(agents=[agent], exporter=InMemorySpanExporter()):
            await asyncio.sleep(30)

    assert set(ended.value.paths) == {"runtime/tracer"}


class Broken(SpanExporter):
    """An exporter that raises, or gives back a failure."""

    def __init__(self, raises: bool) -> None:
        self.raises = raises
        self.asked = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked += 1
        if self.raises:
            raise ConnectionError("nobody listens")
        return SpanExportResult.FAILURE


@pytest.mark.parametrize("raises", [True, False], ids=["raises", "fails"])
async def test_a_dead_exporter_stops_no_run(raises: bool) -> None:
    exporter, ledger = Broken(raises), Ledger()

    result, happened = await _play(ledger, exporter)

    assert result == "all done"
    assert exporter.asked > 0
    assert not any(isinstance(event, Restarted) for event in happened)
    assert {event.actor for event in happened} == {"runtime/tracer"}


@simulated(seeds=range(3))
async def test_every_failure_of_a_part_stands_in_the_logbook(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, Memory, Perceive, times=2)
    agent = scripted("all done")

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await run.result(timeout=5)

        failures = await data(run, "actor.failed")
        assert [one["reason"] for one in failures] == ["RuntimeError: sabotage"] * 2
        assert (await kinds(run)).count("memory.assembled") == 1
