"""Forking a run: at every position of its logbook, from the host; what the fork has, spends, repeats and asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Held, LimitReached, NotForkable, UnknownRun
from choragus.agents.limits import Limits
from choragus.agents.model import ChatMessage, ModelRequest
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .play import Ledger, answering, call, calls, data, eventually, kinds, scripted, soon, tools, until

REPLIES: tuple[Answer, ...] = (
    calls(call("look", "a", at="door"), call("pay", "b", amount=5)),
    calls(call("book", "c", what="room"), call("invented", "d")),
    "all done",
)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that a runtime may be opened over."""
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "runs.db")
    yield made
    await made.close()


def clerk(ledger: Ledger, heard: list[ModelRequest] | None = None, **options: object) -> Agent:
    """An agent whose answer follows from how often it has spoken, as a real model's does from the conversation."""

    def model(request: ModelRequest) -> Answer:
        if heard is not None:
            heard.append(request)
        return REPLIES[sum(message.role == "assistant" for message in request.messages)]

    return answering(model, tools=tools(ledger), **options)


async def approved(run: Run) -> str:
    """The run's result, with every call approved."""
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
    return await run.result()


async def ended(runtime: Runtime, agent: Agent, key: str = "k") -> Run:
    """A run that has come to its end."""
    run = await runtime.start(agent, "Do it.", key=key)
    await approved(run)
    return run


async def position(run: Run, kind: str, **fields: object) -> int:
    """Where the first line of a kind with such fields stands."""
    async for event in run.past():
        if event.kind == kind and fields.items() <= event.data.items():
            return event.position
    raise AssertionError(f"no {kind} with {fields}")


async def test_a_run_can_be_forked_at_every_position_before_its_end(store: Store) -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        last = await position(run, "model.replied", step=3) - 1
        before = [event async for event in run.past()]

        for at in range(1, last + 1):
            done = list(ledger.done)
            fork = await runtime.fork(run.id, at=at, key=f"at {at}")
            assert await approved(fork) == "all done", at
            past = [event.data["call"] for event in before[:at] if event.kind in ("call.intended", "call.refused")]
            again = [key.rpartition("/")[2] for key in ledger.done[len(done) :]]
            assert sorted(again) == sorted({"1.1", "1.2", "2.1"} - set(past)), at

        assert [event async for event in run.past()] == before
        found = await store.verify()
        assert (found.problems, found.forks) == ((), last)


async def test_a_fork_of_a_fork_goes_on_from_every_position_too() -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        fork = await runtime.fork(run.id, at=await position(run, "call.finished", tool="look"))
        await approved(fork)

        last = await position(fork, "model.replied", step=3) - 1
        for at in range(1, last + 1):
            again = await runtime.fork(fork.id, at=at)
            assert await approved(again) == "all done", at

        found = await runtime.store.verify()
        assert (found.problems, found.forks) == ((), last + 1)


async def test_the_first_entry_cites_what_it_was_forked_from() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        (cited,) = await runtime.store.read(f"run/{run.id}", 6, 1)

        fork = await runtime.fork(run.id, at=7, by="mia")

        first = [event async for event in fork.past()][0]
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


# What is open


async def test_a_call_that_waits_is_asked_for_anew_and_the_parent_waits_on() -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await until(run, "approval.requested")
        await eventually(run, "call.finished")
        (asked,) = await run.pending()

        fork = await runtime.fork(run.id)
        await until(fork, "approval.requested")

        (anew,) = await fork.pending()
        assert (anew.call, anew.arguments) == (asked.call, asked.arguments)
        assert (anew.id, anew.hash) != (asked.id, asked.hash)
        assert await run.pending() == [asked]
        assert await approved(fork) == "all done"
        assert await approved(run) == "all done"
        assert (ledger.count(f"{fork.id}/1.2"), ledger.count(f"{run.id}/1.2")) == (1, 1)
        assert (ledger.count(f"{fork.id}/1.1"), ledger.count(f"{run.id}/1.1")) == (0, 1)


async def test_a_decision_behind_the_fork_is_not_the_forks() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=await position(run, "approval.requested"))
        await until(fork, "approval.requested")

        assert len(await fork.pending()) == 1


def hanging(risk: str, ran: list[str], go: asyncio.Event) -> Tool:
    """A tool that waits until it may come back."""

    @tool(risk=risk)  # type: ignore[arg-type]  # one of the three
    async def act(*, context: ToolContext) -> str:
        """Act."""
        ran.append(context.idempotency_key)
        await go.wait()
        return "acted"

    return act


