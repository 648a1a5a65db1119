"""What cannot be forked, and what is said of it; and what becomes of a fork when its parent is pruned."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from choragus.actors.errors import MessageParked
from choragus.agents import fork as forks
from choragus.agents.errors import AgentError, AgentFault, Held, NotForkable, UnknownRun
from choragus.agents.limits import Limits
from choragus.agents.message import ForkRun
from choragus.agents.model import ChatMessage
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.runtime import Runtime
from choragus.agents.stream import conversation_stream, run_stream
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Pruning

from .fork_play import approved, clerk, ended, position
from .play import Ledger, fail, kinds, scripted, soon, until


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that a runtime may be opened over."""
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "runs.db")
    yield made
    await made.close()


async def test_an_unknown_run_is_refused() -> None:
    async with Runtime(agents=[clerk(Ledger())]) as runtime:
        with pytest.raises(UnknownRun, match=r"^no run 'abc' in memory"):
            await runtime.fork("abc")


@pytest.mark.parametrize("at", [-1, 0, 10_000])
async def test_a_position_that_is_not_there_is_refused_with_those_that_are(at: int) -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        last, end = await position(run, "model.replied", step=3) - 1, len(await kinds(run))

        text = f"not at {at}: its logbook has positions 1 to {end}; fork it at 1 to {last}"
        with pytest.raises(NotForkable, match=f"^run '{run.id}' cannot be forked: {re.escape(text)}$"):
            await runtime.fork(run.id, at=at)


async def test_the_end_of_a_run_is_no_point_to_fork_from() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        final = await position(run, "model.replied", step=3)

        for at in range(final, len(await kinds(run)) + 1):
            with pytest.raises(NotForkable, match=f"it had come to its end by {at}; fork it at 1 to {final - 1}$"):
                await runtime.fork(run.id, at=at)

        assert await approved(await runtime.fork(run.id)) == "all done"


async def test_the_end_of_a_run_that_was_cancelled_is_no_point_either() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await until(run, "approval.requested")
        await run.cancel()
        end = await position(run, "phase", phase="stop")

        for at in range(end, len(await kinds(run)) + 1):
            with pytest.raises(NotForkable, match=f"it had come to its end by {at}; fork it at 1 to {end - 1}$"):
                await runtime.fork(run.id, at=at)

        assert (await anext((await runtime.fork(run.id)).past())).data["position"] == end - 1


async def test_a_pruned_run_is_refused(store: Store) -> None:
    agent = clerk(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        async def gone() -> bool:
            return run.id in (await runtime.prune(older_than=0.0)).runs

        await soon(gone)

        with pytest.raises(NotForkable, match=f"^run '{run.id}' cannot be forked: it was pruned: "):
            await runtime.fork(run.id, at=3)


async def test_a_run_that_is_pruned_while_it_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of its conversation is gone, and what is left must not be taken for all of it."""
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        streams = {run_stream(run.id): len(await kinds(run)), conversation_stream(run.id): 2}
        read = forks.whole_conversation

        async def too_late(store: Store, run: str) -> list[ChatMessage]:
            await store.prune(Pruning(at=1.0, streams=streams))
            return await read(store, run)

        monkeypatch.setattr(forks, "whole_conversation", too_late)

        with pytest.raises(AgentError, match=f"^run '{run.id}' cannot be forked: it was pruned: "):
            await runtime.fork(run.id, at=await position(run, "memory.assembled", step=2))


async def test_a_fork_outlives_its_pruned_parent(store: Store) -> None:
    agent = clerk(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        fork = await runtime.fork(run.id)
        waiting = await runtime.fork(run.id, at=await position(run, "approval.requested"))
        await fork.result()
        await until(waiting, "approval.requested")

        async def gone() -> bool:
            return run.id in (await runtime.prune(older_than=0.0)).runs

        await soon(gone)

        assert await approved(waiting) == "all done"
        found = await store.verify()
        assert (found.problems, found.forks >= 1) == ((), True)


async def test_a_run_whose_agent_has_changed_is_forked_when_told_to_only() -> None:
    store = MemoryStore()
    before = clerk(Ledger())
    async with Runtime(store=store, agents=[before]) as runtime:
        run = await ended(runtime, before)
        waiting = await runtime.start(before, "Wait.", key="w")
        await until(waiting, "approval.requested")

    after = attrs.evolve(before, limits=Limits(steps=7))
    async with Runtime(store=store, agents=[after]) as runtime:
        for one in (run, waiting):
            with pytest.raises(Held, match=r"has changed since it began .*on_change='warn'"):
                await runtime.fork(one.id, at=3)

    async with Runtime(store=store, agents=[scripted(name="other")]) as runtime:
        with pytest.raises(Held, match="its agent 'clerk' is not among the runtime's"):
            await runtime.fork(run.id, at=3)

    async with Runtime(store=store, agents=[after], on_change="warn") as runtime:
        fork = await runtime.fork(run.id)
        assert await fork.result() == "all done"
        assert (await fork.status()).manifest != (await run.status()).manifest


@pytest.mark.parametrize("given", [{"at": "3"}, {"at": True}, {"key": 3}, {"by": None}, {"limits": 3}])
async def test_arguments_of_a_wrong_type_are_refused(given: dict[str, object]) -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        with pytest.raises(AgentFault, match=f"^{next(iter(given))}="):
            await runtime.fork(run.id, **given)  # type: ignore[arg-type]  # that is the point


async def test_a_fork_that_could_not_begin_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = clerk(Ledger())
    fail(monkeypatch, Orchestrator, ForkRun, 1)
    async with Runtime(agents=[agent], attempts=1) as runtime:
        run = await ended(runtime, agent)
        with pytest.raises(MessageParked):
            await runtime.fork(run.id, key="f")

        fork = await runtime.fork(run.id, key="f")

        assert await fork.result() == "all done"
        assert (await kinds(fork))[:2] == ["message.parked", "stream.forked"]
        assert (await runtime.fork(run.id, key="f")).id == fork.id
        assert (await runtime.store.verify()).forks == 1


@pytest.mark.parametrize(
    ("stream", "raises"), [("run", CorruptRecord), ("conversation", AgentError)], ids=["logbook", "conversation"]
)
async def test_a_damaged_run_is_refused(tmp_path: Path, stream: str, raises: type[Exception]) -> None:
    path, agent = tmp_path / "runs.db", clerk(Ledger())
    async with Runtime(path, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        with closing(sqlite3.connect(path)) as connection:
            number = "(SELECT number FROM head WHERE stream = ?)"
            statement = f"UPDATE entry SET at = 1.5 WHERE position = 2 AND stream = {number}"
            assert connection.execute(statement, (f"{stream}/{run.id}",)).rowcount == 1
            connection.commit()

        with pytest.raises(raises, match=f"entry 2 of stream '{stream}/{run.id}' does not match its digest"):
            await runtime.fork(run.id, key="f")

        assert [one.run for one in await runtime.runs()] == [run.id]
