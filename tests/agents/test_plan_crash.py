"""A planned run whose process dies at every commit in turn ends on plan, and does nothing twice that was finished."""

from __future__ import annotations

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.reading import book_of, plan_entries
from choragus.agents.plan.recovery import AskPerson, Recovery, UseAgent, UseModel
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel

from .plan_play import by_call, given, gives_up, planner, proposes, revises, states
from .play import Ledger, Mortal, call, calls, kinds, live

PLAN = proposes(
    given("look", done=by_call("look"), tools=["look"]),
    given("pay", "look", done=by_call("pay", amount=5)),
    given("help", "pay"),
    given("person", "pay"),
    given("late", "help"),
)
SCRIPT = {
    "look": ("no", calls(call("look", "l", at="door")), "seen"),
    "pay": (
        revises("more", given("more", "pay"), drop=["late"]),
        calls(call("pay", amount=5), call("reserve", what="x")),
        "paid",
    ),
    "help": (gives_up("too hard"),),
    "person": (gives_up("who knows"),),
    "more": (" ", gives_up("no"), "with the other model"),
}
PLANNING = Planning(
    recoveries={
        "help": Recovery(retries=0, fallback=[UseAgent("helper")]),
        "person": Recovery(retries=0, fallback=[AskPerson()]),
        "more": Recovery(retries=1, fallback=[UseModel(0)]),
    }
)
HELPER = Agent("helper", model=FunctionModel(lambda request: "helped"))
ENDS = dict.fromkeys(["look", "pay", "help", "person", "more"], "succeeded")


def _agent(ledger: Ledger) -> Agent:
    return planner(SCRIPT, proposes(given("a", "b")), PLAN, planning=PLANNING, ledger=ledger)


async def _to_the_end(runtime: Runtime, agent: Agent, ledger: Ledger) -> Run:
    """Play the person too: approve, answer, and say of an unknown payment what the ledger says."""
    run = await runtime.start(agent, "Go.", key="k")
    async for event in run.events():
        for one in await run.pending():
            await (one.answer("by hand", by="mia") if one.kind == "question" else one.approve(by="mia"))
        for unknown in await run.unknown():
            happened = ledger.count(unknown.idempotency_key) > 0
            await run.settle(unknown.call, "happened" if happened else "not", by="mia", result='"paid 5"')
        assert event.kind != "message.parked"
    return run


def _live(store: Mortal, agent: Agent, ledger: Ledger) -> list[str] | None:
    async def play(runtime: Runtime) -> list[str]:
        run = await _to_the_end(runtime, agent, ledger)
        store.dies_at = 0  # closing is another test's matter
        assert await run.result() == "all done"
        assert await states(run) == ENDS
        plan = await run.plan()
        assert plan is not None
        assert [plan.step(id).outcome for id in ("help", "person", "more")] == [
            "helped",
            "by hand",
            "with the other model",
        ]
        book = book_of(await plan_entries(runtime.store, run.id))
        logged = [event async for event in run.past() if event.kind.startswith(("plan.", "step."))]
        counted = [event.data["plan"] for event in logged if event.kind != "plan.refused"]
        assert counted == list(range(1, book.read + 1))
        return await kinds(run)

    return live(store, agent, play, others=[HELPER])


def _commits() -> int:
    ledger, store = Ledger(), Mortal()
    agent = _agent(ledger)

    async def play(runtime: Runtime) -> int:
        await _to_the_end(runtime, agent, ledger)
        return store.commits

    total = live(store, agent, play, others=[HELPER])
    assert total is not None
    return total


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
@pytest.mark.parametrize("every", [19, pytest.param(1, marks=pytest.mark.slow)])
def test_a_planned_run_survives_a_crash_at_every_commit(every: int, after: bool) -> None:
    for dies_at in range(2 + after * 4, _commits() + 1, every):
        ledger, store = Ledger(), Mortal()
        agent = _agent(ledger)
        store.dies_at, store.after = dies_at, after
        _live(store, agent, ledger)
        finished, before = store.finished(), list(ledger.done)

        store.revive()
        told = _live(store, agent, ledger)

        assert told is not None, dies_at
        assert (told.count("run.ended"), told.count("step.succeeded"), told.count("plan.proposed")) == (1, 5, 1)
        assert not finished & set(ledger.done[len(before) :]), "what was finished ran again"
        assert sorted(set(ledger.calls())) == ["4.1", "7.1", "7.2"], dies_at
        assert sum(key.endswith("/7.1") for key in ledger.done) == 1, "paid more than once"
        assert anyio.run(store.verify).problems == ()


def test_a_planned_run_survives_dying_again_and_again() -> None:
    """Each life lasts a few commits longer than opening takes; the run gets there all the same."""
    ledger, store = Ledger(), Mortal()
    agent = _agent(ledger)

    for lives in range(1, 200):
        store.revive()
        store.dies_at, store.after = 2 + 5, bool(lives % 2)
        told = _live(store, agent, ledger)
        if told is not None:
            break

    assert told is not None, f"no end after {lives} lives"
    assert lives > 5
    assert sum(key.endswith("/7.1") for key in ledger.done) == 1
    assert anyio.run(store.verify).problems == ()
