"""Spans from the committed logbook: one trace for a run, whatever happens to the process or the exporter."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from choragus.actors.event import Event, Failed
from choragus.agents import tracer as tracers
from choragus.agents import tracing
from choragus.agents.agent import Agent
from choragus.agents.errors import LimitReached, ModelError
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, Usage
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.prompt import Prompt
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.telemetry import default_resource
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import Retry
from choragus.mailbox.memory import MemoryStore

from .play import Ledger, Mortal, call, calls, eventually, live, scripted, soon, tools, until

PLAIN = {
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.conversation.id",
    "gen_ai.response.finish_reasons",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "choragus.cost_usd",
    "choragus.step",
}
"""What the span of every call that was answered says."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracer looks as often as there is news."""
    monkeypatch.setattr(tracing, "PACE", 0.001)


def ids(span: ReadableSpan) -> tuple[int, int]:
    """The trace and the span."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


async def traced(agent: Agent) -> tuple[ReadableSpan, ...]:
    """The spans of one run, approved by a person where it has to be."""
    exporter = InMemorySpanExporter()
    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        async for event in run.events():
            if event.kind == "approval.requested":
                await run.approve((await run.pending())[0], by="me")
    return exporter.get_finished_spans()


async def test_a_run_is_one_trace_of_three_kinds_of_spans() -> None:
    usage = Usage(input_tokens=7, output_tokens=3, cost_usd=0.5)
    agent = scripted(
        calls(call("look", at="x"), usage=usage), ModelReply(text="done", usage=usage), tools=tools(Ledger())
    )

    spans = await traced(agent)

    assert sorted(span.name for span in spans) == [
        "chat scripted",
        "chat scripted",
        "execute_tool look",
        "invoke_agent clerk",
    ]
    (root,) = [span for span in spans if span.name == "invoke_agent clerk"]
    assert root.parent is None
    assert {span.parent.span_id for span in spans if span.parent} == {ids(root)[1]}
    assert len({ids(span)[0] for span in spans}) == 1
    assert len({ids(span)[1] for span in spans}) == 4
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}


async def test_spans_carry_the_names_of_the_conventions() -> None:
    usage = Usage(input_tokens=7, output_tokens=3, cost_usd=0.5)
    agent = scripted(calls(call("look", at="x"), usage=usage), "done", tools=tools(Ledger()))

    spans = await traced(agent)

    chat = next(span for span in spans if span.name == "chat scripted")
    attributes = dict(chat.attributes or {})
    assert chat.kind is SpanKind.CLIENT
    assert attributes.pop("gen_ai.conversation.id")
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "choragus.cost_usd": 0.5,
        "choragus.step": 1,
    }


async def test_a_span_says_who_answered_what_was_cached_and_which_prompt_was_used() -> None:
    usage = Usage(input_tokens=70, output_tokens=30, cached_tokens=40, cache_write_tokens=20, reasoning_tokens=10)
    reply = ModelReply(text="done", usage=usage, model="large-2026-05", id="reply-1")
    prompt = Prompt("Be brief.", name="clerk", version="3")

    spans = await traced(Agent("clerk", model=ScriptedModel([reply]), prompt=prompt))

    chat = next(dict(span.attributes or {}) for span in spans if span.name == "chat scripted")
    assert {name: value for name, value in chat.items() if name not in PLAIN} == {
        "gen_ai.response.model": "large-2026-05",
        "gen_ai.response.id": "reply-1",
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "gen_ai.prompt.name": "clerk",
        "gen_ai.prompt.version": "3",
        "choragus.prompt.digest": prompt.digest,
    }


async def test_a_failed_call_says_how_it_failed() -> None:
    agent = scripted(ModelError("slow down", retryable=True, kind="rate_limit"), "done")

    spans = await traced(agent)

    errors = [span.attributes["error.type"] for span in spans if span.attributes and "error.type" in span.attributes]
    assert errors == ["rate_limit"]


async def test_times_are_those_of_the_calls_and_lie_within_the_run() -> None:
    @tool(risk="read")
    async def nap() -> str:
        """Sleep."""
        await asyncio.sleep(0.02)
        return "rested"

    spans = {span.name: span for span in await traced(scripted(calls(call("nap")), "done", tools=[nap]))}

    root, napped = spans["invoke_agent clerk"], spans["execute_tool nap"]
    times = [root.start_time or 0, napped.start_time or 0, napped.end_time or 0, root.end_time or 0]
    assert times == sorted(times)
    assert times[2] - times[1] >= 19_000_000
    assert abs(times[0] / 1e9 - time.time()) < 60


async def test_only_an_error_has_the_status_of_an_error() -> None:
    """A pause for a person, and a denial, are none; and a call that never ran has no span."""

    @tool(risk="read")
    def broken() -> str:
        """Break."""
        raise ValueError("out of paper")

    asked = calls(call("broken"), call("pay", amount=1), call("invented"))
    agent = scripted(asked, "done", tools=[*tools(Ledger()), broken])

    spans = await traced(agent)

    failed = {span.name for span in spans if span.status.status_code is StatusCode.ERROR}
    assert failed == {"execute_tool broken"}
    assert sorted(span.name for span in spans if "tool" in span.name) == ["execute_tool broken", "execute_tool pay"]


async def test_a_denied_call_has_no_span() -> None:
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()), limits=Limits(tool_calls=0))

    spans = await traced(agent)

    assert sorted(span.name for span in spans) == ["chat scripted", "chat scripted", "invoke_agent clerk"]


async def test_a_model_call_that_failed_is_a_span_with_an_error() -> None:
    model = ScriptedModel([ModelError("busy", retryable=True), "done"])
    spans = await traced(Agent("clerk", model=model, model_options=ModelOptions(retries=Retry(first=0.001))))

    chats = [span for span in spans if span.name == "chat scripted"]
    assert [span.status.status_code for span in chats] == [StatusCode.ERROR, StatusCode.UNSET]
    assert len({ids(span) for span in chats}) == 2
    assert (chats[0].attributes or {})["error.type"] == "_OTHER"


async def test_a_run_that_reached_a_limit_is_an_error_and_a_cancelled_one_is_not() -> None:
    exporter = InMemorySpanExporter()
    limited = scripted("done", limits=Limits(steps=0), name="limited")
    waits = scripted(calls(call("pay", amount=1)), tools=tools(Ledger()), name="waits")
    async with Runtime(agents=[limited, waits], exporter=exporter) as runtime:
        with pytest.raises(LimitReached):
            await (await runtime.start(limited, "Go.")).result()
        run = await runtime.start(waits, "Go.")
        await until(run, "approval.requested")
        await run.cancel()

    codes = {span.name: span.status.status_code for span in exporter.get_finished_spans()}
    assert codes["invoke_agent limited"] is StatusCode.ERROR
    assert codes["invoke_agent waits"] is StatusCode.UNSET


async def test_a_run_that_is_resumed_is_one_trace(tmp_path: Path) -> None:
    agent = scripted(calls(call("look", at="x"), call("pay", amount=1)), "done", tools=tools(Ledger()))
    before, after = InMemorySpanExporter(), InMemorySpanExporter()
    async with Runtime(tmp_path / "runs.db", agents=[agent], exporter=before) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "approval.requested")
        await eventually(run, "call.finished")
    async with Runtime(tmp_path / "runs.db", agents=[agent], exporter=after) as runtime:
        run = await runtime.run(run.id)
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)

    first, second = before.get_finished_spans(), after.get_finished_spans()
    assert sorted(span.name for span in first) == ["chat scripted", "execute_tool look", "invoke_agent clerk"]
    assert sorted(span.name for span in second) == [
        *("chat scripted", "choragus.approval", "execute_tool pay", "invoke_agent clerk"),
    ]
    assert len({ids(span)[0] for span in (*first, *second)}) == 1
    (root,) = [span for span in (*first, *second) if span.parent is None]
    (resumed,) = [span for span in second if span.name == "invoke_agent clerk"]
    assert root in first
    assert [(link.context.span_id, link.attributes) for link in resumed.links] == [
        (ids(root)[1], {"choragus.link": "resumes"})
    ]
    assert {span.parent.span_id for span in (*first, *second) if span.parent} == {ids(root)[1], ids(resumed)[1]}


def test_a_killed_run_loses_no_span_and_repeats_them_with_the_same_ids() -> None:
    """Dies at every commit: together the lives export exactly the spans of a run that was never killed."""
    wanted = _spans_of_lives(dies_at=0)

    for dies_at in range(1, 40):
        assert _spans_of_lives(dies_at) == wanted


def _spans_of_lives(dies_at: int) -> set[tuple[int, int, str]]:
    store, exporter = Mortal(), InMemorySpanExporter()
    agent = scripted(calls(call("look", at="x"), call("reserve", what="y")), "done", tools=tools(Ledger()))

    async def play(runtime: Runtime) -> str:
        result = await (await runtime.start(agent, "Go.", key="k")).result(timeout=5)
        store.dies_at = 0
        return result

    store.dies_at = dies_at
    if live(store, agent, play, exporter=exporter) is None:
        store.revive()
        assert live(store, agent, play, exporter=exporter) == "done"
    return {(*ids(span), span.name) for span in exporter.get_finished_spans()}


async def test_what_was_not_exported_is_exported_at_the_next_opening_without_news() -> None:
    store, agent, exporter = MemoryStore(), scripted("done"), InMemorySpanExporter()
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result()

    async with Runtime(store=store, agents=[agent], exporter=exporter):

        async def exported() -> object:
            return exporter.get_finished_spans()

        await soon(exported)

    assert [span.name for span in exporter.get_finished_spans()] == ["chat scripted", "invoke_agent clerk"]


async def test_nothing_is_exported_twice_over_an_orderly_end() -> None:
    store, agent = MemoryStore(), scripted("done")
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    async with Runtime(store=store, agents=[agent], exporter=exporters[0]) as runtime:
        await (await runtime.start(agent, "Go.")).result()
    async with Runtime(store=store, agents=[agent], exporter=exporters[1]):
        await asyncio.sleep(0.05)

    assert [len(exporter.get_finished_spans()) for exporter in exporters] == [2, 0]


class Slow(SpanExporter):
    """An exporter that hangs until it is let go; counts how often it is called at a time."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = 0
        self.most = 0
        self.taken: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.go.wait(10)
        self.inside -= 1
        self.taken += [span.name for span in spans]
        return SpanExportResult.SUCCESS


