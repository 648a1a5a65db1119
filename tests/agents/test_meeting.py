"""Where the parts of a run meet: plans and threads, texts and types, contexts and the ends of runs."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest

from choragus.agents.errors import Failed
from choragus.agents.fork import whole_conversation
from choragus.agents.model import ModelRequest
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import AskPerson, Recovery
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel

from .plan_play import follows, given, gives_up, planner, proposes, states
from .play import eventually

NO_RETRIES = Planning(recovery=Recovery(retries=0))


async def _call_ids(runtime: Runtime, run: Run) -> Counter[str]:
    lines = await whole_conversation(runtime.store, run.id)
    return Counter(call.id for line in lines for call in line.calls)


async def test_the_calls_with_which_a_step_was_given_up_are_handed_over_once() -> None:
    agent = planner({"a": (gives_up("too hard"),)}, proposes(given("a")), planning=NO_RETRIES)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(Failed, match="too hard"):
            await run.result(5)

        following = await run.send("And now?")

        assert set((await _call_ids(runtime, following)).values()) == {1}


async def test_a_run_can_be_forked_while_a_person_is_asked_about_a_step_that_was_given_up() -> None:
    planning = Planning(recovery=Recovery(retries=0, fallback=[AskPerson()], then="skip"))
    agent = planner({"a": (gives_up("too hard"),)}, proposes(given("a")), planning=planning)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "approval.requested")

        fork = await runtime.fork(run.id)

        await eventually(fork, "approval.requested")
        for each in (run, fork):
            await (await each.pending())[0].answer("by hand", by="mia")
            assert await each.result(5) == "all done"
            assert await states(each) == {"a": "succeeded"}
            assert set((await _call_ids(runtime, each)).values()) == {1}


async def test_explain_names_the_tools_that_a_step_of_a_plan_was_shown() -> None:
    heard: list[ModelRequest] = []
    plan = proposes(given("a", tools=["look"]), given("b"))
    says = follows({}, plan)
    agent = planner({}, planning=Planning(revisions=1))
    agent = attrs.evolve(agent, model=FunctionModel(lambda request: heard.append(request) or says(request)))  # type: ignore[func-returns-value]  # that is the point
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tools=["look", "pay"])
        await run.result(5)

        told = [(await run.explain(step)).tools for step in range(1, len(heard) + 1)]

        assert told == [tuple(one.name for one in request.tools) for request in heard]
        assert told[1] == ("look", "revise_plan", "fail_step")
