"""Forks of a planned run have its plan as far as it had come, and go on with it by themselves."""

from __future__ import annotations

import pytest

from choragus.agents.agent import Agent
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import AskPerson, Recovery, UseAgent
from choragus.agents.plan.step import Plan, PlanStep
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.mailbox.citation import FORKED

from .plan_play import by_call, given, gives_up, planner, proposes, revises, states
from .play import Ledger, call, calls, data, kinds

PLAN = proposes(given("a", done=by_call("look")), given("b", "a", tools=["book"]), given("c", "b"), given("d"))
SCRIPT = {
    "a": ("no", calls(call("look", at="sky")), "seen", calls(call("look", at="sea")), "seen"),
    "b": (
        revises("more", given("e", "c"), drop=["d"]),
        calls(call("book", what="room"), call("pay", amount=1)),
        "booked",
    ),
    "c": (gives_up("too hard"),),
    "e": (gives_up("who knows"),),
}
PLANNING = Planning(
    recoveries={
        "a": Recovery(retries=2),  # a call that was under way when the run was forked proves nothing in the fork
        "c": Recovery(retries=0, fallback=[UseAgent("helper")]),
        "e": Recovery(retries=0, fallback=[AskPerson()]),
    }
)
HELPER = Agent("helper", model=FunctionModel(lambda request: "helped"))
STEPS = dict.fromkeys(["a", "b", "c", "e"], "succeeded")


async def _ended(run: Run) -> str:
    async for _ in run.events():
        for one in await run.pending():
            await one.answer("by hand", by="mia")
    return await run.result(5)


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_planned_run_can_be_forked_at_every_position(every: int) -> None:
    ledger = Ledger()
    agent = planner(SCRIPT, proposes(), PLAN, planning=PLANNING, ledger=ledger)
    async with Runtime(agents=[agent, HELPER]) as runtime:
        run = await runtime.start(agent, "Go.")
        assert await _ended(run) == "all done"
        last = (await runtime.fork(run.id, key="last")).id
        at = int(str((await data(await runtime.run(last), FORKED))[0]["position"]))
        before = [event async for event in run.past()]

        for position in range(1, at + 1, every):
            done = list(ledger.done)
            fork = await runtime.fork(run.id, at=position, key=f"at {position}")
            assert await _ended(fork) == "all done", position
            assert await states(fork) == STEPS, position
            past = [
                event.data["call"] for event in before[:position] if event.kind in ("call.intended", "call.refused")
            ]
            again = [key.rpartition("/")[2] for key in ledger.done[len(done) :]]
            assert len({"4.1", "7.1"} - set(past)) <= len(again) <= 2, position
            assert not set(past) & set(again), position

        assert [event async for event in run.past()] == before
        assert (await runtime.store.verify()).problems == ()


async def test_a_fork_of_a_fork_has_the_plan_too_and_keeps_it_when_the_others_are_pruned() -> None:
    agent = planner(SCRIPT, PLAN, planning=PLANNING)
    async with Runtime(agents=[agent, HELPER]) as runtime:
        run = await runtime.start(agent, "Go.")
        await _ended(run)
        position = [event.position async for event in run.past() if event.kind == "step.started"][2]
        first = await runtime.fork(run.id, at=position)
        await _ended(first)
        begun = [event.position async for event in first.past() if event.kind == "step.started"]
        second = await runtime.fork(first.id, at=begun[0])

        await _ended(second)

        started = [one["step"] for one in await data(second, "step.started")]
        assert (started, await states(second)) == (["c", "e"], STEPS)
        sweep = await runtime.prune(older_than=0.0)
        assert {run.id, first.id, second.id} <= set(sweep.runs)
        assert await second.plan() is None


async def test_a_fork_of_a_run_with_a_given_plan_begins_with_it() -> None:
    agent = planner({}, planning=Planning(proposes=False))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", plan=Plan([PlanStep("a", "Do a."), PlanStep("b", "Do b.")]))
        await run.result(5)

        for position in (4, 6, 8, 12):
            fork = await runtime.fork(run.id, at=position)
            assert await fork.result(5) == "all done"
            assert await states(fork) == {"a": "succeeded", "b": "succeeded"}, position
            assert "plan.proposed" not in await kinds(fork)
