"""Forking a run in the middle of a step: calls that wait, that are under way, that nobody knows the outcome of."""

from __future__ import annotations

import asyncio

import pytest

from choragus.actors.actor import Actor
from choragus.agents.errors import Failed
from choragus.agents.memory import Memory
from choragus.agents.message import CallFinished, Perceive
from choragus.agents.model import ChatMessage, ModelRequest
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.stream import SHOWN
from choragus.agents.tool import Risk, Tool, ToolContext, tool

from .fork_play import approved, clerk, ended, position
from .play import Ledger, answering, call, calls, data, eventually, fail, kinds, soon, until


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

    @tool(risk=Risk(risk))
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


async def test_a_call_that_was_refused_is_not_asked_for_again() -> None:
    agent = clerk(Ledger())
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        fork = await runtime.fork(run.id, at=await position(run, "call.refused"))
        await approved(fork)

        assert [one["call"] for one in await data(fork, "call.requested")] == ["2.1"]


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


@pytest.mark.parametrize(
    ("part", "message", "kind"),
    [(Memory, Perceive, "run.started"), (Orchestrator, CallFinished, "call.finished")],
    ids=["what was said", "a long result"],
)
async def test_what_a_part_has_failed_on_is_taken_over(
    part: type[Actor[object]], message: type, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands nowhere but in the message, which is parked; and the run has failed for it."""
    failed = fail(monkeypatch, part, message, 1)
    heard: list[ModelRequest] = []
    agent = clerk(Ledger(), heard, length=3 * SHOWN)
    async with Runtime(agents=[agent], attempts=1) as runtime:
        run = await runtime.start(agent, "Do it.")
        with pytest.raises(Failed, match="sabotage"):
            await run.result()
        assert failed

        fork = await runtime.fork(run.id, at=await position(run, kind))

        assert await approved(fork) == "all done"
        assert len(heard[-1].messages) == 7
        assert heard[-1].messages[0].text == "Do it."
        assert max(len(line.text) for line in heard[-1].messages) > 3 * SHOWN
