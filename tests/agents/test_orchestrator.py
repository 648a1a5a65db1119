"""The loop of one run: its states, its retries, its ends."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.agents.errand import ModelReplied
from choragus.agents.errors import Cancelled, Failed, LimitReached, ModelError
from choragus.agents.limits import Limits
from choragus.agents.message import ORCHESTRATOR, CallFinished, CallWaits, GiveUpRun, Perceived, RetryModel
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.state import Status
from choragus.agents.version.reading import identity_of
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.turn import Envelope

from .play import Ledger, answering, call, calls, data, eventually, kinds, scripted, tools, until


@simulated(seeds=range(3))
async def test_the_six_steps_stand_in_the_logbook_in_order() -> None:
    agent = scripted(calls(call("look", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result()

        phases = [line["phase"] for line in await data(run, "phase")]
        assert phases == ["perceive", "reason", "act", "check", "update", "perceive", "reason", "stop"]


@simulated(seeds=range(3))
async def test_parallel_calls_are_checked_one_by_one() -> None:
    agent = scripted(calls(call("look", "a", at="x"), call("look", "b", at="y")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result()

        phases = [line["phase"] for line in await data(run, "phase")]
        assert phases[2:7] == ["act", "check", "act", "check", "update"]


@simulated(seeds=range(3))
async def test_the_manifest_stands_at_the_beginning() -> None:
    agent = scripted("done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()

        assert (await kinds(run))[:2] == ["run.started", "run.manifest"]
        (line,) = await data(run, "run.manifest")
        assert line["hash"] == (await run.status()).manifest
        identity = await identity_of(runtime.store, str(line["hash"]))
        assert identity is not None
        assert identity["agent"] == "clerk"


@simulated(seeds=range(3))
async def test_a_model_that_fails_for_now_is_called_again_and_gives_its_reservation_back() -> None:
    agent = scripted(
        ModelError("busy", retryable=True), ModelError("busy", retryable=True), "done", limits=Limits(steps=1)
    )
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=20) == "done"

        assert [line["reason"] for line in await data(run, "model.failed")] == ["busy", "busy"]
        await eventually(run, "budget.spent", times=3)
        assert [line["steps"] for line in await data(run, "budget.spent")] == [0, 0, 1]
        assert (await run.status()).steps == 1


@simulated(seeds=range(3))
async def test_a_model_that_fails_for_good_fails_the_run() -> None:
    agent = scripted(ModelError("no such model"), "never")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=r"failed: the model failed once: no such model$"):
            await run.result(timeout=5)


@simulated(seeds=range(3))
async def test_a_model_is_called_four_times_at_most() -> None:
    agent = scripted(*[ModelError("busy", retryable=True)] * 9)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=r"failed: the model failed 4 times: busy$"):
            await run.result(timeout=20)


@simulated(seeds=range(3))
async def test_a_model_that_raises_something_else_fails_the_run() -> None:
    agent = scripted(KeyError("choices"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=r"failed: the model call failed: KeyError: 'choices'$"):
            await run.result(timeout=5)


@simulated(seeds=range(3))
async def test_a_model_that_hangs_is_given_up_and_called_again() -> None:
    asked: list[int] = []

    async def slow(request: ModelRequest) -> Answer:
        asked.append(1)
        if len(asked) == 1:
            await anyio.sleep(60)
        return "done"

    agent = answering(slow, model_options=ModelOptions(timeout=0.02))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=20) == "done"
        assert [line["reason"] for line in await data(run, "model.failed")] == ["function did not answer within 0.02 s"]


@pytest.mark.parametrize("stop", ["length", "refusal"])
@pytest.mark.parametrize("with_calls", [False, True], ids=["text", "calls"])
@simulated(seeds=range(3))
async def test_a_reply_that_is_no_answer_fails_the_run(stop: str, with_calls: bool) -> None:
    """Also when it asks for calls: what was cut off is not acted on."""
    ledger = Ledger()
    asked = (call("look", at="door"),) if with_calls else ()
    agent = scripted(ModelReply(text="I would", calls=asked, stop=stop), tools=tools(ledger))  # type: ignore[arg-type]  # one of two
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=rf"the model stopped with '{stop}' instead of an answer: I would$"):
            await run.result(timeout=5)

    assert ledger.done == []


@simulated(seeds=range(3))
async def test_a_reply_that_announces_calls_and_has_none_fails_the_run() -> None:
    agent = scripted(ModelReply(stop="tool_calls"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match="stopped with 'tool_calls' instead of an answer"):
            await run.result(timeout=5)


@simulated(seeds=range(3))
async def test_a_reply_that_cannot_be_stored_fails_the_run() -> None:
    agent = answering(lambda request: ModelReply(text="\ud800", usage=Usage()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match="the model call failed: NotStorable: ModelReplied cannot be stored"):
            await run.result(timeout=5)


@pytest.mark.parametrize("ids", [("same", "same"), ("", "")], ids=["twice", "empty"])
@simulated(seeds=range(3))
async def test_calls_without_an_id_of_their_own_get_one(ids: tuple[str, str]) -> None:
    seen: list[ModelRequest] = []

    def model(request: ModelRequest) -> Answer:
        seen.append(request)
        return "done" if len(seen) > 1 else calls(*(ToolCall(id, "look", {"at": "x"}) for id in ids))

    agent = answering(model, tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    _, assistant, first, second = seen[1].messages
    assert [one.id for one in assistant.calls] == [first.call_id, second.call_id]
    assert first.call_id != second.call_id


@simulated(seeds=range(3))
async def test_cancel_ends_a_run_while_the_model_is_called() -> None:
    cancelled = asyncio.Event()

    async def endless(request: ModelRequest) -> Answer:
        try:
            await anyio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    agent = answering(endless)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "budget.reserved")
        await settled()

        assert await run.cancel(by="me", reason="enough")

        with pytest.raises(Cancelled, match=r"was cancelled: cancelled by me: enough$"):
            await run.result()
        await cancelled.wait()


@simulated(seeds=range(3))
async def test_a_second_cancel_and_one_after_the_end_say_no() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()

        assert not await run.cancel()
        assert await run.result() == "done"


@simulated(seeds=range(3))
async def test_what_comes_after_the_end_changes_nothing() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()
        before = await kinds(run)
        orchestrator = runtime._system.ref(Orchestrator, run.id)

        for late in (
            CallFinished(call="1.1", text="late"),
            CallWaits(call="1.1", reason="approval"),
            Perceived(1, 1),
            RetryModel(1, 1),
            GiveUpRun(part="x", reason="late"),
        ):
            await orchestrator.send(late)
        await run.cancel()

        assert await run.result() == "done"
        assert [kind for kind in (await kinds(run))[len(before) :] if not kind.startswith("budget")] == []


@simulated(seeds=range(3))
async def test_a_result_that_comes_twice_counts_once() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        orchestrator = runtime._system.ref(Orchestrator, run.id)

        for _ in range(2):
            await orchestrator.send(CallFinished(call="1.1", text="told"))
        await run.result(timeout=5)

        assert [line["call"] for line in await data(run, "phase") if line["phase"] == "check"] == ["1.1"]


@simulated(seeds=range(3))
async def test_wall_time_ends_a_run_that_waits() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()), limits=Limits(wall_seconds=60))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"wall_seconds is limited to 60: raise it with Limits"):
            await run.result(timeout=100)

        assert await run.pending() == []
        assert (await run.status()).status is Status.LIMIT


@simulated(seeds=range(3))
async def test_a_reply_that_comes_after_the_end_is_paid_for() -> None:
    """The answer was in the orchestrator's mailbox already when the run was cancelled."""

    async def endless(request: ModelRequest) -> Answer:
        await anyio.sleep(60)
        return "never"

    agent = answering(endless)
    answer = ModelReplied(
        text="late", calls=(), stop="stop", input_tokens=7, output_tokens=1, cost_usd=0.5, started=1.0, ended=2.0
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "budget.reserved")
        await run.cancel()
        orchestrator = actor_id(ORCHESTRATOR, run.id)
        late = Envelope(id="1", receiver=orchestrator, sender="x", record=encode(answer), then="replied\nstep-1.1")

        await runtime.store.append([late])
        await eventually(run, "model.replied")

        summary = await run.status()
    assert (summary.cost_usd, summary.tokens, summary.status) == (0.5, 8, Status.CANCELLED)
