"""Over OTLP to a real receiver: it gets every span of a run once or the same again, whatever becomes of either side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from tests.agents.play import Ledger, call, calls, scripted, soon, tools

from choragus.actors.event import Event, Failed
from choragus.agents import tracer as tracers
from choragus.agents import tracing
from choragus.agents.runtime import Runtime
from choragus.agents.telemetry import Telemetry

from .receiver import Receiver, attribute, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, to which the environment sends."""
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "clerks")
        monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
        yield found


def names(receiver: Receiver) -> Counter[str]:
    """How often each span came, by name, each counted once."""
    return Counter(span.name for span in receiver.distinct().values())


async def play(happened: list[Event] | None = None) -> None:
    """One run, of four spans."""
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent], telemetry=Telemetry()) as runtime:
        if happened is not None:
            runtime.events.subscribe(happened.append)
        await (await runtime.start(agent, "Go.")).result(timeout=5)


async def test_a_receiver_gets_spans_and_metrics_with_the_resource_of_the_environment(receiver: Receiver) -> None:
    await play()

    assert names(receiver) == {"chat scripted": 2, "execute_tool look": 1, "invoke_agent clerk": 1}
    assert receiver.services == {"clerks"}
    assert receiver.schemas == {"https://opentelemetry.io/schemas/1.41.0"}
    root = next(span for span in receiver.spans if not span.parent_span_id)
    assert {span.parent_span_id for span in receiver.spans} == {b"", root.span_id}
    assert {span.trace_id for span in receiver.spans} == {root.trace_id}
    assert {metric.name for metric in receiver.metrics} >= {
        *("gen_ai.client.token.usage", "gen_ai.client.operation.duration", "gen_ai.invoke_agent.duration"),
        *("gen_ai.execute_tool.duration", "choragus.cost", "choragus.runs.ended"),
    }


@pytest.mark.parametrize("answer", [400, 500, 1], ids=["refuses", "fails", "answers garbage"])
async def test_what_a_receiver_did_not_take_comes_again(
    answer: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setattr(tracing, "NUDGE", 0.01)
    receiver.answers = [answer] * 3
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()))

    async def came() -> bool:
        return len(receiver.distinct()) == 4

    async with Runtime(agents=[agent], telemetry=Telemetry()) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)
        await soon(came)

    assert names(receiver) == {"chat scripted": 2, "execute_tool look": 1, "invoke_agent clerk": 1}


@pytest.mark.parametrize("answer", [429, 503], ids=["too many", "unavailable"])
async def test_a_receiver_that_is_busy_gets_it_later(
    answer: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setattr(tracing, "NUDGE", 0.01)
    receiver.answers = [answer] * 2
    agent = scripted("done")

    async def came() -> bool:
        return len(receiver.distinct()) == 2

    async with Runtime(agents=[agent], telemetry=Telemetry()) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)
        await soon(came)

    assert names(receiver) == {"chat scripted": 1, "invoke_agent clerk": 1}


async def test_s43_a_receiver_that_hangs_stops_no_run_and_loses_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setattr(tracers, "TAKING", 0.05)
    monkeypatch.setattr(tracing, "NUDGE", 0.01)
    receiver.answers = [0]
    agent = scripted(*["done"] * 3)
    happened: list[Event] = []

    async def came() -> bool:
        return names(receiver)["invoke_agent clerk"] == 3

    async def told() -> bool:
        return any(isinstance(event, Failed) and "took longer" in str(event.error) for event in happened)

    async with Runtime(agents=[agent], telemetry=Telemetry()) as runtime:
        runtime.events.subscribe(happened.append)
        for number in range(3):
            await (await runtime.start(agent, "Go.", key=str(number))).result(timeout=5)
        await soon(told)
        receiver.may_go.set()
        await soon(came)

    assert len(receiver.distinct()) == 6


async def test_nobody_at_the_other_end_is_told_as_an_event_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    happened: list[Event] = []

    await play(happened)

    assert any(isinstance(event, Failed) and "did not take" in str(event.error) for event in happened)


class Child:
    """A traced run in a process of its own."""

    def __init__(self, file: Path, url: str, steps: int, *more: str) -> None:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": "child"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.agents.telemetry.traced_child", str(file), str(steps), *more],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[3],
        )

    def until(self, line: str) -> str:
        """Read up to a line that begins so."""
        assert self.process.stdout is not None
        for said in self.process.stdout:
            if said.startswith(line):
                return said
        raise AssertionError(f"it ended without {line!r}: {self.process.wait()}")

    def end(self, signal: int = signal.SIGKILL) -> None:
        """Kill it."""
        self.process.send_signal(signal)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def whole(receiver: Receiver, steps: int) -> None:
    """Everything of one run is there: one trace, every call, a link over the pause, and nobody without a parent."""
    spans = receiver.distinct()
    assert len({span.trace_id for span in spans.values()}) == 1
    assert {attribute(span, "choragus.step") for span in spans.values() if span.name.startswith("chat")} == {
        *range(1, steps + 2)
    }
    assert names(receiver) == {
        "chat function": steps + 1,
        "execute_tool look": steps - 1,
        "execute_tool pay": 1,
        "choragus.approval": 1,
        "invoke_agent clerk": 2,
    }
    (root,) = [span for span in spans.values() if not span.parent_span_id]
    assert {span.parent_span_id for span in spans.values()} - {b""} <= set(spans)
    (resumed,) = [span for span in spans.values() if span.name == "invoke_agent clerk" and span is not root]
    assert [link.span_id for link in resumed.links] == [root.span_id]
    assert {span.status.code for span in spans.values()} == {0}


def test_a_run_that_was_paused_killed_and_resumed_is_one_trace_and_nothing_is_missing(
    receiver: Receiver, tmp_path: Path
) -> None:
    first = Child(tmp_path / "runs.db", receiver.url, 6)
    first.until("asked")
    first.end()
    second = Child(tmp_path / "runs.db", receiver.url, 6, "approve")

    second.until("done")
    second.process.wait(20)
    second.end()

    whole(receiver, 6)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(12))
def test_a_run_that_is_killed_anywhere_is_one_trace(at: int, receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [200, 503, 200, 500, 1, 200, 429] * (at % 3)
    for looked in range(at % 4 + 1):
        child = Child(tmp_path / "runs.db", receiver.url, 12)
        child.until("asked" if looked * 3 + at >= 6 else f"looked {looked * 3 + at % 3}")
        child.end()
    for _ in range(3):  # what a receiver did not take within the time that an end has, the next process sends
        last = Child(tmp_path / "runs.db", receiver.url, 12, "approve")
        last.until("done")
        last.process.wait(20)
        last.end()

    whole(receiver, 12)
