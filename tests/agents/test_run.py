"""A run in the hands of whoever started it: its events, its result, and what happens when there will be none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from choragus.actors.errors import SystemStopped
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.agents import runtime as runtimes
from choragus.agents.errors import Cancelled, Denied, Failed, Held, Waiting
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.limits import Limits
from choragus.agents.message import GUARDRAIL, ORCHESTRATOR, TOOL_GATEWAY, CancelRun, Decide, SettleCall
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Envelope
from choragus.supervision.backoff import Backoff

from .play import (
    Ledger,
    Mortal,
    call,
    calls,
    data,
    eventually,
    interrupted,
    killed_while_it_runs,
    kinds,
    live,
    scripted,
    soon,
    tools,
    until,
)


async def follow(run: Run, seen: list[str]) -> None:
    """Read the events to their end."""
    async for event in run.events():
        seen.append(event.kind)


@simulated(seeds=range(3))
async def test_the_actors_of_a_run_that_has_ended_leave_memory() -> None:
    agent = scripted(calls(call("look", "1", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        runs = [await runtime.start(agent, "Go.") for _ in range(3)]
        assert [await run.result() for run in runs] == ["done"] * 3
        await settled()

        there = [cell.path for cell in runtime._system.kernel.population]

        assert [path for path in there for run in runs if run.id in path] == []
        assert (await runs[0].status()).status is Status.COMPLETED


@simulated(seeds=range(3))
async def test_events_go_on_from_any_position() -> None:
    store = MemoryStore()
    agent = scripted(calls(call("look", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.", key="k")
        live_events = [event async for event in run.events()]
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.run(run.id)

        for after in range(len(live_events)):
            assert [event async for event in run.events(after=after)] == live_events[after:]
        last = [event.position async for event in run.past()][-1]
        assert [event async for event in run.events(after=last)] == []
        assert [event async for event in run.events(after=10_000)] == []

    assert [event.position for event in live_events] == list(range(1, len(live_events) + 1))
    assert live_events[-1].kind == "run.ended"


@simulated(seeds=range(3))
async def test_an_approval_is_an_event_with_what_to_decide_on() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                assert event.approval == (await run.pending())[0]
                assert event.approval.arguments == {"amount": 5}
                await run.approve(event.approval, by="me")

    assert ledger.calls() == ["1.1"]


@pytest.mark.parametrize("timeout", [0, 0.01])
@simulated(seeds=range(3))
async def test_waiting_says_for_what(timeout: float) -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")

        async def waits() -> bool:
            return (await run.status()).status is Status.WAITING

        await soon(waits)
        with pytest.raises(Waiting, match=r"no result within .* s: it is at step 1 \(act, waiting for 1.1 pay: appr"):
            await run.result(timeout=timeout)


@simulated(seeds=range(3))
async def test_a_result_that_is_there_needs_no_time() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()

        assert await run.result(timeout=0) == "done"


@simulated(seeds=range(3))
async def test_whoever_waits_when_the_runtime_closes_is_told() -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")
        waiting = [asyncio.create_task(run.result()), asyncio.create_task(follow(run, []))]
        await settled()
    told = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(error) for error in told] == [SystemStopped, SystemStopped]
    assert f"was closed while run {run.id} goes on: open it again" in str(told[0])


@pytest.mark.parametrize("by", ["", "  "])
@simulated(seeds=range(3))
async def test_a_decision_has_somebody_who_stands_for_it(by: str) -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")
        (approval,) = await run.pending()

        for decide in (run.approve(approval, by=by), run.deny(approval, by=by), run.settle("1.1", "not", by=by)):
            with pytest.raises(ValueError, match=r"^by='.*' names nobody: say who decides$"):
                await decide


@simulated(seeds=range(3))
async def test_settle_takes_one_of_three_outcomes() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(ValueError, match=r"^outcome='maybe' is none of 'happened', 'not', 'give_up'$"):
            await run.settle("1.1", "maybe", by="me")


def _message(receiver: str, run: str, message: object) -> Envelope:
    return Envelope(id="visitor:1", receiver=actor_id(receiver, run), sender="visitor", record=encode(message))


# On a real loop: a visitor writes to it beside the owner.
async def test_a_decision_posted_while_no_runtime_was_open_is_taken_at_the_next_opening(tmp_path: Path) -> None:
    ledger = Ledger()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(ledger))
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        await until(run, "approval.requested")
        (approval,) = await run.pending()
    visitor = await SqliteStore.open(tmp_path / "runs.db", visitor=True)
    decision = Decide(call=approval.call, approved=True, by="night shift", hash=approval.hash)
    await visitor.append([_message(GUARDRAIL, run.id, decision)])
    await visitor.close()

    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        again = await runtime.run(run.id)
        assert await again.result(timeout=5) == "done"
        assert [line["by"] for line in await data(again, "approval.decided")] == ["night shift"]

    assert ledger.calls() == ["1.1"]


def test_a_cancel_posted_while_no_runtime_was_open_is_taken_at_the_next_opening() -> None:
    store, ledger = MemoryStore(), Ledger()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(ledger))

    async def first(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Pay.", key="k")
        await until(run, "approval.requested")
        return run.id

    async def second(runtime: Runtime) -> Status:
        run = await runtime.start(agent, "Pay.", key="k")
        with pytest.raises(Cancelled, match="cancelled by ann: no"):
            await run.result(timeout=5)
        return (await run.status()).status

    id = live(store, agent, first)
    assert id is not None

    async def post(runtime: Runtime) -> None:
        await runtime.store.append([_message(ORCHESTRATOR, id, CancelRun(by="ann", reason="no"))])

    other = scripted("x", name="other")  # a runtime without the agent holds the run
    live(store, other, post)
    assert live(store, agent, second) is Status.CANCELLED


def test_a_settlement_posted_while_no_runtime_was_open_is_taken_at_the_next_opening() -> None:
    act, keys = interrupted("irreversible")
    store = Mortal()
    agent, _ = killed_while_it_runs(act, keys, store)

    async def notice(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "call.unknown")
        return run.id

    id = live(store, agent, notice)
    assert id is not None

    async def post(runtime: Runtime) -> None:
        await runtime.store.append([_message(TOOL_GATEWAY, id, SettleCall(call="1.1", outcome="happened", by="ann"))])

    async def second(runtime: Runtime) -> str:
        return str(await (await runtime.run(id)).result(timeout=5))

    live(store, scripted("x", name="other"), post)
    assert live(store, agent, second) == "done"
    assert len(keys) == 1


@simulated(seeds=range(3))
async def test_a_part_that_cannot_be_loaded_fails_its_run() -> None:
    """The file is damaged below one of the parts: the run ends, and says which."""
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        await until(run, "approval.requested")
        (approval,) = await run.pending()
    _damage(store, actor_id(GUARDRAIL, run.id))

    async with Runtime(store=store, agents=[agent], attempts=1) as runtime:
        run = await runtime.run(run.id)
        approving = asyncio.ensure_future(run.approve(approval, by="me"))  # wakes it

        with pytest.raises(Denied, match=rf"was denied: choragus.guardrail/{run.id}: it cannot be loaded: "):
            await run.result(timeout=5)
        approving.cancel()
        await asyncio.wait({approving})


@simulated(seeds=range(3))
async def test_an_orchestrator_that_cannot_be_loaded_leaves_nobody_waiting() -> None:
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        await until(run, "approval.requested")
    _damage(store, actor_id(ORCHESTRATOR, run.id))

    async with Runtime(store=store, agents=[agent], attempts=1) as runtime:
        run = await runtime.run(run.id)
        cancelling = asyncio.ensure_future(run.cancel())  # whatever wakes it

        with pytest.raises(Failed, match=rf"failed: choragus.orchestrator/{run.id}: it cannot be loaded"):
            await run.result(timeout=5)
        cancelling.cancel()
        await asyncio.wait({cancelling})


def _damage(store: MemoryStore, actor: ActorId) -> None:
    snapshot = store._actors[actor]
    assert snapshot.state is not None
    broken = attrs.evolve(snapshot.state, body=b'{"phase": "nonsense", "budget": 5}')
    store._actors[actor] = attrs.evolve(snapshot, state=broken)


@simulated(seeds=range(3))
async def test_an_orchestrator_that_cannot_even_end_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Orchestrator, status: Status, outcome: str) -> None:
        raise RuntimeError("no end")

    monkeypatch.setattr(Orchestrator, "_end", broken)
    agent = scripted("done")
    async with Runtime(agents=[agent], attempts=1) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=r"failed 1 times, last with RuntimeError: no end; its message is parked"):
            await run.result(timeout=5)


def test_a_run_that_was_stuck_is_still_known_as_stuck_after_a_reopening(monkeypatch: pytest.MonkeyPatch) -> None:
    store, agent = MemoryStore(), scripted("done")

    async def play(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        with pytest.raises(Failed, match="is parked"):
            await run.result(timeout=5)
        return run.id

    with monkeypatch.context() as broken:
        broken.setattr(Orchestrator, "_end", None)
        broken.setattr(runtimes, "PART_BACKOFF", Backoff(first=0.001, most=0.001))
        assert live(store, agent, play)
    assert live(store, agent, play)


@simulated(seeds=range(3))
async def test_a_held_run_leaves_nobody_waiting() -> None:
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        await until(run, "approval.requested")
        (approval,) = await run.pending()

    async with Runtime(store=store, agents=[]) as runtime:
        run = await runtime.run(run.id)
        for attempt in (run.result(), run.pause(), run.approve(approval, by="me"), run.settle("1.1", "not", by="me")):
            with pytest.raises(
                Held, match=rf"^run '{run.id}' is held: its agent 'clerk' is not among the runtime's: pass it in"
            ):
                await attempt
        seen: list[str] = []
        with pytest.raises(Held):
            await follow(run, seen)
        assert seen == await kinds(run)
        assert await run.pending() == [approval]


@simulated(seeds=range(3))
async def test_status_is_as_of_the_last_commit() -> None:
    agent = scripted(calls(call("look", at="x")), "done", tools=tools(Ledger()), limits=Limits(steps=5))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result()

        summary = await run.status()
    assert (summary.status, summary.agent, summary.goal, summary.key) == (Status.COMPLETED, "clerk", "Go.", "k")
    assert (summary.step, summary.steps, summary.outcome, summary.waits) == (2, 2, "done", ())
    assert summary.ended >= summary.started > 0


@simulated(seeds=range(3))
async def test_past_does_not_wait() -> None:
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await eventually(run, "approval.requested")

        assert "approval.requested" in [event.kind async for event in run.past()]
