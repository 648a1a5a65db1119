"""Forking a run: from where, what the fork has, what it spends, and its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from choragus.agents import fork as forks
from choragus.agents.errors import LimitReached, NotForkable
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .fork_play import approved, clerk, ended, position
from .play import Ledger, answering, call, kinds, tools, until


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that a runtime may be opened over."""
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "runs.db")
    yield made
    await made.close()


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_run_can_be_forked_at_every_position_before_its_end(store: Store, every: int) -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        last = await position(run, "model.replied", step=3) - 1
        before = [event async for event in run.past()]

        positions = range(1, last + 1, every)
        for at in positions:
            done = list(ledger.done)
            fork = await runtime.fork(run.id, at=at, key=f"at {at}")
            assert await approved(fork) == "all done", at
            past = [event.data["call"] for event in before[:at] if event.kind in ("call.intended", "call.refused")]
            again = [key.rpartition("/")[2] for key in ledger.done[len(done) :]]
            assert sorted(again) == sorted({"1.1", "1.2", "2.1"} - set(past)), at

        assert [event async for event in run.past()] == before
        found = await store.verify()
        assert (found.problems, found.forks) == ((), len(positions))


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_fork_of_a_fork_goes_on_from_every_position_too(every: int) -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        fork = await runtime.fork(run.id, at=await position(run, "call.finished", tool="look"))
        await approved(fork)

        last = await position(fork, "model.replied", step=3) - 1
        positions = range(1, last + 1, every)
        for at in positions:
            again = await runtime.fork(fork.id, at=at)
            assert await approved(again) == "all done", at

        found = await runtime.store.verify()
        assert (found.problems, found.forks) == ((), len(positions) + 1)


async def test_the_first_entry_cites_what_it_was_forked_from() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        (cited,) = await runtime.store.read(f"run/{run.id}", 6, 1)

        fork = await runtime.fork(run.id, at=7, by="mia")

        first = await anext(fork.past())
        assert (first.position, first.kind) == (1, "stream.forked")
        told = {name: first.data[name] for name in ("run", "stream", "position", "hash", "by")}
        assert told == {"run": run.id, "stream": f"run/{run.id}", "position": 7, "hash": cited.hash.hex(), "by": "mia"}


async def test_the_fork_has_the_conversation_up_to_there() -> None:
    heard: list[ModelRequest] = []
    agent = clerk(Ledger(), heard)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        first, second, third = (request.messages for request in heard)
        at = {step: await position(run, "memory.assembled", step=step) for step in (1, 2, 3)}
        heard.clear()

        for step in at:
            await approved(await runtime.fork(run.id, at=at[step]))

        same = [request.messages for request in heard]
        assert [same[0], same[3], same[5]] == [first, second, third]


@pytest.mark.parametrize("is_over", [False, True], ids=["in the step", "behind it"])
async def test_the_fork_gives_the_provider_back_what_it_wants_with_the_answer_in_hand(is_over: bool) -> None:
    """Without it a provider refuses the conversation of a model that thinks."""
    heard: list[ModelRequest] = []

    def model(request: ModelRequest) -> Answer:
        heard.append(request)
        if request.messages[-1].role == "tool":
            return "all done"
        return ModelReply(calls=(call("pay", "a", amount=5),), kept=({"provider": "function", "signature": "s"},))

    agent = answering(model, tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")
        at = await position(run, "approval.requested")
        if is_over:
            await approved(run)
        heard.clear()

        await approved(await runtime.fork(run.id, at=at))

        (request,) = heard
        assert [line.kept for line in request.messages if line.role == "assistant"] == [
            ({"provider": "function", "signature": "s"},)
        ]
        if not is_over:
            await run.cancel()


async def test_what_was_spent_counts_for_the_parent_only() -> None:
    agent = clerk(Ledger(), limits=Limits(steps=3))
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=await position(run, "memory.assembled", step=2))
        await approved(fork)

        assert ((await run.status()).steps, (await fork.status()).steps, (await fork.status()).step) == (3, 2, 3)


async def test_a_run_that_reached_a_limit_goes_on_as_a_fork_with_another() -> None:
    agent = clerk(Ledger(), limits=Limits(steps=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        with pytest.raises(LimitReached):
            await approved(run)

        fork = await runtime.fork(run.id, limits=Limits(steps=2))

        assert await approved(fork) == "all done"
        assert (await run.status()).status.value == "limit"


async def test_a_limit_of_the_fork_holds() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=2, limits=Limits(steps=2))

        with pytest.raises(LimitReached, match="steps is limited to 2"):
            await approved(fork)


async def test_the_wall_time_of_a_fork_begins_with_it() -> None:
    now = [1000.0]
    agent = clerk(Ledger(), limits=Limits(wall_seconds=60.0))
    async with Runtime(agents=[agent], clock=lambda: now[0]) as runtime:
        run = await ended(runtime, agent)
        now[0] += 3600.0

        fork = await runtime.fork(run.id, at=await position(run, "memory.assembled", step=3))

        assert await fork.result() == "all done"


async def test_the_same_key_again_is_the_same_fork() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=9, key="again")

        for at in (9, None):
            assert (await runtime.fork(run.id, at=at, key="again")).id == fork.id
        assert (await runtime.start(agent, "Anything.", key="again")).id == fork.id
        assert (await kinds(fork)).count("stream.forked") == 1


async def test_without_a_key_an_id_that_is_taken_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["a" * 12, "a" * 12, "b" * 12])
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        monkeypatch.setattr(forks, "run_id", lambda agent, key: next(drawn))

        ids = [(await runtime.fork(run.id, at=9)).id for _ in range(2)]

    assert ids == ["a" * 12, "b" * 12]


@pytest.mark.parametrize(("key", "at"), [("again", 8), ("k", 9)], ids=["another position", "the parent's own"])
async def test_a_key_that_is_taken_is_refused(key: str, at: int) -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        await runtime.fork(run.id, at=9, key="again")

        with pytest.raises(NotForkable, match=rf"key '{key}' already names run \w+, which is no such fork of it: give"):
            await runtime.fork(run.id, at=at, key=key)
