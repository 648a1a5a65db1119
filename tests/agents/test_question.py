"""Questions of the model to a person, and the checkpoints at which one is always asked."""

from __future__ import annotations

import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.checkpoint import After, Before, BeforeAnswer, BeforeStep, Checkpoint
from choragus.agents.errors import AgentFault, DecisionRefused
from choragus.agents.manifest import manifest
from choragus.agents.policy import Deny, Rewrite, Stage
from choragus.agents.question import ask_person
from choragus.agents.runtime import Runtime
from choragus.agents.tool import tool

from .people_play import asker, question, scripted_with
from .play import Rule, call, calls, data, kinds, scripted


@simulated(seeds=range(1))
async def test_a_person_answers_with_one_of_the_options() -> None:
    agent = asker("W1", "W2")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Plan.")
        approval = await question(run)
        assert (approval.kind, approval.text, approval.options) == ("question", "Which week?", ("W1", "W2"))
        assert (await run.status()).waits == ("1.1 ask_person: answer",)

        with pytest.raises(DecisionRefused, match=r"^'W3' is none of the options 'W1', 'W2': choose one of them$"):
            await approval.answer("W3", by="mia")
        with pytest.raises(DecisionRefused, match=r"^a question wants an answer, not an approval"):
            await approval.approve(by="mia")
        await approval.answer("W2", by="mia")

        assert await run.result(5) == '"W2"'
        (decided,) = await data(run, "approval.decided")
    assert (decided["answer"], decided["by"]) == ("W2", "mia")


@simulated(seeds=range(1))
async def test_a_person_answers_freely_when_there_are_no_options() -> None:
    agent = asker()
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Plan.")
        approval = await question(run)

        for bad in ("", " \n", "x" * 10_001):
            with pytest.raises(DecisionRefused, match="answer"):
                await approval.answer(bad, by="mia")
        await approval.answer('the "next" one', by="mia")

        assert await run.result(5) == r'"the \"next\" one"'


@simulated(seeds=range(1))
async def test_an_answer_is_judged_as_a_result_before_the_model_reads_it() -> None:
    hides = Rule(Stage.RESULT, lambda check: Rewrite(text="[hidden]") if "4711" in check.text else None)
    agent = attrs.evolve(asker(), policies=(hides,))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Plan.")
        approval = await question(run)

        await approval.answer("my card is 4711", by="mia")

        assert await run.result(5) == "[hidden]"


@simulated(seeds=range(1))
async def test_a_question_may_be_left_without_an_answer() -> None:
    agent = asker("W1", "W2")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Plan.")

        await (await question(run)).deny(by="mia", reason="decide yourself")

        assert await run.result(5) == "denied by mia: decide yourself"


@simulated(seeds=range(1))
async def test_a_question_is_no_approval_of_anything() -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=scripted_with("x").tools)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        approval = await question(run)

        with pytest.raises(DecisionRefused, match="asks for a decision, not for an answer"):
            await approval.answer("yes", by="mia")


@simulated(seeds=range(1))
async def test_a_policy_may_deny_a_question() -> None:
    made = asker("W1")
    rule = Rule(Stage.CALL, lambda check: Deny("do not disturb"))
    agent = Agent("asker", model=made.model, tools=[ask_person], policies=[rule])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Plan.")

        assert await run.result(5) == "denied: do not disturb"


@simulated(seeds=range(1))
async def test_a_tool_that_only_has_the_name_is_just_a_tool() -> None:
    @tool(risk="read", name="ask_person")
    def mine(question: str) -> str:
        """Answer at once."""
        return "42"

    agent = scripted(calls(call("ask_person", question="?")), "done", tools=[mine])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(5) == "done"
        assert "approval.requested" not in await kinds(run)


@pytest.mark.parametrize(
    ("point", "kind", "why", "text"),
    [
        (Before("look"), "checkpoint", "a checkpoint: before look", ""),
        (Before("l*k"), "checkpoint", "a checkpoint: before look", ""),
        (After("look"), "checkpoint", "a checkpoint: after look, before the model reads this", '"seen sea"'),
        (BeforeStep(2), "checkpoint", "a checkpoint: before anything of step 2 happens", "done"),
        (BeforeAnswer(), "checkpoint", "a checkpoint: before the run completes with this answer", "done"),
    ],
    ids=str,
)
@simulated(seeds=range(1))
async def test_a_checkpoint_asks_a_person(point: Checkpoint, kind: str, why: str, text: str) -> None:
    agent = scripted_with(calls(call("look", at="sea")), "done", checkpoints=[point])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        approval = await question(run)

        await approval.approve(by="mia")

        assert await run.result(5) == "done"
        assert len(await data(run, "approval.requested")) == 1
    assert (approval.kind, approval.why, approval.text) == (kind, why, text)


@simulated(seeds=range(1))
async def test_a_text_at_a_checkpoint_has_no_arguments_to_change() -> None:
    agent = scripted_with("done", checkpoints=[BeforeAnswer()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        approval = await question(run)

        with pytest.raises(DecisionRefused, match="cannot be changed"):
            await approval.approve(by="mia", arguments={"text": "done!"})


@simulated(seeds=range(1))
async def test_a_checkpoint_asks_also_where_a_standing_rule_holds() -> None:
    agent = scripted_with(calls(call("look", at="sea")), "done", checkpoints=[Before("look")])
    async with Runtime(agents=[agent]) as runtime:
        await runtime.rules.add("look", {"at": "sea"}, by="mia", uses=1)
        run = await runtime.start(agent, "Go.")

        await question(run)

        assert len(await runtime.rules.all()) == 1


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ([Before("fly")], r"^Before\(tool='fly'\) of agent 'clerk' is about none of its tools: look, book"),
        ([BeforeStep(0)], r"lies before no step: they count from 1$"),
        (["pay"], r"^'pay' is no checkpoint of agent 'clerk'"),
        (5, r"^the checkpoints of agent 'clerk' are 5"),
    ],
)
def test_a_checkpoint_that_lies_nowhere_is_refused(points: object, why: str) -> None:
    with pytest.raises(AgentFault, match=why):
        scripted_with("done", checkpoints=points)


def test_checkpoints_and_approvals_are_part_of_what_a_run_ran_on() -> None:
    plain, marked = scripted_with("done"), scripted_with("done", checkpoints=[BeforeAnswer()])
    other = scripted_with("done", checkpoints=[BeforeStep(2)])

    assert len({manifest(one).hash for one in (plain, marked, other)}) == 3
