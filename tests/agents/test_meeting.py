"""Where the parts of a run meet: plans and threads, texts and types, contexts and the ends of runs."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable

import attrs
import pytest

from choragus.agents.agent import Agent
from choragus.agents.context.option import Context
from choragus.agents.context.strategy import Summarise, Window
from choragus.agents.doing import Traces, told
from choragus.agents.errors import Failed, TextRefused
from choragus.agents.flow.declaration import Labels
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.fork import whole_conversation
from choragus.agents.model import ModelReply, ModelRequest, Usage
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import AskPerson, Recovery, UseAgent
from choragus.agents.plan.step import Plan, PlanStep
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.state import Phase, RunState
from choragus.agents.tool import tool

from .context_play import Heard, looker, walker
from .plan_play import follows, given, gives_up, planner, proposes, states, step_of
from .play import call, calls, data, eventually, scripted, sleeper, soon, until

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


async def test_the_plan_that_comes_with_a_text_is_that_of_the_next_run_of_the_thread() -> None:
    agent = planner({}, proposes(given("own")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", thread="t", plan=Plan([PlanStep("a", "Do a.")]))
        await run.result(5)

        second = await runtime.start(agent, "two", thread="t", plan=Plan([PlanStep("b", "Do b.")]), key="2")

        assert await second.result(5) == "all done"
        assert await states(second) == {"b": "succeeded"}
        again = await runtime.start(agent, "two", thread="t", plan=Plan([PlanStep("b", "Do b.")]), key="2")
        assert again.id == second.id


async def test_a_run_that_goes_on_takes_no_text_with_a_plan() -> None:
    planning = Planning(recovery=Recovery(retries=0, fallback=[AskPerson()]))
    agent = planner({"a": (gives_up("too hard"),)}, planning=planning)
    plan = Plan([PlanStep("a", "Do a.")])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", thread="t", plan=plan)
        await eventually(run, "approval.requested")

        with pytest.raises(TextRefused, match="wait for its end, or send the text without a plan"):
            await runtime.start(agent, "two", thread="t", plan=plan)


async def test_nothing_is_sent_to_an_ended_run_whose_agent_is_given_its_plans() -> None:
    agent = planner({}, planning=Planning(proposes=False))
    plan = Plan([PlanStep("a", "Do a.")])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", thread="t", plan=plan)
        await run.result(5)

        with pytest.raises(TextRefused, match=r"start its runs with plan=Plan"):
            await run.send("two")

        assert await (await runtime.start(agent, "two", thread="t", plan=plan)).result(5) == "all done"
        assert [one.status.value for one in await runtime.runs()] == ["completed", "completed"]


async def test_a_model_that_breaks_in_a_step_fails_that_step() -> None:
    says = follows({}, proposes(given("a"), given("b")))

    def model(request: ModelRequest) -> Answer | Awaitable[Answer]:
        if step_of(request)[0] == "a":
            raise KeyError("choices")
        return says(request)

    agent = planner({}, planning=Planning(recovery=Recovery(retries=1, then="degrade")))
    agent = attrs.evolve(agent, model=FunctionModel(model))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert await states(run) == {"a": "skipped", "b": "succeeded"}
        assert [one["reason"] for one in await data(run, "step.retried")] == [
            "the model failed once: KeyError: 'choices'"
        ]


async def test_a_summary_counts_also_where_the_run_is_cancelled_before_the_next_one_is_written() -> None:
    begun = asyncio.Event()

    async def never(request: ModelRequest) -> Answer:
        begun.set()
        await asyncio.sleep(3600)
        return ""

    short = FunctionModel(lambda request: ModelReply("short", usage=Usage(input_tokens=50, cost_usd=0.5)), name="short")
    first, second = (Summarise(model=short, keep_tokens=690), Summarise(model=FunctionModel(never), keep_tokens=10))
    agent = walker(Context(budget_tokens=700, compaction=[first, second]), Heard(), size=570)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.wait_for(begun.wait(), 5)
        before = sum(float(str(one["cost_usd"])) for one in await data(run, "model.replied"))

        await run.cancel()

        async def counted() -> bool:
            return (await run.status()).cost_usd == pytest.approx(before + 0.5)

        await soon(counted)


async def test_the_parts_of_a_result_that_is_handed_over_keep_their_labels() -> None:
    @tool(risk="read", labels=Labels(within=True))
    async def find() -> list[dict[str, object]]:
        """Find what was kept."""
        return [{"text": "mine", "labels": ["user"]}, {"text": "theirs", "labels": ["untrusted page"]}]

    asked = calls(call("find"), call("endless"))
    agent = scripted(asked, "done", tools=[find, sleeper("read", timeout=600)])
    async with Runtime(agents=[agent], policies=[InformationFlow()]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "call.finished")
        await run.cancel()

        following = await run.send("And now?")

        line = next(one for one in await whole_conversation(runtime.store, following.id) if one.name == "find")
        assert {"user", "untrusted page", "tool find $[0].text"} <= set(line.labels)


async def test_the_step_in_hand_is_never_lost_from_a_context_and_older_ones_are() -> None:
    steps: list[str] = []
    script: dict[str, tuple[Answer, ...]] = {
        id: (*(calls(call("look", f"{id}{n}", n=n)) for n in range(12)), f"{id} done") for id in ("a", "b")
    }
    says = follows(script, proposes(given("a"), given("b")))
    said: Counter[str] = Counter()

    def model(request: ModelRequest) -> Answer | Awaitable[Answer]:
        if len(request.tools) == 1 and request.tools[0].name == "propose_plan":
            return says(request)
        lines = [line.text.partition("\n")[0] for line in request.messages if RUNTIME_SAYS.match(line.text)]
        steps.append(" / ".join(lines))
        id = step_of(request)[0]
        said[id] += 1
        return script[id][min(said[id], 13) - 1] if id else "all done"

    agent = Agent(
        "clerk",
        model=FunctionModel(model),
        tools=[looker(400)],
        planning=Planning(),
        context=Context(budget_tokens=1_900, compaction=[Window(tokens=700)]),
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert await states(run) == {"a": "succeeded", "b": "succeeded"}
        assert steps[12] == "Step 1 of 2, a: Do a."
        assert steps[25] == "Step 2 of 2, b: Do b."
        assert "pinned: the step in hand" in [one.why for one in (await run.explain(26)).pieces]


RUNTIME_SAYS = re.compile("Step |The plan is carried out")


async def test_s22_what_was_left_out_of_a_context_is_not_forgotten_in_the_run_that_follows() -> None:
    paid: list[str] = []

    @tool(risk="read", labels=Labels())
    async def read_page() -> str:
        """Read a page that anybody may write."""
        return "The account is XX666. " + "x" * 1_200

    @tool(risk="reversible", labels=Labels())
    async def pay(to: str) -> str:
        """Pay."""
        paid.append(to)
        return "paid"

    def model(request: ModelRequest) -> Answer:
        lines = [line.text for line in request.messages]
        if lines[-1] == "Look.":
            return calls(call("read_page"))
        return calls(call("pay", to="XX666")) if lines[-1] == "Pay it." else "It is XX666."

    context = Context(budget_tokens=600, compaction=[Window(messages=1)])
    agent = Agent("clerk", model=FunctionModel(model), tools=[read_page, pay], context=context)
    async with Runtime(agents=[agent], policies=[InformationFlow()]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result(5)
        run = await run.send("More, " + "y" * 1_500)
        await run.result(5)
        run = await run.send("Pay it.")
        await eventually(run, "call.judged")

        assert "read_page" not in {line.name for line in await whole_conversation(runtime.store, run.id)}
        judged = (await data(run, "call.judged"))[0]
        assert judged["verdict"] != "allow", judged
        assert paid == []


async def test_doing_says_what_a_step_of_a_plan_waits_for() -> None:
    async def never(request: ModelRequest) -> Answer:
        await asyncio.sleep(3600)
        return ""

    ways = {"a": Recovery(retries=0, fallback=[AskPerson()]), "b": Recovery(retries=0, fallback=[UseAgent("helper")])}
    script = {id: (gives_up("too hard"),) for id in ways}
    agent = planner(script, proposes(given("a"), given("b")), planning=Planning(recoveries=ways))
    helper = Agent("helper", model=FunctionModel(never))
    async with Runtime(agents=[agent, helper]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "approval.requested")

        assert await run.doing() == "step 2: its plan's step a waits for answer"

        await (await run.pending())[0].answer("by hand", by="mia")
        child = str((await until(run, "child.started"))["run"])
        assert await run.doing() == f"step 3: run {child} does its plan's step b; 1 sub-run goes on"
        await run.cancel()


@pytest.mark.parametrize(("model", "name"), [(0, "cheap"), (1, "b")])
def test_doing_names_the_model_that_gives_the_last_answer(model: int, name: str) -> None:
    state = RunState(phase=Phase.REASON, step=2, effect="e", final="last", model=model)

    line = told(state, Traces(models=("a", "b", "cheap")), 0.0)

    assert line == f"step 2: model call of the last answer since 0 s on {name}"