async def test_s43_a_hanging_exporter_stops_no_run_and_is_not_called_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracers, "TAKING", 0.01)
    exporter = Slow()
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()))
    happened: list[Event] = []
    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        runtime.events.subscribe(happened.append)
        for number in range(5):
            run = await runtime.start(agent, f"Goal {number}.")
            assert await run.result(timeout=5) == "done"
            await asyncio.sleep(0.02)
        exporter.go.set()
    reasons = {str(event.error) for event in happened if isinstance(event, Failed)}

    assert exporter.most == 1
    assert exporter.taken.count("invoke_agent clerk") >= 5
    assert reasons == {"the exporter took longer than 0.01 s", "the exporter still holds on to an earlier page"}


async def test_an_exporter_that_hangs_for_ever_does_not_keep_the_runtime_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracers, "TAKING", 0.01)
    exporter, agent = Slow(), scripted("done")
    began = time.monotonic()
    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        assert await (await runtime.start(agent, "Go.")).result(timeout=5) == "done"

    took = time.monotonic() - began
    exporter.go.set()
    assert took < 1


class Fragile(InMemorySpanExporter):
    """An exporter that fails so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.times:
            self.times -= 1
            raise ConnectionError("nobody listens")
        return super().export(spans)


async def test_what_an_exporter_did_not_take_is_given_to_it_again() -> None:
    exporter, agent = Fragile(times=1), scripted("done")

    async def failed() -> bool:
        return exporter.times == 0

    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)
        await soon(failed)

    assert [span.name for span in exporter.get_finished_spans()] == ["chat scripted", "invoke_agent clerk"]


async def test_what_was_never_taken_in_one_life_is_taken_in_the_next() -> None:
    store, agent, exporter = MemoryStore(), scripted("done"), InMemorySpanExporter()
    async with Runtime(store=store, agents=[agent], exporter=Fragile(times=10_000)) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)
    async with Runtime(store=store, agents=[agent], exporter=exporter):
        pass

    assert [span.name for span in exporter.get_finished_spans()] == ["chat scripted", "invoke_agent clerk"]


async def test_an_exporter_is_tried_again_without_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "NUDGE", 0.01)
    exporter, agent = Fragile(times=3), scripted("done")

    async def exported() -> bool:
        return len(exporter.get_finished_spans()) == 2

    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)
        await soon(exported)

    assert exporter.times == 0


async def test_a_long_logbook_is_exported_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracers, "PAGE", 3)

    spans = await traced(scripted(calls(call("look", at="x")), "done", tools=tools(Ledger())))

    assert len(spans) == 4


class Narrow(InMemorySpanExporter):
    """An exporter that refuses more than so many spans at a time."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE if len(spans) > 2 else super().export(spans)


async def test_an_exporter_that_cannot_take_so_much_gets_less_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "NUDGE", 0.001)
    store, exporter = MemoryStore(), Narrow()
    agent = scripted(*[calls(call("look", at="x"))] * 6, "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    async def exported() -> bool:
        return len(exporter.get_finished_spans()) >= 14

    async with Runtime(store=store, agents=[agent], exporter=exporter):
        await soon(exported)

    assert len({ids(span) for span in exporter.get_finished_spans()}) == 14
    assert len(exporter.get_finished_spans()) == 14


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        pytest.param("OTEL_SERVICE_NAME", "mine", "mine", id="named"),
        pytest.param("OTEL_RESOURCE_ATTRIBUTES", "service.name=yours", "yours", id="among attributes"),
        pytest.param("UNRELATED", "x", "choragus", id="unnamed"),
    ],
)
def test_the_service_is_what_the_environment_says_it_is(
    variable: str, value: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    monkeypatch.setenv(variable, value)

    assert default_resource().attributes["service.name"] == name
