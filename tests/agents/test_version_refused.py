"""A run whose agent is not what it was: refused with what differs, ended, forked, migrated, or warned about."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path

import attrs
import msgspec
import pytest

from choragus.actors.event import Event, Failed
from choragus.agents.agent import Agent
from choragus.agents.attention import Attention
from choragus.agents.errors import AgentFault, Cancelled, Held
from choragus.agents.inspection import approvals
from choragus.agents.manifest import manifest
from choragus.agents.message import GUARDRAIL, ORCHESTRATOR, CallFinished, CancelRun, Decide, StartRun
from choragus.agents.prompt import Prompt
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.state import Status
from choragus.agents.tool import Tool, tool
from choragus.agents.version import versioned
from choragus.agents.version.message import MigrateRun
from choragus.agents.version.migration import Migration
from choragus.agents.version.record import REFUSED
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Envelope

from .play import Ledger, Mortal, call, calls, data, eventually, kinds, scripted, soon, tools, until

PAYS = (calls(call("pay", amount=5)), "done")


def clerk(ledger: Ledger | None = None, name: str = "clerk") -> Agent:
    """An agent that waits for a person."""
    return scripted(*PAYS, tools=tools(ledger or Ledger()), name=name)


def brief(agent: Agent) -> Agent:
    """The same with another prompt."""
    return attrs.evolve(agent, prompt=Prompt("Be brief."))


async def left_waiting(store: Store, *agents: Agent) -> list[str]:
    """One run of each that waits for a person; the runtime is closed."""
    async with Runtime(store=store, agents=agents) as runtime:
        runs = [await runtime.start(agent, "Pay.", key="k") for agent in agents]
        for run in runs:
            await until(run, "approval.requested")
    return [run.id for run in runs]


async def killed(store: Mortal, play: Callable[[Runtime], Awaitable[None]], *agents: Agent) -> None:
    """Play until the power is cut in the middle of it."""

    async def played() -> None:
        async with Runtime(store=store, agents=agents) as runtime:
            await play(runtime)

    with pytest.raises(BaseException):  # noqa: B017, PT011  # whichever of those that wait hears of it first
        await asyncio.wait_for(played(), 10.0)
    store.revive()


async def rows(store: Store, kind: str = REFUSED) -> dict[str, dict[str, object]]:
    """The rows of a kind by key."""
    return {view.key: msgspec.json.decode(view.body or b"{}") for view in await store.views(kind)}


async def approve(run: Run[str]) -> str:
    """Let it pay, and give its answer."""
    await (await run.pending())[0].approve(by="me")
    return await run.result(timeout=5)


def migration(before: Agent, after: Agent, **other: object) -> Migration:
    """A patch from the one to the other."""
    whole: dict[str, object] = {"agent": before.name, "from_": manifest(before).hash[:10], "to": manifest(after).hash}
    return Migration(**{**whole, "by": "mia", "why": "only the tone", **other})  # type: ignore[arg-type]  # as it checks


async def test_a_run_of_a_changed_agent_is_refused_with_what_differs_and_others_go_on() -> None:
    store, old, scribe = MemoryStore(), clerk(), clerk(name="scribe")
    refused, other = await left_waiting(store, old, scribe)
    new = brief(old)

    async with Runtime(store=store, agents=[new, scribe]) as runtime:
        (one,) = runtime.refused()
        assert (one.run, one.was, one.now) == (refused, manifest(old).hash, manifest(new).hash)
        assert one.difference == ["prompt: changed", "  @@ -0,0 +1 @@", "  +Be brief."]
        assert "what differs: prompt)" in one.reason
        assert await approve(await runtime.run(other)) == "done"
        await soon(lambda: rows(store))
        row = (await rows(store))[refused]
        assert (row["agent"], row["changes"], row["now"]) == ("clerk", ["prompt"], manifest(new).hash)
        assert {manifest(old).hash, manifest(new).hash} <= (await rows(store, "manifest")).keys()
        (entry,) = [each for each in await store.read(SYSTEM_STREAM) if each.kind == "run.refused"]
        assert msgspec.json.decode(entry.body)["run"] == refused


async def test_it_is_noted_once_and_struck_off_when_the_agent_is_as_it_was() -> None:
    store, old = MemoryStore(), clerk()
    (refused,) = await left_waiting(store, old)
    for _ in range(2):
        async with Runtime(store=store, agents=[brief(old)]):
            await soon(lambda: rows(store))

    async with Runtime(store=store, agents=[old]) as runtime:

        async def gone() -> bool:
            return not await rows(store)

        await soon(gone)
        assert await approve(await runtime.run(refused)) == "done"
        assert sum(each.kind == "run.refused" for each in await store.read(SYSTEM_STREAM)) == 1


async def test_many_are_noted_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioned, "AT_ONCE", 5)
    store, old = MemoryStore(), clerk()
    for number in range(12):
        start = StartRun(agent="clerk", goal="Pay.", key=f"k{number}", manifest=manifest(old).hash)
        receiver = actor_id(ORCHESTRATOR, f"r{number}")
        await store.append([Envelope(id="1", receiver=receiver, sender="host:1", record=encode(start))])

    async def listed(many: int) -> None:
        async def noted() -> bool:
            return len(await rows(store)) == many

        await soon(noted)

    async with Runtime(store=store, agents=[brief(old)]) as runtime:
        assert len(runtime.refused()) == 12
        await listed(12)
    async with Runtime(store=store, agents=[old]):
        await listed(0)
    assert sum(each.kind == "run.refused" for each in await store.read(SYSTEM_STREAM)) == 12


async def test_people_are_told() -> None:
    store, old, heard = MemoryStore(), clerk(), list[Attention]()
    (refused,) = await left_waiting(store, old)

    async with Runtime(store=store, agents=[brief(old)], attention=heard.append) as runtime:

        async def told() -> bool:
            return any(one.kind == "held" for one in heard)

        await soon(told)
        assert [one.run for one in await runtime.attention() if one.kind == "held"] == [refused]
        await (await runtime.run(refused)).cancel()
        assert [one for one in await runtime.attention() if one.kind == "held"] == []


async def test_a_refused_run_can_be_ended_and_nothing_is_done_in_it() -> None:
    store, ledger = MemoryStore(), Ledger()
    old = clerk(ledger)
    (refused,) = await left_waiting(store, old)
    new = brief(old)

    async with Runtime(store=store, agents=[new]) as runtime:
        run = await runtime.run(refused)
        assert await run.cancel(by="mia", reason="no longer wanted")
        with pytest.raises(Cancelled, match="no longer wanted"):
            await run.result(timeout=5)
        assert runtime.refused() == []
        assert isinstance(new.model, ScriptedModel)
        assert len(new.model.requests) == 1, "the one from before: the model is the same object"
        assert await run.cancel() is False

        async def gone() -> bool:
            return not await rows(store)

        await soon(gone)

    assert ledger.calls() == []
    async with Runtime(store=store, agents=[old]) as runtime:
        assert (await (await runtime.run(refused)).status()).status is Status.CANCELLED
        assert runtime.held == ()


async def test_a_run_whose_agent_is_missing_can_be_ended_too() -> None:
    store = MemoryStore()
    (refused,) = await left_waiting(store, clerk())

    seen: list[Event] = []
    async with Runtime(store=store, agents=[]) as runtime:
        runtime.events.subscribe(seen.append)
        run = await runtime.run(refused)
        assert await run.cancel(by="mia")
        with pytest.raises(Cancelled):
            await run.result(timeout=5)
        await eventually(run, "call.finished")

    assert [one for one in seen if isinstance(one, Failed)] == [], "no part of it needs the agent for that"


async def test_a_result_that_waits_before_the_end_moves_nothing_any_more() -> None:
    store, old = MemoryStore(), clerk()
    (refused,) = await left_waiting(store, old)
    words = CallFinished(call="1.1", text="paid 5"), CancelRun(by="mia")
    for number, word in enumerate(words):
        receiver = actor_id(ORCHESTRATOR, refused)
        await store.append([Envelope(id=str(number), receiver=receiver, sender="visitor", record=encode(word))])

    async with Runtime(store=store, agents=[brief(old)]) as runtime:
        run = await runtime.run(refused)
        with pytest.raises(Cancelled):
            await run.result(timeout=5)

        assert "check" not in [line["phase"] for line in await data(run, "phase")]


async def test_an_end_that_a_visitor_has_left_is_taken_up_at_the_opening_before_anything_else() -> None:
    """An approval waits before it: the call is not made."""
    store, ledger = MemoryStore(), Ledger()
    old = clerk(ledger)
    (refused,) = await left_waiting(store, old)
    (asked,) = await approvals(store, refused)
    yes = Decide(call=asked.call, approved=True, by="mia", hash=asked.hash)
    for part, word in ((GUARDRAIL, yes), (ORCHESTRATOR, CancelRun(by="mia", reason="wrong week"))):
        mail = Envelope(id="1", receiver=actor_id(part, refused), sender="visitor", record=encode(word))
        await store.append([mail])

    async with Runtime(store=store, agents=[brief(old)]) as runtime:
        with pytest.raises(Cancelled, match="wrong week"):
            await (await runtime.run(refused)).result(timeout=5)
        await eventually(await runtime.run(refused), "call.judged")

    assert ledger.calls() == []


async def test_a_model_call_that_was_under_way_is_not_made_again_in_a_run_that_is_ended() -> None:
    store, asked = Mortal(), list[str]()
    hang = asyncio.Event()

    async def answer(request: object) -> str:
        asked.append("once")
        await hang.wait()
        return "done"

    old = Agent("clerk", model=FunctionModel(answer))

    async def cut_off(runtime: Runtime) -> None:
        run = await runtime.start(old, "Go.", key="k")
        await until(run, "budget.reserved")
        store.kill()
        await runtime.start(old, "Another.")

    await killed(store, cut_off, old)

    async with Runtime(store=store, agents=[brief(old)]) as runtime:
        (run,) = [await runtime.run(one.run) for one in await runtime.runs()]
        assert await run.cancel(by="mia")
        with pytest.raises(Cancelled):
            await run.result(timeout=5)

    assert len(asked) == 1


async def test_a_refused_run_is_forked_onto_the_agent_as_it_is_when_told_to() -> None:
    store, ledger = MemoryStore(), Ledger()
    old = clerk(ledger)
    (refused,) = await left_waiting(store, old)
    new = brief(old)

    async with Runtime(store=store, agents=[new]) as runtime:
        with pytest.raises(Held):
            await runtime.fork(refused)
        fork = await runtime.fork(refused, changed=True, by="mia")
        await until(fork, "approval.requested")

        assert await approve(fork) == "done"
        assert (await fork.status()).manifest == manifest(new).hash
        assert [one.run for one in runtime.refused()] == [refused], "that one stays as it is"


async def test_a_declared_patch_lets_it_go_on_and_stands_in_its_logbook() -> None:
    store, old = MemoryStore(), clerk()
    (migrated,) = await left_waiting(store, old)
    new = brief(old)

    async with Runtime(store=store, agents=[new], migrations=[migration(old, new)]) as runtime:
        assert runtime.refused() == []
        run = await runtime.run(migrated)
        await until(run, "run.migrated")
        assert await approve(run) == "done"
        (line,) = await data(run, "run.migrated")
        assert (line["from"], line["to"]) == (manifest(old).hash, manifest(new).hash)
        assert (line["by"], line["why"]) == ("mia", "only the tone")
        assert (await run.status()).manifest == manifest(new).hash
        assert {manifest(old).hash, manifest(new).hash} == (await rows(store, "manifest")).keys()


async def test_a_migrated_run_is_of_the_new_identity_for_good() -> None:
    store, old = MemoryStore(), clerk()
    (migrated,) = await left_waiting(store, old)
    new = brief(old)
    async with Runtime(store=store, agents=[new], migrations=[migration(old, new)]) as runtime:
        await until(await runtime.run(migrated), "run.migrated")

    async with Runtime(store=store, agents=[new]) as runtime:
        assert runtime.refused() == []
        run = await runtime.run(migrated)
        assert await approve(run) == "done"
        assert (await kinds(run)).count("run.migrated") == 1


async def test_a_patch_that_leads_elsewhere_does_not_count() -> None:
    store, old = MemoryStore(), clerk()
    (refused,) = await left_waiting(store, old)
    new, newest = brief(old), attrs.evolve(old, prompt=Prompt("Be kind."))

    async with Runtime(store=store, agents=[newest], migrations=[migration(old, new)]) as runtime:
        (one,) = runtime.refused()

    leads = f"the migration declared by mia leads to {manifest(new).hash[:12]}, and the agent is {one.now[:12]}"
    assert one.run == refused
    assert leads in one.reason


@pytest.mark.parametrize("fits", [True, False])
async def test_a_patch_may_look_at_what_the_agent_was(fits: bool) -> None:
    store, old = MemoryStore(), clerk()
    await left_waiting(store, old)
    new = brief(old)

    def had_no_output(identity: Mapping[str, object]) -> bool:
        return (identity["output"] == "") is fits

    async with Runtime(store=store, agents=[new], migrations=[migration(old, new, from_=had_no_output)]) as runtime:
        assert (runtime.refused() == []) is fits


async def test_a_call_that_waits_under_an_old_name_is_made_with_the_tool_of_the_new() -> None:
    store, ledger = MemoryStore(), Ledger()
    old = clerk(ledger)
    (migrated,) = await left_waiting(store, old)
    *others, pay = tools(ledger)

    def named(one: Tool) -> Tool:
        return tool(risk="irreversible", name="pay_invoice")(one.function)

    new = attrs.evolve(old, tools=(*others, named(pay)))
    patch = migration(old, new, renamed={"pay": "pay_invoice"}, why="pay has a better name")

    async with Runtime(store=store, agents=[new], migrations=[patch]) as runtime:
        run = await runtime.run(migrated)
        await until(run, "run.migrated")
        assert await approve(run) == "done"

    assert ledger.calls() == ["1.1"]


async def test_a_start_that_nobody_had_taken_up_is_migrated_too() -> None:
    store, old = MemoryStore(), clerk()
    new = brief(old)
    start = StartRun(agent="clerk", goal="Pay.", key="k", manifest=manifest(old).hash)
    await store.append([Envelope(id="1", receiver=actor_id(ORCHESTRATOR, "r"), sender="host:1", record=encode(start))])

    async with Runtime(store=store, agents=[new], migrations=[migration(old, new)]) as runtime:
        await soon(runtime.runs)
        run = await runtime.run("r")
        await until(run, "run.migrated")

        assert (await run.status()).manifest == manifest(new).hash


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"from_": "abc"},
            r"^Migration\(from_='abc'\) names no identity: give its hash, or the first 8 or more digits",
        ),
        ({"to": "xyzxyzxyz"}, r"^Migration\(to='xyzxyzxyz'\) names no identity"),
        ({"by": " "}, r"^Migration\(by=' '\) says nothing"),
        ({"why": ""}, r"^Migration\(why=''\) says nothing"),
        ({"renamed": ["pay"]}, r"^Migration\(renamed=\['pay'\]\): give the new names by the old ones"),
    ],
)
def test_a_patch_that_is_none_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(AgentFault, match=said):
        migration(clerk(), brief(clerk()), **wrong)


def test_a_patch_for_an_agent_that_is_not_there_is_refused() -> None:
    with pytest.raises(AgentFault, match=r"^a Migration is about agent 'clerk', which is not among the runtime's"):
        Runtime(agents=[clerk(name="other")], migrations=[migration(clerk(), brief(clerk()))])
    with pytest.raises(AgentFault, match=r"is no Migration: pass Runtime\(migrations"):
        Runtime(agents=[clerk()], migrations=["it"])  # type: ignore[list-item]  # the mistake


async def test_when_it_is_only_warned_about_that_is_said_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    store, old = MemoryStore(), clerk()
    (changed,) = await left_waiting(store, old)
    new = brief(old)

    with caplog.at_level(logging.WARNING, logger="choragus"):
        async with Runtime(store=store, agents=[new], on_change="warn") as runtime:
            assert (runtime.refused(), [one.run for one in runtime.warned]) == ([], [changed])
            run = await runtime.run(changed)
            assert await approve(run) == "done"
            (line,) = await data(run, "run.continued")

    assert (line["identity"], line["was_identity"]) == (manifest(new).hash, manifest(old).hash)
    assert any(f"run {changed} goes on though agent 'clerk' has changed" in one.message for one in caplog.records)
    assert (await rows(store))[changed]["warned"] is True


async def test_killed_and_opened_with_a_changed_agent_only_its_run_waits() -> None:
    ledger, store = Ledger(), Mortal()
    old, scribe = clerk(ledger), clerk(ledger, "scribe")
    refused, other = await left_waiting(store, old, scribe)

    async def cut_off(runtime: Runtime) -> None:
        store.kill()
        await (await (await runtime.run(refused)).pending())[0].approve(by="me")

    await killed(store, cut_off, old, scribe)
    new = brief(old)

    async with Runtime(store=store, agents=[new, scribe]) as runtime:
        assert [one.run for one in runtime.refused()] == [refused]
        assert await approve(await runtime.run(other)) == "done"
    async with Runtime(store=store, agents=[new, scribe], migrations=[migration(old, new)]) as runtime:
        assert await approve(await runtime.run(refused)) == "done"

    assert sorted(ledger.calls()) == ["1.1", "1.1"]
    assert (await store.verify()).problems == ()


async def family(store: Store, boss: Agent, under: Agent) -> list[str]:
    """A run and a sub-run of it, both of which wait for a person."""
    async with Runtime(store=store, agents=[boss, under]) as runtime:
        run = await runtime.start(boss, "Pay.", key="k")
        child = await runtime.start(under, "Pay.", key="k", parent=run)
        for one in (run, child):
            await until(one, "approval.requested")
    return [run.id, child.id]


@pytest.mark.parametrize("both", [False, True], ids=["the-parent", "both"])
async def test_a_sub_run_of_a_refused_run_is_refused_and_ends_with_it(both: bool) -> None:
    store, ledger = MemoryStore(), Ledger()
    boss, under = clerk(ledger, "boss"), clerk(ledger, "under")
    run, child = await family(store, boss, under)
    agents = [brief(boss), brief(under) if both else under]

    async with Runtime(store=store, agents=agents) as runtime:
        assert {one.run for one in runtime.refused()} == {run, child}
        below = await runtime.run(child)
        with pytest.raises(
            Held, match="what differs: prompt" if both else f"run {run}, which it is a sub-run of, is not"
        ):
            await approve(below)
        await (await runtime.run(run)).cancel(by="mia")
        with pytest.raises(Cancelled):
            await below.result(timeout=5)

        assert runtime.refused() == []
    assert ledger.calls() == []


async def test_a_run_goes_on_though_its_sub_run_is_refused_which_ends_with_it_at_the_next_opening() -> None:
    store, boss, under = MemoryStore(), clerk(name="boss"), clerk(name="under")
    run, child = await family(store, boss, under)
    for _ in range(2):
        async with Runtime(store=store, agents=[boss, brief(under)]) as runtime:
            if [one.run for one in runtime.refused()] == [child]:
                assert await approve(await runtime.run(run)) == "done"

    async with Runtime(store=store, agents=[boss, brief(under)]) as runtime:
        with pytest.raises(Cancelled):
            await (await runtime.run(child)).result(timeout=5)
        assert runtime.refused() == []


async def test_a_patch_that_was_posted_at_an_earlier_opening_says_nothing_about_another_agent() -> None:
    store, old = MemoryStore(), clerk()
    (run,) = await left_waiting(store, old)
    patch = MigrateRun(was=manifest(old).hash, to=manifest(brief(old)).hash, by="mia", why="only the tone")
    receiver = actor_id(ORCHESTRATOR, run)
    await store.append([Envelope(id="1", receiver=receiver, sender="host:1", record=encode(patch))])

    async with Runtime(store=store, agents=[old]) as runtime:  # the deployment was taken back before its turn
        assert await approve(await runtime.run(run)) == "done"

        assert (await (await runtime.run(run)).status()).manifest == manifest(old).hash
        assert "run.migrated" not in await kinds(await runtime.run(run))


@pytest.mark.parametrize("kind", ["manifest", "content", "provenance"])
async def test_what_is_there_to_be_read_holds_up_no_opening_when_it_is_damaged(kind: str, tmp_path: Path) -> None:
    path, old = tmp_path / "runs.db", attrs.evolve(clerk(), prompt=Prompt("Be kind."))
    async with Runtime(path, agents=[old]) as runtime:
        run = await runtime.start(old, "Pay.", key="k")
        await until(run, "approval.requested")
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute("UPDATE view SET body = x'7b7d' WHERE kind = ?", (kind,)).rowcount

    async with Runtime(path, agents=[brief(old)]) as runtime:
        (one,) = runtime.refused()
        assert one.run == run.id
    async with Runtime(path, agents=[old]) as runtime:
        assert await approve(await runtime.run(run.id)) == "done"
