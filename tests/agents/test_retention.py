"""Pruning runs: beside a live owner, by it, in the middle of a kill; what is kept, and what a pruned run's key does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from choragus.actors.errors import MessageParked
from choragus.agents.agent import Agent
from choragus.agents.errors import UnknownRun
from choragus.agents.inspection import ApprovalRequested, unknowns
from choragus.agents.model import ModelReply, ToolCall
from choragus.agents.retention import KeptRun, Sweep, prune_runs
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.stream import conversation_stream, run_stream
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Pruned, Pruning

from .play import Mortal, interrupted, killed_while_it_runs, live, scripted, soon

DAY = 86400.0


@tool(risk="irreversible")
async def pay(amount: int) -> str:
    """Pay."""
    return "paid"


def answers() -> Agent:
    return scripted("Fine.", "Fine.")


def pays() -> Agent:
    return scripted(ModelReply(calls=(ToolCall("a", "pay", {"amount": 1}),)), "Done.", tools=[pay], name="payer")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that a runtime may be opened over."""
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "runs.db")
    yield made
    await made.close()


async def finished(runtime: Runtime, agent: Agent, key: str) -> Run:
    """A run that has ended, with nothing on its way any more."""
    run = await runtime.start(agent, "How are you?", key=key)
    await run.result()

    async def nothing_waits() -> bool:
        return not await runtime.store.waiting(time.time() + DAY)

    await soon(nothing_waits)
    return run


async def asks(runtime: Runtime, agent: Agent) -> Run:
    """A run that waits for approval."""
    run = await runtime.start(agent, "Pay.", key="pay")
    async for event in run.events():
        if isinstance(event, ApprovalRequested):
            return run
    raise AssertionError("the run asked nobody")


async def test_an_owner_prunes_what_ended_and_goes_on_with_the_rest(store: Store) -> None:
    agent, payer = answers(), pays()
    async with Runtime(store=store, agents=[agent, payer]) as runtime:
        old, waiting = await finished(runtime, agent, "old"), await asks(runtime, payer)

        sweep = await runtime.prune(older_than=0.0)

        assert (sweep.runs, sweep.kept, sweep.states) == ((old.id,), (), 4)
        assert [summary.run for summary in await runtime.runs()] == [waiting.id]
        (approval,) = await waiting.pending()
        await waiting.approve(approval, by="mia")
        assert await waiting.result() == "Done."
        found = await store.verify()
        assert found.problems == ()
        gone = {stone.stream for stone in found.tombstones}
        assert gone == {run_stream(old.id), conversation_stream(old.id), SYSTEM_STREAM}


async def test_a_pruned_run_is_unknown_and_its_key_stays_taken(store: Store) -> None:
    """Whoever repeats a start years later must not pay twice."""
    agent = answers()
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")
        await runtime.prune(older_than=0.0)

        with pytest.raises(UnknownRun):
            await run.result()
        with pytest.raises(MessageParked, match="has ended"):
            await runtime.start(agent, "How are you?", key="k")

        assert (await (await runtime.start(agent, "How are you?", key="other")).result()) == "Fine."


async def test_a_dry_run_says_what_would_go_and_takes_nothing(store: Store) -> None:
    agent = answers()
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")

        dry = await runtime.prune(older_than=0.0, dry_run=True)

        assert (dry.runs, len(await store.tombstones()), await run.result()) == ((run.id,), 0, "Fine.")
        sweep = await runtime.prune(older_than=0.0)
        assert (sweep.runs, sweep.entries) == (dry.runs, dry.entries)


async def test_a_run_is_kept_until_it_is_old_enough(store: Store) -> None:
    agent = answers()
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")
        ended = (await run.status()).ended

        early = await prune_runs(store, older_than=DAY, now=ended + DAY)
        late = await prune_runs(store, older_than=DAY, now=ended + DAY + 1)

        assert (early.runs, late.runs) == ((), (run.id,))


async def test_an_age_below_nothing_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"^older_than=-1 is negative: give the seconds"):
        await prune_runs(store, older_than=-1.0, now=0.0)


