"""A run that follows a plan: proposed by the model, checked by code, taken step by step, revised in the open."""

from __future__ import annotations

import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Failed, LimitReached
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.plan.book import StepState
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.reading import book_of, plan_entries
from choragus.agents.plan.recovery import Recovery, UseAgent
from choragus.agents.plan.step import Done, Plan, PlanStep
from choragus.agents.policy import Check, Deny, Stage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.state import Status
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore

from .plan_play import by_call, follows, given, gives_up, planner, proposes, revises, states, step_of
from .play import Ledger, Rule, call, calls, data, kinds, tools, until


async def test_the_model_proposes_and_the_steps_are_taken_in_their_order() -> None:
    ledger = Ledger()
    script = {"b": (calls(call("book", what="room")), "booked")}
    plan = proposes(given("c", "b"), given("b", "a", done=by_call("book", what="room")), given("a"))
    agent = planner(script, plan, ledger=ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"

        assert [one["step"] for one in await data(run, "step.started")] == ["a", "b", "c"]
        assert await states(run) == {"c": "succeeded", "b": "succeeded", "a": "succeeded"}
        assert (await run.status()).plan == "all 3 steps are over"
        kept = await run.plan()
        assert kept is not None
        assert (kept.step("b").outcome, kept.step("b").by, kept.revisions[0].by) == ("booked", "model", "model")
        assert len(ledger.done) == 1


async def test_the_first_model_call_is_shown_one_tool_and_each_step_its_own_as_is_explained() -> None:
    shown: list[tuple[str, list[str]]] = []
    says = follows({}, proposes(given("a", tools=["look"]), given("b", tools=[])))

    def model(request: ModelRequest) -> Answer:
        shown.append((step_of(request)[0], [one.name for one in request.tools]))
        return says(request)  # type: ignore[return-value]  # it does not wait

    agent = Agent("clerk", model=FunctionModel(model), tools=tools(Ledger()), planning=Planning())
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)
        explained = [list((await run.explain(step)).tools) for step in range(1, 5)]

    planning = ["revise_plan", "fail_step"]
    assert explained == [names for _, names in shown]
    assert shown == [("", ["propose_plan"]), ("a", ["look", *planning]), ("b", planning), ("", ["revise_plan"])]


async def test_a_tool_that_the_step_does_not_name_is_refused_by_the_gateway() -> None:
    ledger = Ledger()
    agent = planner(
        {"a": (calls(call("pay", amount=5)), "did not pay")}, proposes(given("a", tools=["look"])), ledger=ledger
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        (refusal,) = await data(run, "call.refused")
        assert refusal["reason"] == "the tool 'pay' is not granted here; the tools are: look"
        assert ledger.done == []


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([], "the plan has no steps"),
        ([given("a"), given("a")], "2 steps have the id 'a'"),
        ([given("a", "b"), given("b", "a")], "these steps wait for one another: a, b"),
        ([given("a", "a")], "these steps wait for one another: a"),
        ([given("a", "x")], "step 'a' comes after 'x', and there is no such step"),
        ([given("a", tools=["fly"])], "step 'a' wants the tool 'fly'; the tools are: look, book, reserve, pay"),
        ([given("a", done=by_call("fly"))], "done called names the tool 'fly'"),
        ([given("a", done=by_call("pay"), tools=["look"])], "not among its tools look"),
        ([given("a", done={"kind": "check", "name": "x"})], "done check names 'x'; there are: none"),
        ([given("a", done={"kind": "fits", "name": "x"})], "done fits names the type 'x'"),
        ([given("a", done={"kind": "said", "name": "x"})], "done said takes no name"),
        ([given("a"), given("b"), given("c"), given("d")], "the plan has 4 steps and may have 3: join some"),
        ([{"id": "a b", "goal": "x"}], "matching regex"),
        ([{"id": "a", "goal": ""}], "length >= 1"),
        ([{"id": "a", "goal": "x", "risk": "none"}], "unknown field `risk`"),
        ("soon", "Expected `array`"),
    ],
)
async def test_a_plan_that_cannot_stand_goes_back_with_the_reason(steps: object, fault: str) -> None:
    wrong = calls(call("propose_plan", steps=steps))
    agent = planner({}, wrong, proposes(given("a")), planning=Planning(steps=3))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"

        (refused,) = await data(run, "plan.refused")
        assert fault in str(refused["faults"])
        results = [line for line in await runtime._services.said(run.id, 0, 5) if line.role == "tool"]
        assert (results[0].is_error, fault in results[0].text) == (True, True)


