"""Ceilings that hold, approvals bound to what was seen, and the time that people take."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.approval import arguments_hash
from choragus.agents.errors import AgentError, LimitReached
from choragus.agents.guardrail import Guardrail
from choragus.agents.limits import Limits
from choragus.agents.message import Decide, JudgeCall, Reserve, RunEnded, SetLimits, Spend, Verdict
from choragus.agents.model import ModelReply, ModelRequest, Price, Usage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.service import Services
from choragus.agents.spending import Spent
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.system import System

from .play import (
    Ledger,
    Mortal,
    answering,
    call,
    calls,
    data,
    eventually,
    kinds,
    live,
    scripted,
    sleeper,
    soon,
    tools,
    until,
)


class Clock:
    """Wall time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def judge(number: int, risk: str = "read") -> JudgeCall:
    """A call to be judged."""
    return JudgeCall(call=f"1.{number}", tool="look", risk=risk, arguments={})


def alone() -> System:
    """A system with nothing but guardrails."""
    return System(actors=[Guardrail], resources=Services({}, MemoryStore()))


@simulated(seeds=range(3))
async def test_a_budget_is_set_aside_before_it_is_spent() -> None:
    async with alone() as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(tokens=100), started=0.0))

        first = await guardrail.ask(Reserve(token="a", most=Spent(input_tokens=60)))
        second = await guardrail.ask(Reserve(token="b", most=Spent(input_tokens=60)))
        await guardrail.send(Spend(token="a", spent=Spent(input_tokens=10)))
        third = await guardrail.ask(Reserve(token="b", most=Spent(input_tokens=60)))

    assert [first.allowed, second.allowed, third.allowed] == [True, False, True]
    assert second.reason.startswith("tokens is limited to 100, 0 are used and 120 more were asked for")


@simulated(seeds=range(3))
async def test_the_same_reservation_twice_counts_once() -> None:
    async with alone() as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(tokens=100), started=0.0))

        verdicts = [await guardrail.ask(Reserve(token="a", most=Spent(input_tokens=60))) for _ in range(3)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 3


@simulated(seeds=range(3))
async def test_calls_judged_at_once_do_not_overshoot() -> None:
    async with alone() as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(tool_calls=3), started=0.0))

        verdicts: list[Verdict] = await asyncio.gather(*(guardrail.ask(judge(number)) for number in range(10)))

    assert sum(verdict.allowed for verdict in verdicts) == 3


@simulated(seeds=range(3))
async def test_nothing_is_allowed_after_the_end() -> None:
    async with alone() as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(), started=0.0))
        await guardrail.send(RunEnded())

        verdicts = [await guardrail.ask(judge(1)), await guardrail.ask(Reserve(token="a", most=Spent(steps=1)))]

    assert [(verdict.allowed, verdict.reason) for verdict in verdicts] == [(False, "run r has ended")] * 2


@simulated(seeds=range(3))
async def test_a_decision_is_bound_to_the_arguments() -> None:
    async with alone() as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(), started=0.0))
        await guardrail.ask(judge(1, risk="irreversible"))
        hash = arguments_hash("r", "1.1", "look", {})

        other = await guardrail.ask(Decide(call="1.1", approved=True, by="me", hash="of something else"))
        seen = await guardrail.ask(Decide(call="1.1", approved=True, by="me", hash=hash))
        again = await guardrail.ask(Decide(call="1.1", approved=True, by="me", hash=hash))
        opposite = await guardrail.ask(Decide(call="1.1", approved=False, by="me", hash=hash))

    assert other == "call 1.1 of run r has other arguments than those decided on: look again"
    assert seen == ""
    assert again == "", "who reads the run's past meets the request again"
    assert opposite.startswith("call 1.1 of run r is not waiting for a decision")


@simulated(seeds=range(3))
async def test_parallel_calls_of_one_reply_keep_to_the_limit_and_the_model_is_told() -> None:
    ledger = Ledger()
    asked = [call("look", str(number), at="x") for number in range(5)]
    agent = scripted(calls(*asked), "done", tools=tools(ledger), limits=Limits(tool_calls=2))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "done"

        ends = [str(line["end"]) for line in await data(run, "call.finished")]
    assert sorted(ends) == ["denied"] * 3 + ["returned"] * 2
    assert len(ledger.done) == 2


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        pytest.param(Limits(steps=2), r"steps is limited to 2, 2 are used and 1 more were asked for", id="steps"),
        pytest.param(Limits(tokens=25), r"tokens is limited to 25, 20 are used and 10 more", id="tokens"),
        pytest.param(Limits(cost_usd=0.25), r"cost_usd is limited to 0.25, 0.2 are used and 0.1 more", id="cost"),
    ],
)
@simulated(seeds=range(3))
async def test_a_run_ends_before_it_goes_over_a_limit(limits: Limits, reason: str) -> None:
    usage = Usage(input_tokens=6, output_tokens=4, cost_usd=0.1)
    replies = [calls(call("look", str(number), at="x"), usage=usage) for number in range(9)]
    agent = scripted(*replies, tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=reason):
            await run.result(timeout=5)

        spent = await run.status()
    assert (spent.steps, spent.tokens, spent.cost_usd) == (2, 20, 0.2)


