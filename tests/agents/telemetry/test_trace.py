"""What a run's trace looks like: its stretches, what stands below them, and where it stands itself."""

from __future__ import annotations

import asyncio
import lzma
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.agents.context_play import Heard, walker
from tests.agents.plan_play import given, planner, proposes
from tests.agents.play import Ledger, call, calls, eventually, scripted, soon, tools, until

from choragus.agents.context.option import Context
from choragus.agents.context.strategy import Window
from choragus.agents.limits import Limits
from choragus.agents.runtime import Runtime
from choragus.agents.telemetry import Telemetry
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Rejected

from .telling import by_id, facts, facts_in_lives, named, tree

GOLDEN = Path(__file__).parents[1] / "golden"


async def paused_twice(store: MemoryStore) -> str:
    """A run that asks a person, is held while it does, and asks once more."""
    asked = calls(call("look", at="x"), call("pay", amount=1))
    agent = scripted(asked, calls(call("pay", amount=2)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "approval.requested")
        await eventually(run, "call.finished")
        await run.pause(by="me")
        await run.approve((await run.pending())[0], by="me")
        await run.resume(by="me")
        await eventually(run, "approval.requested", 2)
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)
    return run.id


async def test_the_work_between_pauses_is_a_span_each_linked_to_the_one_before() -> None:
    store = MemoryStore()
    await paused_twice(store)

    spans = (await facts(store)).spans

    stretches = named(spans, "invoke_agent clerk")
    assert tree(spans) == [
        "invoke_agent clerk",
        "  chat scripted",
        "  choragus.approval",
        "  execute_tool look",
        "  invoke_agent clerk",
        "    execute_tool pay",
        "    chat scripted",
        "  choragus.approval",
        "  invoke_agent clerk",
        "    execute_tool pay",
        "    chat scripted",
    ]
    assert [one.attributes["choragus.run.status"] for one in stretches] == ["waiting", "waiting", "completed"]
    assert [[link.to for link in one.links] for one in stretches] == [[], [stretches[0].at], [stretches[1].at]]
    assert {one.error for one in spans} == {""}


async def test_a_run_that_is_held_without_a_question_is_paused_where_it_stands() -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    @tool(risk="read")
    async def wait() -> str:
        """Wait."""
        began.set()
        await may_end.wait()
        return "waited"

    store, agent = MemoryStore(), scripted(calls(call("wait")), "done", tools=[wait])
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await began.wait()
        await run.pause(by="me")
        may_end.set()
        await eventually(run, "call.finished")
        await run.resume(by="me")
        await run.result(timeout=5)

    spans = (await facts(store)).spans
    stretches = named(spans, "invoke_agent clerk")
    assert [one.attributes["choragus.run.status"] for one in stretches] == ["paused", "completed"]
    assert [one.parent for one in named(spans, "execute_tool wait")] == [stretches[0].at]
    assert {one.error for one in spans} == {""}


@pytest.mark.parametrize("page", [1, 2, 3, 5, 8, 13, 21, 34])
async def test_a_tracer_that_begins_anew_anywhere_tells_the_same(page: int) -> None:
    store = MemoryStore()
    await paused_twice(store)

    whole, parts = await facts(store), await facts_in_lives(store, page)

    assert parts.spans == whole.spans
    assert parts.points == whole.points


async def test_sub_runs_stand_in_their_parents_trace_grouped_as_a_workflow() -> None:
    store = MemoryStore()
    boss = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()), name="boss")
    worker = scripted(*["worked"] * 3, name="worker")
    async with Runtime(store=store, agents=[boss, worker]) as runtime:
        run = await runtime.start(boss, "Go.")
        await until(run, "approval.requested")
        for _ in range(2):
            await (await runtime.start(worker, "Work.", parent=run)).result(timeout=5)
        await eventually(run, "child.ended", 2)
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)

    whole = await facts(store)
    spans = whole.spans

    assert len({span.at.trace for span in spans}) == 1
    assert [line for line in tree(spans) if "work" in line] == [
        "  invoke_workflow boss",
        "    invoke_agent worker",
        "  invoke_workflow boss",
        "    invoke_agent worker",
    ]
    for page in (1, 4, 9):
        assert by_id(await facts_in_lives(store, page)) == by_id(whole)


async def test_a_sub_run_of_a_run_that_ended_first_is_in_its_trace_too() -> None:
    store = MemoryStore()
    boss = scripted(calls(call("pay", amount=1)), tools=tools(Ledger()), name="boss")
    worker = scripted(calls(call("pay", amount=1)), tools=tools(Ledger()), name="worker")
    async with Runtime(store=store, agents=[boss, worker]) as runtime:
        run = await runtime.start(boss, "Go.")
        await until(run, "approval.requested")
        child = await runtime.start(worker, "Work.", parent=run)
        await until(child, "approval.requested")
        await run.cancel()
        await eventually(child, "run.ended")

    spans = (await facts(store)).spans
    assert len({span.at.trace for span in spans}) == 1
    assert {one.name for one in spans if one.parent is None} == {"invoke_agent boss"}
    assert named(spans, "invoke_workflow boss")