@pytest.mark.parametrize("risk", ["read", "irreversible"])
async def test_a_call_that_is_under_way_is_interrupted_in_the_fork_and_runs_on_in_the_parent(risk: str) -> None:
    ran: list[str] = []
    go = asyncio.Event()
    heard: list[tuple[ChatMessage, ...]] = []

    def model(request: ModelRequest) -> Answer:
        heard.append(request.messages)
        return calls(call("act", "x")) if len(request.messages) == 1 else "done"

    agent = answering(model, tools=[hanging(risk, ran, go)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Act.")
        if risk == "irreversible":
            await until(run, "approval.requested")
            await run.approve((await run.pending())[0], by="mia")
        intended = await until(run, "call.intended")
        at = await position(run, "call.intended")
        heard.clear()

        fork = await runtime.fork(run.id, at=at)
        assert await fork.result() == "done"

        (told,) = await data(fork, "effect.interrupted")
        assert (told["call"], told["tool"], told["effect"]) == ("1.1", "act", intended["effect"])
        result = heard[0][-1]
        assert (result.call_id, result.is_error) == ("x", True)
        assert result.text.startswith(f"interrupted: act was under way in run {run.id} when this run was forked")
        assert "call.intended" not in await kinds(fork)
        go.set()
        assert await run.result() == "done"
        assert ran == [f"{run.id}/1.1"]


async def test_a_model_call_that_is_under_way_is_entered_as_interrupted_and_made_anew() -> None:
    go = asyncio.Event()
    asked: list[int] = []

    async def model(request: ModelRequest) -> Answer:
        asked.append(len(request.messages))
        if len(asked) == 1:
            await go.wait()
        return "done"

    agent = answering(model)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Think.")

        async def thinks() -> bool:
            return bool(asked)

        await soon(thinks)
        fork = await runtime.fork(run.id)

        assert await fork.result() == "done"
        assert [one["effect"] for one in await data(fork, "effect.interrupted")] == ["step-1.1"]
        go.set()
        assert (await run.result(), asked) == ("done", [1, 1])


async def test_an_outcome_that_nobody_knows_is_not_known_in_the_fork_either() -> None:
    @tool(risk="irreversible", timeout=0.02)
    async def act() -> str:
        """Act."""
        await asyncio.sleep(3600)
        return "never"

    agent = answering(lambda request: calls(call("act")) if len(request.messages) == 1 else "done", tools=[act])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Act.")
        await until(run, "approval.requested")
        await run.approve((await run.pending())[0], by="mia")
        await until(run, "call.unknown")

        fork = await runtime.fork(run.id)

        assert await fork.result() == "done"
        assert len(await data(fork, "effect.interrupted")) == 1
        assert (await fork.unknown(), len(await run.unknown())) == ([], 1)


async def test_long_results_are_taken_over_whole() -> None:
    long = "x" * 5000

    @tool(risk="read")
    async def fetch() -> str:
        """Fetch."""
        return long

    @tool(risk="irreversible")
    async def pay() -> str:
        """Pay."""
        return "paid"

    heard: list[str] = []

    def model(request: ModelRequest) -> Answer:
        heard.extend(line.text for line in request.messages if line.name == "fetch")
        return calls(call("fetch"), call("pay")) if len(request.messages) == 1 else "done"

    agent = answering(model, tools=[fetch, pay])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Fetch, then pay.")
        await eventually(run, "approval.requested")
        await eventually(run, "call.finished")
        at = await position(run, "call.finished")
        early = await runtime.fork(run.id, at=at)
        await approved(run)
        late = await runtime.fork(run.id, at=at)

        await approved(early)
        await approved(late)

        assert heard == [f'"{long}"'] * 3


async def test_a_cancelled_run_can_be_forked_in_the_middle_of_its_last_step() -> None:
    ledger = Ledger()
    agent = clerk(ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await until(run, "approval.requested")
        await eventually(run, "call.finished")
        await run.cancel()

        fork = await runtime.fork(run.id)

        assert await approved(fork) == "all done"
        assert ledger.count(f"{fork.id}/1.1") == 0
        assert (await run.status()).status.value == "cancelled"


# Keys


async def test_the_same_key_again_is_the_same_fork() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=9, key="again")

        for at in (9, None):
            assert (await runtime.fork(run.id, at=at, key="again")).id == fork.id
        assert (await runtime.start(agent, "Anything.", key="again")).id == fork.id
        assert (await kinds(fork)).count("stream.forked") == 1


@pytest.mark.parametrize(("key", "at"), [("again", 8), ("k", 9)], ids=["another position", "the parent's own"])
async def test_a_key_that_is_taken_is_refused(key: str, at: int) -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        await runtime.fork(run.id, at=9, key="again")

        with pytest.raises(NotForkable, match=rf"key '{key}' already names run \w+, which is no such fork of it: give"):
            await runtime.fork(run.id, at=at, key=key)


# What cannot be forked


async def test_an_unknown_run_is_refused() -> None:
    async with Runtime(agents=[clerk(Ledger())]) as runtime:
        with pytest.raises(UnknownRun, match="^no run 'abc' in memory"):
            await runtime.fork("abc")


@pytest.mark.parametrize("at", [-1, 0, 10_000])
async def test_a_position_that_is_not_there_is_refused_with_those_that_are(at: int) -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        last, end = await position(run, "model.replied", step=3) - 1, len(await kinds(run))

        text = f"run '{run.id}' cannot be forked: not at {at}: its logbook has positions 1 to {end}; fork it at 1 to {last}"
        with pytest.raises(NotForkable, match=f"^{re.escape(text)}$"):
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


async def test_a_pruned_run_is_refused(store: Store) -> None:
    agent = clerk(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        async def gone() -> bool:
            return run.id in (await runtime.prune(older_than=0.0)).runs

        await soon(gone)

        with pytest.raises(NotForkable, match=f"^run '{run.id}' cannot be forked: it was pruned: "):
            await runtime.fork(run.id, at=3)


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
