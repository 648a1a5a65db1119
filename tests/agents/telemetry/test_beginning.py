"""Where telemetry begins in a file that was there before, and how long an end waits for a collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.agents.play import scripted

from choragus.agents.runtime import Runtime
from choragus.agents.telemetry import Telemetry
from choragus.agents.telemetry.beginning import position_of
from choragus.mailbox.memory import MemoryStore

AGENT = scripted(*["done"] * 9)


async def play(store: MemoryStore, telemetry: Telemetry | None, key: str = "") -> None:
    """Open the file, with one run when there is a key."""
    async with Runtime(store=store, agents=[AGENT], telemetry=telemetry) as runtime:
        if key:
            await (await runtime.start(AGENT, "Go.", key=key)).result(timeout=5)


def runs(exporter: InMemorySpanExporter) -> int:
    """How many runs were exported."""
    return sum(span.name == "invoke_agent clerk" for span in exporter.get_finished_spans())


async def test_telemetry_since_now_leaves_out_what_the_file_has_and_nothing_of_what_comes() -> None:
    store, exporter = MemoryStore(), InMemorySpanExporter()
    await play(store, None, "before")

    await play(store, Telemetry(exporter=exporter, since="now"), "after")

    assert runs(exporter) == 1


async def test_what_an_exporter_did_not_take_in_a_first_life_is_not_left_out_in_the_next() -> None:
    store, exporter = MemoryStore(), InMemorySpanExporter()
    await play(store, Telemetry(exporter=Refusing(), since="now"), "first")

    await play(store, Telemetry(exporter=exporter, since="now"), "second")

    assert runs(exporter) == 2


async def test_a_time_is_found_in_the_file() -> None:
    store = MemoryStore()
    for hour in (1, 2, 3):
        async with Runtime(store=store, agents=[AGENT], clock=lambda hour=hour: 3600.0 * hour) as runtime:  # type: ignore[misc]  # it is bound at once
            await (await runtime.start(AGENT, "Go.", key=str(hour))).result(timeout=5)
    page = await store.log(0, 10_000)

    for seconds in (0, 3600, 3601, 7200, 9000, 10_800, 10_801):
        position = await position_of(store, datetime.fromtimestamp(seconds, UTC))

        assert [each for each in page if each.seq > position] == [each for each in page if each.at >= seconds]
    assert await position_of(store, "now") == page[-1].seq


class Refusing(SpanExporter):
    """Takes nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


@pytest.mark.parametrize("since", ["later", None, 3.0, datetime(2026, 1, 1)], ids=str)
def test_what_is_no_beginning_is_refused(since: object) -> None:
    with pytest.raises(ValueError, match=r"^Telemetry\(since=.*: give 'beginning', 'now' or a datetime with a time"):
        Telemetry(since=since)  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("closing", [0, -1.0, float("inf"), float("nan"), "5", True], ids=str)
def test_what_is_no_time_for_an_end_is_refused(closing: object) -> None:
    with pytest.raises(ValueError, match=r"^Telemetry\(closing=.*: give seconds above 0, such as 5\.0$"):
        Telemetry(closing=closing)  # type: ignore[arg-type]  # the mistake


class Hanging(SpanExporter):
    """Hangs until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.threads: list[threading.Thread] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.threads.append(threading.current_thread())
        self.go.wait(30)
        return SpanExportResult.SUCCESS


async def test_s43_an_end_waits_no_longer_for_a_collector_than_it_may() -> None:
    exporter = Hanging()
    began = time.monotonic()

    await play(MemoryStore(), Telemetry(exporter=exporter, closing=0.2), "k")

    took = time.monotonic() - began
    exporter.go.set()
    assert took < 2
    assert [one.daemon for one in exporter.threads] == [True]  # the process does not wait for it either