async def test_a_plan_is_a_span_and_the_call_that_made_it_stands_below() -> None:
    store, agent = MemoryStore(), planner({}, proposes(given("a"), given("b", "a")))
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    spans = (await facts(store)).spans

    assert tree(spans)[:3] == ["invoke_agent clerk", "  plan clerk", "    chat function"]
    assert named(spans, "plan clerk")[0].attributes["gen_ai.operation.name"] == "plan"
    assert {event.name for event in named(spans, "invoke_agent clerk")[0].events} >= {
        *("choragus.plan.proposed", "choragus.step.started", "choragus.step.succeeded"),
    }


async def test_a_context_that_is_made_smaller_is_an_update_of_memory() -> None:
    store = MemoryStore()
    agent = walker(Context(budget_tokens=1_500, compaction=[Window(messages=6)]), Heard(), steps=30)
    async with Runtime(store=store, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Look around.")).result(timeout=5)

    updates = named((await facts(store)).spans, "update_memory")
    assert updates
    assert all(one.ended >= one.started for one in updates)
    before = [
        (one.attributes["choragus.memory.tokens_before"], one.attributes["choragus.memory.tokens_after"])
        for one in updates
    ]
    assert all(isinstance(was, int) and isinstance(then, int) and then < was for was, then in before)


async def test_verdicts_and_limits_are_events_and_a_limit_is_the_error_of_the_run() -> None:
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=1)), *["done"] * 2, tools=tools(Ledger()), limits=Limits(steps=1))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.deny((await run.pending())[0], by="me")
        await eventually(run, "run.ended")

    stretches = named((await facts(store)).spans, "invoke_agent clerk")
    happened = [event.name for one in stretches for event in one.events]
    assert [name for name in happened if name != "choragus.call.refused"] == [
        *("choragus.call.judged", "choragus.approval.requested", "choragus.approval.decided", "choragus.limit.reached"),
    ]
    assert [one.error for one in stretches] == ["", "limit"]
    assert "reason" not in str([event.attributes for one in stretches for event in one.events])


async def test_a_fork_and_what_follows_in_a_conversation_link_to_what_they_go_on_from() -> None:
    store, agent = MemoryStore(), scripted(*["done"] * 4)
    async with Runtime(store=store, agents=[agent]) as runtime:
        first = await runtime.start(agent, "Go.", thread="talk")
        await first.result(timeout=5)
        second = await runtime.start(agent, "And on.", thread="talk")
        await second.result(timeout=5)
        fork = await runtime.fork(first.id)
        await fork.result(timeout=5)

    roots = [one for one in (await facts(store)).spans if one.name == "invoke_agent clerk"]
    by_run = {str(one.attributes["choragus.run.id"]): one for one in roots}
    links = {run: [(link.to, link.attributes["choragus.link"]) for link in one.links] for run, one in by_run.items()}
    assert links == {
        first.id: [],
        second.id: [(by_run[first.id].at, "follows")],
        fork.id: [(by_run[first.id].at, "forks")],
    }
    assert len({one.at.trace for one in roots}) == 3


async def test_more_events_than_a_span_may_have_are_counted() -> None:
    store = MemoryStore()
    agent = scripted(*[calls(call("nothing"))] * 150, "done", limits=Limits(steps=200, bad_calls=None))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        async def over() -> bool:
            return (await run.status()).status.is_final

        await soon(over)

    (root,) = named((await facts(store)).spans, "invoke_agent clerk")
    assert len(root.events) == 128
    assert root.dropped_events > 0


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.db.xz")))
async def test_the_runs_of_earlier_versions_are_told(name: str, tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(lzma.decompress((GOLDEN / name).read_bytes()))
    store = await SqliteStore.open(file)

    told = await facts(store)
    parts = await facts_in_lives(store, 20)
    await store.close()

    assert by_id(parts) == by_id(told)
    assert all(span.ended >= span.started for span in told.spans)


async def test_a_traced_run_takes_no_turn_no_message_and_no_effect_more() -> None:
    taken: list[list[str]] = []
    for telemetry in (None, Telemetry(exporter=InMemorySpanExporter())):
        store = Counting()
        agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()))
        async with Runtime(store=store, agents=[agent], telemetry=telemetry) as runtime:
            await (await runtime.start(agent, "Go.", key="k")).result(timeout=5)
        taken.append(store.taken)

    assert sorted(taken[0]) == sorted(taken[1])


class Counting(MemoryStore):
    """A store that notes who takes turns, what they send and begin."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """See `Store.commit`."""
        for turn in batch.turns:
            self.taken += [turn.actor, *(one.record.tag for one in turn.sends)]
            self.taken += [one.runner for one in turn.effects]
            self.taken += [entry.kind for entry in turn.entries]
        return await super().commit(batch)
