"""Opening a file, starting runs in it, and opening it again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from choragus.actors.errors import MessageParked
from choragus.agents import runtime as runtimes
from choragus.agents import starting
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Held, LimitReached, UnknownRun
from choragus.agents.holding import OnChange
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.message import ORCHESTRATOR, StartRun
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.prompt import Prompt
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.sync import run_sync
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.errors import FileInUse, NotChoragusFile, NotStorable, StoreError
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Envelope
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import SpecFault

from .play import Ledger, call, calls, data, scripted, soon, tools, until


async def test_the_same_key_gives_the_same_run(tmp_path: Path) -> None:
    agent = scripted("done")
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        first = await runtime.start(agent, "Go.", key="k")
        others = await asyncio.gather(*(runtime.start(agent, "Other.", key="k") for _ in range(5)))
        await first.result()
        completed = await runtime.start(agent, "Go.", key="k")
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        reopened = await runtime.start(agent, "Go.", key="k")
        assert await reopened.result(timeout=5) == "done"
        (summary,) = await runtime.runs()

    assert {run.id for run in (first, *others, completed, reopened)} == {first.id}
    assert summary.goal == "Go."
    model = agent.model
    assert isinstance(model, ScriptedModel)
    assert len(model.requests) == 1


async def test_starts_at_the_same_time_with_one_key_are_one_run() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        runs = await asyncio.gather(*(runtime.start(agent, f"Goal {n}.", key="k") for n in range(20)))
        results = await asyncio.gather(*(run.result() for run in runs))

        assert set(results) == {"done"}
        assert len(await runtime.runs()) == 1


async def test_another_key_another_agent_or_no_key_is_another_run() -> None:
    one, two = scripted("done", name="one"), scripted("done", name="two")
    async with Runtime(agents=[one, two]) as runtime:
        ids = {
            (await runtime.start(agent, "Go.", key=key)).id
            for agent, key in [(one, "k"), (one, "l"), (two, "k"), (one, ""), (one, "")]
        }

    assert len(ids) == 5


async def test_without_a_key_an_id_that_is_taken_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["a" * 12, "a" * 12, "b" * 12])
    monkeypatch.setattr(starting, "run_id", lambda agent, key: next(drawn))
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        ids = [(await runtime.start(agent, "Go.")).id for _ in range(2)]

    assert ids == ["a" * 12, "b" * 12]


async def test_opening_goes_on_with_what_was_unfinished(tmp_path: Path) -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")

    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        assert runtime.held == ()
        run = await runtime.run(run.id[:6])
        await run.approve((await run.pending())[0], by="me")
        assert await run.result(timeout=5) == "done"
        assert (await runtime.store.verify()).problems == ()


def _changed(agent: Agent) -> Agent:
    return attrs.evolve(agent, prompt=Prompt("Be brief."))


async def test_a_run_whose_agent_has_changed_is_held_and_others_go_on() -> None:
    store = MemoryStore()
    clerk = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    scribe = scripted(calls(call("pay", amount=5)), "written", tools=tools(Ledger()), name="scribe")
    async with Runtime(store=store, agents=[clerk, scribe]) as runtime:
        held, other = await runtime.start(clerk, "Pay.", key="k"), await runtime.start(scribe, "Write.")
        for run in (held, other):
            await until(run, "approval.requested")
    changed = _changed(clerk)

    async with Runtime(store=store, agents=[changed, scribe]) as runtime:
        (one,) = runtime.held
        assert (one.run, one.agent) == (held.id, "clerk")
        assert "agent 'clerk' has changed since it began (manifest " in one.reason
        assert "Runtime(on_change='warn')" in one.reason
        with pytest.raises(Held, match=f"run '{held.id}' is held: agent 'clerk' has changed"):
            await runtime.start(changed, "Pay.", key="k")
        run = await runtime.run(other.id)
        await run.approve((await run.pending())[0], by="me")
        assert await run.result(timeout=5) == "written"

    async with Runtime(store=store, agents=[clerk]) as runtime:
        assert runtime.held == ()
        run = await runtime.start(clerk, "Pay.", key="k")
        await run.approve((await run.pending())[0], by="me")
        assert await run.result(timeout=5) == "done"


async def test_a_run_whose_agent_has_changed_goes_on_when_told_to() -> None:
    store = MemoryStore()
    clerk = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Pay.", key="k")
        await until(run, "approval.requested")

    async with Runtime(store=store, agents=[_changed(clerk)], on_change="warn") as runtime:
        assert runtime.held == ()
        run = await runtime.run(run.id)
        await run.approve((await run.pending())[0], by="me")
        assert await run.result(timeout=5) == "done"


@pytest.mark.parametrize("on_change", ["refuse", "warn"])
async def test_a_run_whose_agent_is_missing_is_held(on_change: OnChange) -> None:
    store = MemoryStore()
    clerk = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Pay.", key="k")
        await until(run, "approval.requested")

    async with Runtime(store=store, agents=[scripted("x", name="other")], on_change=on_change) as runtime:
        assert [one.reason for one in runtime.held] == [
            "its agent 'clerk' is not among the runtime's: pass it in Runtime(agents=[...])"
        ]
        assert [one.run for one in await runtime.runs()] == [run.id]


async def test_a_finished_run_is_never_held() -> None:
    store, agent = MemoryStore(), scripted("done")
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result()

    async with Runtime(store=store, agents=[_changed(agent)]) as runtime:
        assert runtime.held == ()
        assert await (await runtime.run(run.id)).result() == "done"


async def _untaken(store: MemoryStore, agent: Agent) -> None:
    """A start whose process died between the message and its turn."""
    start = StartRun(agent=agent.name, goal="Go.", key="k", manifest=manifest(agent).hash)
    await store.append([Envelope(id="1", receiver=actor_id(ORCHESTRATOR, "r"), sender="host:1", record=encode(start))])


async def test_a_start_that_nobody_had_taken_up_begins_at_the_opening() -> None:
    store, agent = MemoryStore(), scripted("done")
    await _untaken(store, agent)

    async with Runtime(store=store, agents=[agent]) as runtime:
        await soon(runtime.runs)
        run = await runtime.run("r")
        assert await run.result(timeout=5) == "done"


async def test_a_start_that_nobody_had_taken_up_is_held_when_its_agent_has_changed() -> None:
    store, agent = MemoryStore(), scripted("done")
    await _untaken(store, agent)

    async with Runtime(store=store, agents=[_changed(agent)]) as runtime:
        assert [one.run for one in runtime.held] == ["r"]
        assert await runtime.runs() == []
    async with Runtime(store=store, agents=[agent]) as runtime:
        await soon(runtime.runs)
        assert await (await runtime.run("r")).result(timeout=5) == "done"


async def test_a_start_that_nobody_had_taken_up_begins_on_a_changed_agent_when_told_to() -> None:
    store, agent = MemoryStore(), scripted("done")
    await _untaken(store, agent)

    async with Runtime(store=store, agents=[_changed(agent)], on_change="warn") as runtime:
        await soon(runtime.runs)
        run = await runtime.run("r")
        assert await run.result(timeout=5) == "done"
        (line,) = await data(run, "run.manifest")
        assert line["hash"] == (await run.status()).manifest == manifest(_changed(agent)).hash


async def test_a_start_that_nobody_had_taken_up_is_held_when_its_agent_is_missing() -> None:
    store = MemoryStore()
    await _untaken(store, scripted("done"))

    async with Runtime(store=store, agents=[scripted("done", name="other")]) as runtime:
        assert [one.agent for one in runtime.held] == ["clerk"]
        assert await store.parked() == []


async def test_a_second_runtime_on_the_file_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    agent = scripted("done")
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        with pytest.raises(FileInUse, match=r"runs\.db is owned by process \d+: stop it"):
            async with Runtime(tmp_path / "runs.db", agents=[agent]):
                pass

        assert await (await runtime.start(agent, "Go.")).result(timeout=5) == "done"


async def test_a_file_that_is_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, not at all")

    with pytest.raises(NotChoragusFile):
        async with Runtime(path, agents=[scripted("done")]):
            pass

    assert path.read_text() == "not a database, not at all"


async def test_a_runtime_can_be_entered_again(tmp_path: Path) -> None:
    agent = scripted("done")
    runtime = Runtime(tmp_path / "runs.db", agents=[agent])
    async with runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result()
    async with runtime:
        assert await (await runtime.run(run.id)).result() == "done"


async def test_a_runtime_is_not_entered_twice_at_a_time() -> None:
    runtime = Runtime(agents=[scripted("done")])
    async with runtime:
        with pytest.raises(RuntimeError, match=r"^this Runtime on memory is open already: make another$"):
            await runtime.__aenter__()


async def test_a_closed_runtime_says_so(tmp_path: Path) -> None:
    agent = scripted("done")
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()

    with pytest.raises(StoreError, match="is closed: open it again"):
        await run.result()


def test_bad_options_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    one, same = scripted("done"), scripted("done")
    path = tmp_path / "runs.db"

    with pytest.raises(AgentFault, match=r"^two agents are named 'clerk': rename one$"):
        Runtime(path, agents=[one, same])
    with pytest.raises(AgentFault, match=r"is no Agent: pass Runtime\(agents=\[Agent\(\.\.\.\)\]\)$"):
        Runtime(path, agents=["clerk"])  # type: ignore[list-item]  # the mistake
    with pytest.raises(ValueError, match=r"^on_change='ignore' is neither 'refuse' nor 'warn'$"):
        Runtime(path, agents=[one], on_change="ignore")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match=r"^both path=.* and a store were given: give one of them$"):
        Runtime(path, agents=[one], store=MemoryStore())
    with pytest.raises(SpecFault, match="attempts=0 must be 1 or more"):
        Runtime(path, agents=[one], attempts=0)
    assert not path.exists()


async def test_only_the_runtimes_own_agents_are_started() -> None:
    mine, other, namesake = scripted("done"), scripted("done", name="other"), scripted("done")
    async with Runtime(agents=[mine]) as runtime:
        with pytest.raises(AgentFault, match=r"^agent 'other' is not among this runtime's: pass it in Runtime"):
            await runtime.start(other, "Go.")
        with pytest.raises(AgentFault, match=r"^another agent of this runtime is named 'clerk': start that one"):
            await runtime.start(namesake, "Go.")
        with pytest.raises(AgentFault, match=r"^'clerk' is no Agent: start one of those"):
            await runtime.start("clerk", "Go.")  # type: ignore[arg-type]  # the mistake
        with pytest.raises(AgentFault, match=r"^goal=5 and key='' must both be text$"):
            await runtime.start(mine, 5)  # type: ignore[arg-type]  # the mistake
        with pytest.raises(NotStorable):
            await runtime.start(mine, "\ud800")

        assert await runtime.runs() == []


async def test_an_agent_without_a_manifest_starts_nothing() -> None:
    agent = scripted("done")
    agent.model.settings = lambda: {"temperature": object()}  # type: ignore[method-assign]  # a model that is written wrongly
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(AgentFault, match="let settings"):
            await runtime.start(agent, "Go.")

        assert await runtime.runs() == []


async def test_a_start_that_fails_for_good_is_told_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "PART_BACKOFF", Backoff(first=0.001, most=0.001))
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        with monkeypatch.context() as broken:
            broken.setattr(Orchestrator, "_begin", None)
            with pytest.raises(MessageParked, match="'NoneType' object is not callable"):
                await runtime.start(agent, "Go.", key="k")

        assert await (await runtime.start(agent, "Go.", key="k")).result(timeout=5) == "done"


@pytest.mark.parametrize("id", ["nothing", "", "choragus.orchestrator/x"])
async def test_an_unknown_run_is_named(id: str) -> None:
    async with Runtime(agents=[scripted("done")]) as runtime:
        with pytest.raises(UnknownRun, match=rf"^no run {id!r} in memory: list the runs with"):
            await runtime.run(id)


def test_run_sync_gives_the_result(tmp_path: Path) -> None:
    agent = scripted("done")

    results = [run_sync(agent, "Go.", path=tmp_path / "runs.db", key="k") for _ in range(2)]

    assert results == ["done", "done"]


def test_run_sync_raises_what_the_run_ended_with() -> None:
    with pytest.raises(LimitReached):
        run_sync(scripted("done", limits=Limits(steps=0)), "Go.")


async def test_run_sync_inside_a_loop_names_the_remedy() -> None:
    with pytest.raises(RuntimeError, match=r"one is running already: use `async with Runtime"):
        run_sync(scripted("done"), "Go.")


async def test_many_runs_at_a_time() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        runs = [await runtime.start(agent, f"Goal {number}.") for number in range(30)]
        results = await asyncio.gather(*(run.result(timeout=20) for run in runs))

    assert results == ["done"] * 30
    assert sorted(ledger.done) == sorted(f"{run.id}/1.1" for run in runs)


def test_run_sync_in_memory_refuses_a_tool_that_nobody_could_approve() -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))

    with pytest.raises(AgentFault, match=r"^agent 'clerk' has the irreversible tool 'pay', and in memory nobody can"):
        run_sync(agent, "Pay.")