async def test_words_in_place_of_a_plan_and_plans_that_never_stand_come_to_an_end() -> None:
    lines: list[Answer] = ["I would rather talk", calls(call("propose_plan", steps=[]))]
    agent = planner({}, *(lines * 9), limits=Limits(bad_calls=6))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match="bad_calls"):
            await run.result(5)

        assert len(await data(run, "plan.refused")) == 7
        assert await run.plan() is None


async def test_calls_of_other_tools_are_refused_while_there_is_no_plan() -> None:
    ledger = Ledger()
    both = ModelReply(calls=(call("look", at="x"), *proposes(given("a")).calls))
    agent = planner({}, both, ledger=ledger)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert "not granted here" in str((await data(run, "call.refused"))[0]["reason"])
        assert ledger.done == []


async def test_a_plan_can_be_given_at_the_start() -> None:
    plan = Plan([PlanStep("a", "Do a."), PlanStep("b", "Do b.", after=["a"], done=Done.fits("number"))])
    agent = planner({"b": ("seven", "7")}, planning=Planning(proposes=False))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", plan=plan)

        assert await run.result(5) == "all done"
        kept = await run.plan()
        assert kept is not None
        assert (kept.revisions[0].by, kept.step("b").outcome, kept.step("b").attempts) == ("host", "7", 2)


async def test_a_plan_that_cannot_be_followed_is_refused_at_the_start() -> None:
    plans, host, none = planner({}), planner({}, planning=Planning(proposes=False)), Agent("n", model=ScriptedModel([]))
    step = PlanStep("a", "Do a.", tools=["fly"])
    async with Runtime(agents=[plans]) as runtime:
        with pytest.raises(AgentFault, match="the plan of agent 'clerk' cannot stand: step 'a' wants the tool 'fly'"):
            await runtime.start(plans, "Go.", plan=Plan([step]))
        with pytest.raises(AgentFault, match="is no plan: give Plan"):
            await runtime.start(plans, "Go.", plan=[step])  # type: ignore[arg-type]  # that is what is tried
        narrow = Plan([PlanStep("a", "Do a.", tools=["pay"])])
        with pytest.raises(AgentFault, match="wants the tool 'pay'; the tools are: look"):
            await runtime.start(plans, "Go.", plan=narrow, tools=["look"])
    async with Runtime(agents=[host]) as runtime:
        with pytest.raises(AgentFault, match="proposes no plan: start its runs with plan="):
            await runtime.start(host, "Go.")
    async with Runtime(agents=[none]) as runtime:
        with pytest.raises(AgentFault, match=r"follows no plans: give Agent\(planning=Planning\(\)\)"):
            await runtime.start(none, "Go.", plan=Plan([PlanStep("a", "Do a.")]))


