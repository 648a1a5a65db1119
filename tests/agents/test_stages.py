"""What policies are shown at each stage of a run, and what becomes of what they say."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import Denied
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.policy import Allow, Ask, Check, Deny, End, Rewrite, Stage, Verdict
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel

from .play import Ledger, Rule, answering, call, calls, data, kinds, soon, tools


def agent(*lines: str | ModelReply, rule: Rule, ledger: Ledger | None = None) -> Agent:
    """An agent under one rule."""
    return Agent("clerk", model=ScriptedModel(lines), tools=tools(ledger or Ledger()), policies=[rule])


async def decide(run: Run, *, approve: bool) -> None:
    """Answer the one question of the run."""
    await soon(run.pending)
    (approval,) = await run.pending()
    if approve:
        await run.approve(approval, by="mia")
    else:
        await run.deny(approval, by="mia", reason="not like this")


@simulated(seeds=range(3))
async def test_a_goal_that_is_denied_ends_its_run_before_the_model_sees_it() -> None:
    who = agent(rule=Rule(Stage.INPUT, lambda check: Deny(f"no {check.text}")))
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "harm")

        with pytest.raises(Denied, match="no harm"):
            await run.result(5)

    assert "model.replied" not in await kinds(run)


@simulated(seeds=range(3))
async def test_a_goal_may_be_rewritten() -> None:
    rule = Rule(Stage.INPUT, lambda check: Rewrite(text=check.text.replace("4711", "[pin]")))
    who = answering(lambda request: request.messages[-1].text, policies=[rule])
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "my pin is 4711")

        answer = await run.result(5)

    assert answer == "my pin is [pin]"


@simulated(seeds=range(3))
async def test_a_reply_that_is_denied_makes_no_call_and_is_answered_anew() -> None:
    ledger = Ledger()
    rule = Rule(Stage.REPLY, lambda check: Deny("say please") if "now" in check.text else None)
    who = agent(ModelReply("now!", calls=(call("look", at="sea"),)), "please", rule=rule, ledger=ledger)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")

        answer = await run.result(5)

    assert (answer, ledger.done) == ("please", [])


@simulated(seeds=range(3))
async def test_arguments_may_be_rewritten_and_are_checked_again() -> None:
    ledger = Ledger()
    rule = Rule(Stage.CALL, lambda check: Rewrite(arguments={"at": "harbour"}))
    bad = Rule(Stage.CALL, lambda check: Rewrite(arguments={"where": 5}))
    good = agent(calls(call("look", at="sea")), "done", rule=rule, ledger=ledger)
    async with Runtime(agents=[good]) as runtime:
        run = await runtime.start(good, "go")
        await run.result(5)
        (finished,) = await data(run, "call.finished")
    wrong = agent(calls(call("look", at="sea")), "done", rule=bad, ledger=ledger)
    async with Runtime(agents=[wrong]) as runtime:
        run = await runtime.start(wrong, "go")
        await run.result(5)
        (refused,) = await data(run, "call.finished")

    assert (finished["text"], len(ledger.done)) == ('"seen harbour"', 1)
    assert "rewritten by rule: bad arguments for tool 'look'" in str(refused["text"])


@simulated(seeds=range(3))
async def test_a_policy_that_raises_denies() -> None:
    ledger = Ledger()

    def fails(check: Check) -> Verdict | None:
        raise RuntimeError("broken")

    who = agent(calls(call("look", at="sea")), "done", rule=Rule(Stage.CALL, fails), ledger=ledger)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")
        await run.result(5)
        (judged,) = await data(run, "call.judged")

    assert ledger.done == []
    assert (judged["verdict"], judged["policy"], judged["version"]) == ("deny", "rule", "7")


@simulated(seeds=range(3))
async def test_a_policy_may_allow_what_cannot_be_undone() -> None:
    ledger = Ledger()
    rule = Rule(Stage.CALL, lambda check: Allow("small") if check.arguments["amount"] == 5 else None)
    who = agent(calls(call("pay", amount=5)), calls(call("pay", amount=50)), "done", rule=rule, ledger=ledger)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")
        await decide(run, approve=False)
        await run.result(5)

    assert ledger.calls() == ["1.1"]


@simulated(seeds=range(3))
async def test_a_policy_may_end_the_run_at_a_call() -> None:
    who = agent(calls(call("look", at="sea")), "done", rule=Rule(Stage.CALL, lambda check: End("enough")))
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")

        with pytest.raises(Denied, match="enough"):
            await run.result(5)


@simulated(seeds=range(3))
@pytest.mark.parametrize("stage", [Stage.RESULT, Stage.OUTPUT, Stage.REPLY])
async def test_a_person_may_be_asked_at_every_stage(stage: Stage, tmp_path: Path) -> None:
    rule = Rule(stage, lambda check: Ask("look at this") if "sea" in check.text else None)
    who = agent(ModelReply("to the sea" * (stage is Stage.REPLY), calls=(call("look", at="sea"),)), "sea", rule=rule)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")
        for _ in range(2 if stage is Stage.REPLY else 1):
            await decide(run, approve=True)

        assert await run.result(5) == "sea"


@simulated(seeds=range(3))
async def test_a_result_may_be_withheld_or_rewritten() -> None:
    def model(request: ModelRequest) -> Answer:
        read = [line.text for line in request.messages if line.role == "tool"]
        return "; ".join(read) if read else calls(call("look", at="bank"), call("look", "2", at="sea"))

    rule = Rule(
        Stage.RESULT, lambda check: Deny("private") if "bank" in check.text else Rewrite(text=check.text.upper())
    )
    who = answering(model, tools=tools(Ledger()), policies=[rule])
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")

        answer = await run.result(5)

    assert answer == 'look has run, but its result is withheld: private; "SEEN SEA"'


@simulated(seeds=range(3))
async def test_an_answer_that_is_denied_is_given_anew_and_can_be_forked_behind() -> None:
    rule = Rule(Stage.OUTPUT, lambda check: None if check.text.isdigit() else Deny("only digits"))
    who = agent("five", "5", rule=rule)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "2 + 3")
        answer = await run.result(5)
        refused = [event.position async for event in run.past() if event.kind == "reply.refused"]
        fork = await runtime.fork(run.id, at=refused[0] + 1)

        again = await fork.result(5)

    assert (answer, again) == ("5", "5")


@simulated(seeds=range(3))
async def test_policies_that_look_back_see_the_latest_calls() -> None:
    seen: list[tuple[int, bool]] = []

    def look(check: Check) -> Verdict | None:
        past = check.past.calls
        seen.append((len(past), len({one.result for one in past}) < len(past)))
        return None

    rule = attrs.evolve(Rule(Stage.CALL, look), looks_back=2)
    lines = [calls(call("look", at=at)) for at in ("sea", "sea", "sky", "sky")]
    who = agent(*lines, "done", rule=rule)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")

        await run.result(5)

    assert seen == [(0, False), (1, False), (2, True), (2, False)]


@simulated(seeds=range(3))
async def test_a_fork_from_a_reply_that_was_refused_asks_the_model_anew() -> None:
    ledger = Ledger()
    rule = Rule(Stage.REPLY, lambda check: Deny("say please") if "now" in check.text else None)
    who = agent(ModelReply("now!", calls=(call("look", at="sea"),)), "please", rule=rule, ledger=ledger)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")
        await run.result(5)
        positions = [event.position async for event in run.past()]

        forks = [await runtime.fork(run.id, at=at) for at in positions[:-2]]
        answers = {await fork.result(5) for fork in forks}

    assert (answers, ledger.done) == ({"please"}, [])


@simulated(seeds=range(3))
async def test_a_fork_has_its_goal_judged_too() -> None:
    rule = Rule(Stage.INPUT, lambda check: Ask("a goal") if check.text == "go" else None)
    who = agent("done", rule=rule)
    async with Runtime(agents=[who]) as runtime:
        run = await runtime.start(who, "go")
        await soon(run.pending)
        fork = await runtime.fork(run.id)

        await decide(fork, approve=True)

        assert await fork.result(5) == "done"
        assert len(await run.pending()) == 1
