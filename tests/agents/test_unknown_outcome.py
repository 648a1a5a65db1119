"""A call that was cut off while it ran: harmless ones run again, of the others a person says what happened."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentError, Failed, ToolError
from choragus.agents.inspection import OutcomeUnknown
from choragus.agents.message import TOOL_GATEWAY, SettleCall
from choragus.agents.policy import Rewrite, Stage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.tool import ToolContext, tool
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.turn import Envelope

from .play import (
    Mortal,
    Rule,
    data,
    eventually,
    interrupted,
    killed_while_it_runs,
    kinds,
    live,
    once,
    sleeper,
    soon,
    until,
)


async def _unknown_by_timeout(runtime: Runtime, agent: Agent) -> Run:
    run = await runtime.start(agent, "Go.")
    async for event in run.events():
        if event.kind == "approval.requested":
            await run.approve((await run.pending())[0], by="me")
        if event.kind == "call.unknown":
            break
    return run


@pytest.mark.parametrize("risk", ["reversible", "irreversible"])
@simulated(seeds=range(3))
async def test_a_tool_with_effects_that_times_out_leaves_its_outcome_unknown(risk: str) -> None:
    agent = once(sleeper(risk))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)

        (unknown,) = await run.unknown()
        assert (unknown.call, unknown.tool) == ("1.1", "endless")
        assert unknown.reason == "endless took longer than 0.03 s and was cancelled"
        assert unknown.idempotency_key == f"{run.id}/1.1"
        events = [event async for event in run.past() if isinstance(event, OutcomeUnknown)]
        assert [event.unknown for event in events] == [unknown]

        async def waits() -> object:
            return (await run.status()).waits

        await soon(waits)
        assert (await run.status()).waits == ("1.1 endless: outcome unknown",)
        assert (await run.status()).status.value == "waiting"


@simulated(seeds=range(3))
async def test_settled_as_happened_the_run_goes_on_with_the_result() -> None:
    agent = once(sleeper("reversible"))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)

        await run.settle("1.1", "happened", by="me", result='"receipt 7"')

        assert await run.result(timeout=5) == "done"
        assert await run.unknown() == []
        assert [(one["end"], one["text"]) for one in await data(run, "call.finished")] == [("settled", '"receipt 7"')]
    assert agent.model.requests[-1].messages[-1].text == '"receipt 7"'  # type: ignore[attr-defined]  # a ScriptedModel


@simulated(seeds=range(3))
async def test_settled_as_not_happened_it_is_run_with_the_same_key() -> None:
    keys: list[str] = []

    @tool(risk="irreversible", timeout=0.05)
    async def pay(*, context: ToolContext) -> str:
        """Pay."""
        keys.append(context.idempotency_key)
        if len(keys) == 1:
            await asyncio.sleep(3600)
        return "paid"

    agent = once(pay)
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)

        await run.settle("1.1", "not", by="me")

        assert await run.result(timeout=5) == "done"
    assert keys == [f"{run.id}/1.1"] * 2


@simulated(seeds=range(1))
async def test_what_a_person_says_was_the_result_is_judged_as_a_result() -> None:
    hides = Rule(Stage.RESULT, lambda check: Rewrite(text="[hidden]") if "4711" in check.text else None)
    agent = attrs.evolve(once(sleeper("reversible")), policies=(hides,))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)

        await run.settle("1.1", "happened", by="me", result='"card 4711"')

        assert await run.result(timeout=5) == "done"
        assert [(one["end"], one["text"]) for one in await data(run, "call.finished")] == [("settled", "[hidden]")]


@simulated(seeds=range(1))
async def test_a_word_on_one_attempt_is_none_on_the_next() -> None:
    """Two people have looked, and both found nothing; the first has it run again, and that one may have happened."""
    keys: list[str] = []

    @tool(risk="irreversible", timeout=0.05)
    async def pay(*, context: ToolContext) -> str:
        """Pay."""
        keys.append(context.idempotency_key)
        await asyncio.sleep(3600)
        return "paid"

    agent = once(pay)
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)
        (shown,) = await run.unknown()
        await run.settle(shown, "not", by="ann")
        await eventually(run, "call.unknown", times=2)

        with pytest.raises(AgentError, match="has run again since: look again, and settle it anew"):
            await run.settle(shown, "not", by="ben")

        (now,) = await run.unknown()
        await run.settle(now, "happened", by="ben")
        assert await run.result(timeout=5) == "done"
    assert len(keys) == 2


@simulated(seeds=range(1))
async def test_an_interrupted_fallback_is_looked_for_by_its_own_key() -> None:
    keys: list[str] = []

    @tool(risk="reversible", timeout=0.05)
    async def slow(*, context: ToolContext) -> str:
        """Take its place, slowly."""
        keys.append(context.idempotency_key)
        await asyncio.sleep(3600)
        return ""

    @tool(risk="reversible", fallback=slow)
    async def fast() -> str:
        """Fail."""
        raise ToolError("no")

    agent = once(fast)
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)
        (shown,) = await run.unknown()
        events = [event.unknown async for event in run.past() if isinstance(event, OutcomeUnknown)]

    assert (
        [shown.idempotency_key, *(one.idempotency_key for one in events)] == [f"{run.id}/1.1/fallback"] * 2 == keys * 2
    )


@simulated(seeds=range(3))
async def test_given_up_the_run_fails_and_says_who_gave_up() -> None:
    agent = once(sleeper("reversible"))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)

        await run.settle("1.1", "give_up", by="me")

        with pytest.raises(Failed, match=r"me gave up on call 1.1 \(endless\), whose outcome is unknown$"):
            await run.result(timeout=5)
        assert await run.unknown() == []
        assert len(agent.model.requests) == 1  # type: ignore[attr-defined]  # a ScriptedModel


@simulated(seeds=range(3))
async def test_a_call_is_settled_once() -> None:
    agent = once(sleeper("reversible"))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)
        await run.settle("1.1", "happened", by="me")

        with pytest.raises(AgentError, match=r"^call 1.1 of run .* has no unknown outcome to settle"):
            await run.settle("1.1", "not", by="me")


@simulated(seeds=range(3))
async def test_a_visitor_cannot_settle_with_an_outcome_that_is_none() -> None:
    agent = once(sleeper("reversible"))
    async with Runtime(agents=[agent]) as runtime:
        run = await _unknown_by_timeout(runtime, agent)
        gateway = actor_id(TOOL_GATEWAY, run.id)
        message = encode(SettleCall(call="1.1", outcome="perhaps", by="me"))

        await runtime.store.append([Envelope(id="v1", receiver=gateway, sender="visitor", record=message)])
        await eventually(run, "settle.refused")

        assert [one.call for one in await run.unknown()] == ["1.1"]


@simulated(seeds=range(3))
async def test_a_call_cut_off_after_the_end_can_still_be_settled() -> None:
    agent = once(sleeper("reversible", timeout=0.1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.intended")
        await run.cancel()
        await eventually(run, "call.unknown")
        assert [one.call for one in await run.unknown()] == ["1.1"]

        await run.settle("1.1", "not", by="me")

        assert await run.unknown() == []
        assert (await kinds(run)).count("call.intended") == 1


@pytest.mark.parametrize(("risk", "idempotent"), [("read", False), ("reversible", True)], ids=["read", "idempotent"])
def test_a_harmless_call_that_a_kill_interrupted_runs_again_with_the_same_key(risk: str, idempotent: bool) -> None:
    act, keys = interrupted(risk, idempotent=idempotent)
    store = Mortal()
    agent, _ = killed_while_it_runs(act, keys, store)

    async def second_life(runtime: Runtime) -> str:
        return await (await runtime.start(agent, "Go.", key="k")).result(timeout=5)

    assert live(store, agent, second_life) == "done"
    assert len(keys) == 2
    assert keys[0] == keys[1]


@pytest.mark.parametrize("risk", ["reversible", "irreversible"])
def test_a_call_with_effects_that_a_kill_interrupted_waits_for_a_person(risk: str) -> None:
    act, keys = interrupted(risk)
    store = Mortal()
    agent, key = killed_while_it_runs(act, keys, store)

    async def second_life(runtime: Runtime) -> tuple[str, str, str]:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "call.unknown")
        (unknown,) = await run.unknown()
        await run.settle(unknown.call, "happened", by="me")
        return unknown.idempotency_key, unknown.reason, await run.result(timeout=5)

    assert live(store, agent, second_life) == (key, "the process ended while it ran", "done")
    assert len(keys) == 1


def test_an_unknown_outcome_is_still_there_in_the_life_after_next() -> None:
    act, keys = interrupted("irreversible")
    store = Mortal()
    agent, _ = killed_while_it_runs(act, keys, store)

    async def look(runtime: Runtime) -> list[str]:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "call.unknown")
        return [one.call for one in await run.unknown()]

    assert [live(store, agent, look) for _ in range(2)] == [["1.1"], ["1.1"]]
    assert len(keys) == 1