async def test_a_revision_changes_what_is_open_and_says_why() -> None:
    revision = revises("b is too much", given("b", "a", "b1"), given("b1"), given("d"), drop=["c"])
    agent = planner({"a": (revision, "a is done")}, proposes(given("a"), given("b", "a"), given("c")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"

        kept = await run.plan()
        assert kept is not None
        second = kept.revisions[1]
        assert (second.reason, second.added, second.changed, second.dropped) == (
            "b is too much",
            ("b1", "d"),
            ("b",),
            ("c",),
        )
        assert [one["step"] for one in await data(run, "step.started")] == ["a", "b1", "b", "d"]


@pytest.mark.parametrize(
    ("revision", "fault"),
    [
        (revises("better", given("a")), "step 'a' is succeeded, and only an open step can be changed"),
        (revises("better", given("b")), "step 'b' is running, and only an open step can be changed"),
        (revises("better", drop=["b"]), "step 'b' is running"),
        (revises("better", drop=["x"]), "there is no step 'x' to drop"),
        (revises("better", drop=["c"]), "step 'd' comes after 'c', and there is no such step"),
        (revises("better"), "it changes nothing"),
        (revises("", given("e")), "length >= 1"),
        (revises("better", given("c", "d")), "these steps wait for one another: c, d"),
        (revises("better", given("c"), drop=["c", "d"]), "step 'c' is given and dropped"),
    ],
)
async def test_a_revision_that_cannot_stand_changes_nothing(revision: ModelReply, fault: str) -> None:
    plan = proposes(given("a"), given("b", "a"), given("c"), given("d", "c"))
    agent = planner({"b": (revision, "b is done")}, plan)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert fault in str((await data(run, "plan.refused"))[0]["faults"])
        assert list(await states(run)) == ["a", "b", "c", "d"]


async def test_a_plan_is_revised_only_so_often() -> None:
    lines = (revises("more", given("b")), revises("still more", given("c")), "a is done")
    agent = planner({"a": lines}, proposes(given("a")), planning=Planning(revisions=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert "cannot be revised any more" in str((await data(run, "plan.refused"))[0]["faults"])
        assert list(await states(run)) == ["a", "b"]


async def test_policies_judge_every_reply_and_only_the_answer_as_output() -> None:
    seen: list[tuple[str, str]] = []

    def rule(stage: Stage) -> Rule:
        def says(check: Check) -> Deny | None:
            seen.append((stage.value, check.text))
            return Deny("say it better") if check.text == "a is done" and len(seen) < 3 else None

        return Rule(stage, says, name=stage.value)

    agent = planner({}, proposes(given("a")), policies=[rule(Stage.REPLY), rule(Stage.OUTPUT)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"

    assert seen[:3] == [("reply", ""), ("reply", "a is done"), ("reply", "a is done")]
    assert seen[3:] == [("reply", "all done"), ("output", "all done")]


async def test_a_run_says_at_which_step_it_is() -> None:
    goal = "Pay\nthe bill. " * 20
    plan = proposes(given("a"), {"id": "b", "goal": goal, "done": by_call("pay")})
    agent = planner({"b": (calls(call("pay", amount=5)), "paid")}, plan)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")

        status = await run.status()

        assert status.plan.startswith("step 2 of 2: Pay the bill. Pay the bill.")
        assert len(status.plan) < 100
        assert status.status is Status.WAITING


async def test_a_ceiling_on_steps_ends_a_planned_run_or_has_it_answer() -> None:
    plan = proposes(*(given(f"s{n}") for n in range(9)))
    fails = planner({}, plan, limits=Limits(steps=4))
    async with Runtime(agents=[fails]) as runtime:
        run = await runtime.start(fails, "Go.")
        with pytest.raises(LimitReached):
            await run.result(5)
        assert list((await states(run)).values())[:4] == ["succeeded", "succeeded", "succeeded", "running"]

    degrades = planner({}, plan, limits=Limits(steps=4, at_limit="degrade"))
    async with Runtime(agents=[degrades]) as runtime:
        run = await runtime.start(degrades, "Go.")
        await run.result(5)
        assert (await run.status()).degraded


async def test_the_entries_of_a_plan_say_all_that_the_state_holds() -> None:
    script = {"a": (revises("more", given("c", "b")), "a is done")}
    agent = planner(script, proposes(given("a"), given("b", "a")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        entries = await plan_entries(runtime.store, run.id)
        logged = [event async for event in run.past() if "plan" in event.data]

        assert [one.data["plan"] for one in logged] == list(range(1, len(entries) + 1))
        assert [one.kind for one in logged] == [kind for kind, _ in entries]
        assert all(one.state is StepState.SUCCEEDED for one in book_of(entries).steps.values())


async def test_an_agent_that_does_not_plan_is_told_and_writes_nothing_of_plans() -> None:
    agent = Agent("clerk", model=ScriptedModel([calls(call("look", at="x")), "done"]), tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        assert await kinds(run) == UNPLANNED
        bodies = [event.data async for event in run.past()]
        assert not [body for body in bodies if "plan" in str(sorted(body)) or "judged" in body]
        assert (await runtime.store.extent(f"plan/{run.id}")).last == 0
        assert await run.plan() is None
        view = await runtime.store.view("run", run.id)
        assert view is not None
        assert b'"plan"' not in (view.body or b"")


@pytest.mark.parametrize("name", ["propose_plan", "revise_plan", "fail_step"])
def test_an_agent_that_plans_has_no_tool_by_the_runtimes_names(name: str) -> None:
    @tool(risk="read", name=name)
    def own() -> str:
        """Do something."""
        return "done"

    with pytest.raises(AgentFault, match=f"plans by the runtime's own {name}: give its tool"):
        Agent("clerk", model=ScriptedModel([]), tools=[own], planning=Planning())


async def test_steps_may_be_added_when_all_are_over() -> None:
    said: list[Answer | Exception] = [
        proposes(given("a")),
        "a is done",
        revises("one is missing", given("b", "a")),
        "b is done",
        "all done",
    ]
    agent = Agent("clerk", model=ScriptedModel(said), planning=Planning(revisions=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "all done"
        assert await states(run) == {"a": "succeeded", "b": "succeeded"}


async def test_no_text_of_the_prompt_changes_what_a_plan_may_be() -> None:
    prompt = "Plans have 9,000 steps. Steps are retried for ever. All tools are granted to every step. Skip what fails."
    plan = proposes(given("a", tools=["look"]), given("b"))
    script = {"a": (calls(call("pay", amount=5)), " ")}
    agent = planner(
        script, proposes(*(given(f"s{n}") for n in range(3))), plan, planning=Planning(steps=2), prompt=prompt
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match="step a of the plan failed"):
            await run.result(5)
        told = await kinds(run)
        assert [told.count(one) for one in ("plan.refused", "call.refused", "step.retried")] == [1, 1, 1]


async def test_a_paused_run_begins_no_step_until_it_goes_on() -> None:
    agent = planner({"a": (calls(call("pay", amount=5)), "paid")}, proposes(given("a"), given("b")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.pause()
        await (await run.pending())[0].approve(by="mia")

        paused = await run.status()
        await run.resume()

        assert (paused.status, paused.plan) == (Status.PAUSED, "step 1 of 2: Do a.")
        assert await run.result(5) == "all done"


async def test_a_cancelled_run_waits_for_nobody_any_more() -> None:
    planning = Planning(recovery=Recovery(retries=0, then="escalate"))
    agent = planner({"a": (gives_up("no"),)}, proposes(given("a")), planning=planning)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")

        await run.cancel()

        summary = await run.status()
        assert (summary.status, summary.waits, await run.pending()) == (Status.CANCELLED, (), [])
        assert await states(run) == {"a": "running"}


async def test_an_agent_that_must_be_given_a_plan_cannot_stand_in_for_another() -> None:
    other = Agent("other", model=ScriptedModel(["42"]), planning=Planning(proposes=False))
    planning = Planning(recovery=Recovery(retries=0, fallback=[UseAgent("other")]))
    agent = planner({"a": (gives_up("no"),)}, proposes(given("a")), planning=planning)
    async with Runtime(agents=[agent, other]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=r"step a of the plan failed: run \w+ ended as failed$"):
            await run.result(5)
        (child,) = [one for one in await runtime.runs() if one.parent]
        assert child.outcome == "the run was given no plan, and its model proposes none: start it with plan="


async def test_the_plan_keeps_the_beginning_of_an_outcome_and_the_conversation_all_of_it() -> None:
    agent = planner({"a": ("long " * 1000,)}, proposes(given("a")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        kept = await run.plan()
        assert kept is not None
        assert len(kept.step("a").outcome) == 2000
        assert any(len(line.text) == 5000 for line in await runtime._services.said(run.id, 0, 6))


async def test_a_run_goes_on_by_its_plan_though_its_agent_does_not_plan_any_more() -> None:
    store = MemoryStore()
    script = {"a": (calls(call("pay", amount=5)), "paid")}
    planned = planner(script, proposes(given("a"), given("b")))
    plain = Agent("clerk", model=planned.model, tools=planned.tools)
    async with Runtime(store=store, agents=[planned]) as runtime:
        run = await runtime.start(planned, "Go.", key="k")
        await until(run, "approval.requested")
    async with Runtime(store=store, agents=[plain], on_change="warn") as runtime:
        run = await runtime.run(run.id)
        await (await run.pending())[0].approve(by="mia")

        assert await run.result(5) == "all done"
        assert await states(run) == {"a": "succeeded", "b": "succeeded"}


async def test_a_run_that_began_without_a_plan_goes_on_without_one_though_its_agent_plans_now() -> None:
    store = MemoryStore()
    said: list[Answer | Exception] = [calls(call("pay", amount=5)), "done"]
    plain = Agent("clerk", model=ScriptedModel(said), tools=tools(Ledger()))
    planned = Agent("clerk", model=ScriptedModel(said), tools=plain.tools, planning=Planning())
    async with Runtime(store=store, agents=[plain]) as runtime:
        run = await runtime.start(plain, "Go.", key="k")
        await until(run, "approval.requested")
    async with Runtime(store=store, agents=[planned], on_change="warn") as runtime:
        run = await runtime.run(run.id)
        await (await run.pending())[0].approve(by="mia")

        assert await run.result(5) == "done"


async def test_a_sub_run_may_be_given_a_plan() -> None:
    boss = Agent("boss", model=ScriptedModel([calls(call("pay", amount=1)), "done"]), tools=tools(Ledger()))
    child = planner({}, planning=Planning())
    async with Runtime(agents=[boss, child]) as runtime:
        run = await runtime.start(boss, "Go.")
        below = await runtime.start(child, "Do.", parent=run, plan=Plan([PlanStep("a", "Do a.")]))

        assert await below.result(5) == "all done"
        assert (await below.status()).parent == run.id


async def test_a_run_whose_plan_fails_names_the_step() -> None:
    agent = planner({"a": ("",)}, proposes(given("a")))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match="step a of the plan failed: nothing was said of how it came out"):
            await run.result(5)


UNPLANNED = [
    *("run.started", "run.manifest", "phase", "memory.assembled", "phase", "budget.reserved", "model.replied"),
    *("phase", "budget.spent", "call.requested", "budget.reserved", "call.judged", "call.intended", "call.finished"),
    *("phase", "phase", "phase", "memory.assembled", "phase", "budget.reserved", "model.replied", "phase"),
    *("run.ended", "budget.spent"),
]
"""The logbook of a run without a plan, as it was before there were any."""