@simulated(seeds=range(3))
async def test_a_model_that_uses_more_than_it_said_ends_the_run_at_the_next_step() -> None:
    def model(request: ModelRequest) -> Answer:
        return ModelReply(calls=(call("look", at="x"),), usage=Usage(input_tokens=5_000, output_tokens=4_000))

    agent = answering(model, tools=tools(Ledger()), limits=Limits(tokens=5_000))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"tokens is limited to 5000, 9000 are used"):
            await run.result(timeout=5)

        assert (await run.status()).tokens == 9_000
        assert [line["end"] for line in await data(run, "call.finished")] == ["denied"]


@simulated(seeds=range(3))
async def test_an_answer_that_cost_more_than_it_said_is_still_the_answer() -> None:
    agent = answering(
        lambda request: ModelReply(text="done", usage=Usage(input_tokens=9_000)), limits=Limits(tokens=5_000)
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "done"


@simulated(seeds=range(3))
async def test_money_is_counted_by_the_price() -> None:
    model = ScriptedModel(["done"], price=Price(input_per_million=1e6))
    agent = attrs.evolve(scripted("done"), model=model, limits=Limits(cost_usd=None))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        summary = await run.status()
    assert summary.cost_usd == summary.input_tokens > 0


@simulated(seeds=range(3))
async def test_waiting_for_a_person_is_not_active_time() -> None:
    clock = Clock()
    agent = scripted(
        calls(call("pay", amount=1)), "done", tools=tools(Ledger()), limits=Limits(active_seconds=10, wall_seconds=9e9)
    )
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        clock.now += 5_000

        await run.approve((await run.pending())[0], by="me")

        assert await run.result(timeout=5) == "done"


@simulated(seeds=range(3))
async def test_waiting_for_a_settlement_is_not_active_time() -> None:
    clock = Clock()
    limits = Limits(active_seconds=10)
    agent = scripted(calls(call("endless")), "done", tools=[sleeper("reversible")], limits=limits)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.unknown")
        await soon(run.unknown)
        guardrail = runtime._system.ref(Guardrail, run.id)
        await guardrail.ask(judge(99))  # it has taken note when it has answered this
        clock.now += 5_000

        await run.settle("1.1", "happened", by="me")

        assert await run.result(timeout=5) == "done"


@pytest.mark.parametrize("waits", [False, True], ids=["working", "waiting"])
def test_time_in_which_nobody_had_the_run_open_is_not_active_time(waits: bool) -> None:
    clock, store = Clock(), Mortal()

    def model(request: ModelRequest) -> Answer:
        if len(request.messages) == 1:
            return calls(call("pay", amount=1) if waits else call("look", at="x"))
        if clock.now == 1_000_000.0:
            store.kill()
        return "done"

    agent = answering(model, tools=tools(Ledger()), limits=Limits(active_seconds=10))

    async def play(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        if waits and clock.now == 1_000_000.0:
            await until(run, "approval.requested")
            store.kill()
            await run.cancel()
        for approval in await run.pending():
            await run.approve(approval, by="me")
        return await run.result(timeout=5)

    assert live(store, agent, play, clock=clock) is None
    store.revive()
    clock.now += 86_400
    assert live(store, agent, play, clock=clock) == "done"


@simulated(seeds=range(3))
async def test_working_is_active_time() -> None:
    clock = Clock()

    def model(request: ModelRequest) -> Answer:
        clock.now += 6
        return calls(call("look", at="x"))

    agent = answering(model, tools=tools(Ledger()), limits=Limits(active_seconds=10))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"active_seconds is limited to 10 and 12 are used"):
            await run.result(timeout=5)


@simulated(seeds=range(3))
async def test_an_approval_and_a_denial_say_who_and_why() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("pay", "a", amount=1), call("pay", "b", amount=2)), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "approval.requested", times=2)
        first, second = await run.pending()

        await run.approve(first, by="ann")
        await run.deny(second, by="bob", reason="too much")

        assert await run.result(timeout=5) == "done"
        decided = [(line["call"], line["approved"], line["by"]) for line in await data(run, "approval.decided")]
        assert decided == [("1.1", True, "ann"), ("1.2", False, "bob")]
        texts = {line["call"]: line["text"] for line in await data(run, "call.finished")}
    assert texts == {"1.1": '"paid 1"', "1.2": "denied by bob: too much"}
    assert ledger.calls() == ["1.1"]


@simulated(seeds=range(3))
async def test_a_decision_about_other_arguments_is_refused_and_entered() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        (approval,) = await run.pending()

        with pytest.raises(AgentError, match=r"^call 1.1 of run .* has other arguments than those decided on"):
            await run.approve(attrs.evolve(approval, hash="0"), by="me")

        assert "approval.refused" in await kinds(run)
        assert await run.pending() == [approval]


@simulated(seeds=range(3))
async def test_a_decision_after_the_end_is_refused() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        (approval,) = await run.pending()
        await run.cancel()

        assert await run.pending() == []
        with pytest.raises(AgentError, match="is not waiting for a decision"):
            await run.approve(approval, by="me")

    assert ledger.done == []
