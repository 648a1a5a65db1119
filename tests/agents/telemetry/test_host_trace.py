"""The host's trace: a run is part of it, sub-runs and restarts too, and what tools call is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.agents.play import Ledger, call, calls, eventually, scripted, tools, until

from choragus.agents.runtime import Runtime
from choragus.agents.telemetry.descent import trace_in
from choragus.agents.telemetry.identity import checked, parsed
from choragus.agents.tool import ToolContext, tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Rejected

from .telling import facts

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEARD: list[str] = []


@tool(risk="read")
def fetch(*, context: ToolContext) -> str:
    """Ask a service that traces too."""
    HEARD.append(context.traceparent)
    return "fetched"


async def test_a_run_is_part_of_the_trace_that_is_given() -> None:
    store, agent = MemoryStore(), scripted("done")
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.", traceparent=GIVEN)).result()

    chat, root = (await facts(store)).spans
    assert root.parent == parsed(GIVEN)
    assert root.at.trace == chat.at.trace == 0x0AF7651916CD43DD8448EB211C80319C
    assert chat.parent == root.at


async def test_a_run_is_part_of_the_span_that_the_host_is_in() -> None:
    store, agent = MemoryStore(), scripted("done", "done")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("host")
    async with Runtime(store=store, agents=[agent]) as runtime:
        with tracer.start_as_current_span("request") as request:
            await (await runtime.start(agent, "Go.")).result()
            await (await runtime.start(agent, "Go.", traceparent="")).result()

    roots = [span for span in (await facts(store)).spans if span.name.startswith("invoke")]
    host = request.get_span_context()
    assert [None if one.parent is None else one.parent.span for one in roots] == [host.span_id, None]
    assert [one.at.trace == host.trace_id for one in roots] == [True, False]


async def test_what_the_host_does_not_sample_is_not_exported() -> None:
    exporter, agent = InMemorySpanExporter(), scripted("done", "done")
    async with Runtime(agents=[agent], exporter=exporter) as runtime:
        await (await runtime.start(agent, "Go.", traceparent=f"{GIVEN[:-2]}00")).result()

    assert exporter.get_finished_spans() == ()


async def test_tools_are_told_the_span_of_their_call_also_after_a_restart(tmp_path: Path) -> None:
    HEARD.clear()
    asked = calls(call("fetch"), call("pay", amount=1))
    agent = scripted(asked, calls(call("fetch")), "done", tools=[*tools(Ledger()), fetch])
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", traceparent=GIVEN)
        await until(run, "approval.requested")
        await eventually(run, "call.finished")
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.run(run.id)
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)
    store = await SqliteStore.open(tmp_path / "runs.db")
    spans = (await facts(store)).spans
    await store.close()

    called = [span.at.traceparent for span in spans if span.name == "execute_tool fetch"]
    assert called == HEARD
    assert {one[:35] for one in HEARD} == {GIVEN[:35]}


async def test_tools_of_a_sub_run_are_told_the_trace_of_its_parent() -> None:
    HEARD.clear()
    store = MemoryStore()
    worker = scripted(calls(call("fetch")), "done", tools=[fetch], name="worker")
    boss = scripted(calls(call("pay", amount=1)), tools=[*tools(Ledger()), fetch], name="boss")
    async with Runtime(store=store, agents=[boss, worker]) as runtime:
        run = await runtime.start(boss, "Go.", traceparent=f"{GIVEN[:-2]}00")
        await until(run, "approval.requested")
        child = await runtime.start(worker, "Work.", parent=run)
        await child.result(timeout=5)
        await run.cancel()
    found = await trace_in(store, child.id)

    assert [(one[:35], one[-2:]) for one in HEARD] == [(GIVEN[:35], "00")]
    assert found.traceparent[:35] == GIVEN[:35]  # as the next process finds it
    assert not found.sampled


async def test_the_trace_stands_in_the_envelopes_of_what_follows_from_the_start() -> None:
    class Noting(MemoryStore):
        """A store that notes the traces of what is sent."""

        def __init__(self) -> None:
            super().__init__()
            self.traces = set[str]()

        async def commit(self, batch: Batch) -> Committed | Rejected:
            sent = [one for turn in batch.turns for one in turn.sends]
            self.traces |= {one.trace for one in (*batch.appends, *sent)}
            return await super().commit(batch)

    store, agent = Noting(), scripted("done")
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.", traceparent=GIVEN)).result()

    assert GIVEN in store.traces


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        f"{GIVEN}\n",
        "00-0af7651916cd43dd8448eb211c80319c",
    ],
)
def test_what_is_no_traceparent_names_no_span(text: str) -> None:
    assert parsed(text) is None
    with pytest.raises(ValueError, match=r"^traceparent="):
        checked(text)


def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known() -> None:
    later = parsed(f"cc{GIVEN[2:]}-what-comes")

    assert later == parsed(GIVEN)


async def test_a_wrong_traceparent_begins_nothing() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(ValueError, match=r"^traceparent='nonsense' is none: give 00-TRACE-SPAN-FLAGS"):
            await runtime.start(agent, "Go.", traceparent="nonsense")
        assert await runtime.runs() == []
    assert trace.get_current_span() is trace.INVALID_SPAN