async def test_what_a_reader_has_not_read_is_kept_and_named(store: Store) -> None:
    agent = answers()
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")
        runtime._system.kernel.move_cursor("tracer", 2)

        async def moved() -> bool:
            return await store.cursor("tracer") == 2

        await soon(moved)

        sweep = await runtime.prune(older_than=0.0)

        assert sweep.runs == ()
        assert [kept.run for kept in sweep.kept] == [run.id]
        assert sweep.kept[0].reason.startswith("reader 'tracer' has come to entry 2 of the file, ")


def test_an_ended_run_whose_call_is_of_unknown_outcome_is_kept() -> None:
    """The call may have happened: that a person says so is still awaited."""
    made, keys = interrupted("irreversible")
    store = Mortal()
    agent, _ = killed_while_it_runs(made, keys, store)

    async def play(runtime: Runtime) -> Sweep:
        (summary,) = await runtime.runs()
        run = await runtime.run(summary.run)

        async def is_unknown() -> bool:
            return bool(await unknowns(store, run.id))

        await soon(is_unknown)
        await run.cancel()
        return await runtime.prune(older_than=0.0)

    sweep = live(store, agent, play)

    assert sweep is not None
    assert sweep.runs == ()
    assert [kept.reason for kept in sweep.kept if kept.run] == ["it waits for a person: see `choragus approvals`"]


async def test_a_damaged_run_is_kept_and_blocks_no_other(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.db")
    agent = answers()
    async with Runtime(store=store, agents=[agent]) as runtime:
        bad, good = [await finished(runtime, agent, key) for key in ("a", "b")]
        statement = (
            "UPDATE entry SET body = x'7b7d' WHERE position = 3 AND stream = (SELECT number FROM head WHERE stream = ?)"
        )
        await store._hop(lambda connection: connection.execute(statement, (run_stream(bad.id),)).fetchall())

        sweep = await runtime.prune(older_than=0.0)

        assert sweep.runs == (good.id,)
        (kept,) = sweep.kept
        why = f"entry 3 of stream '{run_stream(bad.id)}' does not match its digest: see `choragus verify`"
        assert kept == KeptRun(bad.id, why)


async def test_a_visitor_prunes_beside_an_owner_that_has_the_run_in_memory(tmp_path: Path) -> None:
    """The owner's actors notice that they have ended, by their revision."""
    path, agent = tmp_path / "runs.db", answers()
    async with Runtime(path, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")
        visitor = await SqliteStore.open(path, visitor=True)

        sweep = await prune_runs(visitor, older_than=0.0, now=time.time() + 1)

        assert sweep.runs == (run.id,)
        with pytest.raises(MessageParked, match="has ended"):
            await run.cancel()
        assert (await runtime.runs(), (await visitor.verify()).problems) == ([], ())
        await visitor.close()


class Interrupted(Exception):
    """Raised instead of the n-th transaction."""


async def test_a_pruning_that_was_killed_anywhere_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, agent = await SqliteStore.open(tmp_path / "runs.db"), answers()
    prune, times, left = store.prune, 0, 0

    async def cut(pruning: Pruning) -> Pruned:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupted
        return await prune(attrs.evolve(pruning, limit=2))

    monkeypatch.setattr(store, "prune", cut)
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await finished(runtime, agent, "k")
        while True:
            left = 1
            try:
                await runtime.prune(older_than=0.0)
                break
            except Interrupted:
                times += 1
                assert (await store.verify()).problems == ()

    assert times > 5
    found = await SqliteStore.open(tmp_path / "runs.db")
    assert {stone.stream for stone in await found.tombstones()} >= {run_stream(run.id), conversation_stream(run.id)}
    assert (await found.views("run"), (await found.verify()).problems) == ([], ())
    await found.close()


async def test_a_pruning_that_holds_the_file_too_long_takes_less_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, agent = await SqliteStore.open(tmp_path / "runs.db"), answers()
    prune, limits = store.prune, list[int]()

    async def slow(pruning: Pruning) -> Pruned:
        limits.append(pruning.limit)
        return attrs.evolve(await prune(pruning), seconds=0.071)

    monkeypatch.setattr(store, "prune", slow)
    async with Runtime(store=store, agents=[agent]) as runtime:
        await finished(runtime, agent, "k")
        await runtime.prune(older_than=0.0)

    assert limits[:2] == [25, 5]
