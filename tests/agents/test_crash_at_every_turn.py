"""A run whose process dies at every commit in turn: nothing is lost, and nothing that was finished runs again."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from choragus.agents.agent import Agent
from choragus.agents.model import ModelRequest
from choragus.agents.policy import Ask, Check, LoopPolicy, NewToolPolicy, Policy, RatePolicy, Stage, Verdict
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer

from .play import Ledger, Mortal, Rule, answering, call, calls, kinds, live, soon, tools

REPLIES: tuple[Answer, ...] = (
    calls(call("look", "a", at="door"), call("look", "b", at="sky")),
    calls(call("reserve", what="room"), call("invented")),
    calls(call("pay", amount=5)),
    "all done",
)


def _agent(ledger: Ledger, *policies: Policy) -> Agent:
    async def model(request: ModelRequest) -> Answer:
        said = sum(message.role == "assistant" for message in request.messages)
        ledger.done.append(f"model {said + 1}")
        return REPLIES[said]

    return answering(model, tools=tools(ledger), policies=policies)


async def _to_the_end(runtime: Runtime, agent: Agent, ledger: Ledger) -> Run:
    """Play the person too: approve, and say of an unknown payment what the ledger says."""
    run = await runtime.start(agent, "Do it.", key="k")
    async for event in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="reviewer")
        for unknown in await run.unknown():
            happened = ledger.count(unknown.idempotency_key) > 0
            await run.settle(unknown.call, "happened" if happened else "not", by="reviewer", result='"paid 5"')
        assert event.kind != "message.parked"
    return run


def _live(store: Mortal, agent: Agent, ledger: Ledger) -> tuple[str, list[str]] | None:
    async def play(runtime: Runtime) -> tuple[str, list[str]]:
        run = await _to_the_end(runtime, agent, ledger)
        store.dies_at = 0  # closing is another test's matter
        return await run.result(), await kinds(run)

    return live(store, agent, play)


def _commits(*policies: Policy) -> int:
    """How many commits a run takes in which nothing dies."""
    ledger, store = Ledger(), Mortal()
    agent = _agent(ledger, *policies)

    async def play(runtime: Runtime) -> int:
        await _to_the_end(runtime, agent, ledger)
        return store.commits

    total = live(store, agent, play)
    assert total is not None
    return total


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_a_run_survives_a_crash_at_every_commit(after: bool) -> None:
    total = _commits()

    for dies_at in range(1, total + 1):
        _crash_once(dies_at, after)


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_a_run_that_is_judged_everywhere_survives_a_crash_at_every_commit(after: bool) -> None:
    """A person is asked about the goal, a reply, a call, a result and the answer; the calls are looked back upon."""
    rules = [Rule(stage, _asks, name=stage.value, looks_back=3) for stage in Stage]
    total = _commits(*rules)

    for dies_at in range(1, total + 1, 1 if after else 3):
        _crash_once(dies_at, after, *rules)


def _asks(check: Check) -> Verdict | None:
    return Ask("look") if check.text in ("Do it.", "all done", '"seen sky"') else None


def test_a_run_is_learnt_from_once_wherever_its_process_dies() -> None:
    policies: list[Policy] = [NewToolPolicy(), LoopPolicy(), RatePolicy(calls=50, within=9)]
    total = _commits(*policies)

    for dies_at in range(2, total + 1, 4):
        store, agent = _crash_once(dies_at, bool(dies_at % 8 > 3), *policies)

        async def learnt(runtime: Runtime) -> list[dict[str, object]]:
            await soon(lambda: runtime.store.views("norms"))
            return [msgspec.json.decode(row.body or b"") for row in await runtime.store.views("norms")]

        norms = live(store, agent, learnt)
        assert norms is not None
        assert [(one["runs"], one["tools"]) for one in norms] == [(1, {"look": 1, "reserve": 1, "pay": 1})]


def _crash_once(dies_at: int, after: bool, *policies: Policy) -> tuple[Mortal, Agent]:
    ledger, store = Ledger(), Mortal()
    agent = _agent(ledger, *policies)
    store.dies_at, store.after = dies_at, after
    _live(store, agent, ledger)
    finished, before = store.finished(), list(ledger.done)

    store.revive()
    outcome = _live(store, agent, ledger)

    assert outcome is not None
    assert outcome[0] == "all done"
    assert outcome[1].count("run.ended") == 1
    _check_ledger(ledger, before, finished)
    assert anyio.run(store.verify).problems == ()
    return store, agent


def _check_ledger(ledger: Ledger, before: list[str], finished: set[str]) -> None:
    again = ledger.done[len(before) :]
    assert not finished & set(again), "what was finished ran again"
    tools_run = sorted({key.partition("/")[2] for key in ledger.done if "/" in key})
    assert tools_run == ["1.1", "1.2", "2.1", "3.1"]
    assert {key for key in ledger.done if "/" not in key} == {"model 1", "model 2", "model 3", "model 4"}
    assert sum(key.endswith("/3.1") for key in ledger.done) == 1, "paid more than once"


@pytest.mark.parametrize("every", [3, 4, 7])
def test_a_run_survives_dying_again_and_again(every: int) -> None:
    """Each life lasts a few commits longer than opening takes; the run gets there all the same."""
    ledger, store = Ledger(), Mortal()
    agent = _agent(ledger)

    for lives in range(1, 200):
        store.revive()
        store.dies_at, store.after = 2 + every, bool(lives % 2)
        outcome = _live(store, agent, ledger)
        if outcome is not None:
            break

    assert outcome is not None, f"no end after {lives} lives"
    assert outcome[0] == "all done"
    assert sum(key.endswith("/3.1") for key in ledger.done) == 1
    assert anyio.run(store.verify).problems == ()
