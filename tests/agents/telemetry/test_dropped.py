"""What an exporter refuses for good holds up nothing; while it takes nothing at all nothing is dropped."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.agents.play import Ledger, call, calls, scripted, soon, tools

from choragus.agents import tracing
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.telemetry import Telemetry
from choragus.mailbox.memory import MemoryStore


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that refused is asked again at once."""
    monkeypatch.setattr(tracing, "NUDGE", 0.001)


LINES: list[Answer | Exception] = [calls(call("look", at="x")), "done"]


class Picky(InMemorySpanExporter):
    """Refuses all that goes with the span of a tool's call; counts how often it was asked for that."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if any(span.name.startswith("execute_tool") for span in spans):
            self.refused += 1
            return SpanExportResult.FAILURE
        return super().export(spans)


async def test_a_span_that_is_refused_for_good_is_dropped_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    store, exporter, reader = MemoryStore(), Picky(), InMemoryMetricReader()
    clerk = scripted(*LINES * 6, tools=tools(Ledger()))
    telemetry = Telemetry(exporter=exporter, meter_provider=MeterProvider([reader], shutdown_on_exit=False))

    async def dropped() -> bool:
        return any("for good" in one.message for one in caplog.records)

    async with Runtime(store=store, agents=[clerk], telemetry=telemetry) as runtime:
        for number in range(6):
            await (await runtime.start(clerk, "Go.", key=str(number))).result(timeout=5)
            await soon(lambda number=number: _has(exporter, number + 1))  # type: ignore[misc]  # it is bound at once
        await soon(dropped)
        await soon(lambda: _counted(reader))

    assert sum(span.name == "invoke_agent clerk" for span in exporter.get_finished_spans()) == 6
    assert sum(span.name == "chat scripted" for span in exporter.get_finished_spans()) == 12
    (said, *_) = [one.message for one in caplog.records if "for good" in one.message]
    assert said.startswith("the exporter refuses span 'execute_tool look' (")
    assert all(one.levelno == logging.WARNING for one in caplog.records if "for good" in one.message)


async def _has(exporter: InMemorySpanExporter, runs: int) -> bool:
    return sum(span.name == "invoke_agent clerk" for span in exporter.get_finished_spans()) >= runs


async def _counted(reader: InMemoryMetricReader) -> bool:
    found = reader.get_metrics_data()
    points = [
        point
        for resource in (found.resource_metrics if found else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "choragus.telemetry.dropped"
        for point in metric.data.data_points
    ]
    return any(isinstance(point, NumberDataPoint) and point.value >= 1 for point in points)


class Down(InMemorySpanExporter):
    """Takes nothing until it is up; counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.is_up = False
        self.asked = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked += 1
        return super().export(spans) if self.is_up else SpanExportResult.FAILURE


async def test_an_exporter_that_was_down_for_long_gets_everything_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Down()
    clerk = scripted(*[calls(call("look", at="x"))] * 3, "done", tools=tools(Ledger()))

    async def asked() -> bool:
        return exporter.asked > 60

    async with Runtime(agents=[clerk], exporter=exporter) as runtime:
        await (await runtime.start(clerk, "Go.")).result(timeout=5)
        await soon(asked)
        exporter.is_up = True

    names = sorted(span.name for span in exporter.get_finished_spans())
    assert names == [*["chat scripted"] * 4, *["execute_tool look"] * 3, "invoke_agent clerk"]
    assert not [one for one in caplog.records if "for good" in one.message]
