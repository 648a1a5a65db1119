"""What happens at a ceiling: the run ends with what it has achieved, a person raises it, or it answers once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.approver import Approvals
from choragus.agents.errors import AgentError, DecisionRefused, LimitFault, LimitReached
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, Usage
from choragus.agents.policy import Deny, Stage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.state import Status
from choragus.agents.tool import tool

from .play import Ledger, Mortal, Rule, answering, call, calls, data, kinds, live, scripted, soon, tools, until

USAGE = Usage(input_tokens=6, output_tokens=4, cost_usd=0.1)


def looking(times: int, text: str = "") -> list[ModelReply]:
    """Replies that look so many times, with a text beside the call."""
    return [ModelReply(text=text, calls=(call("look", str(n), at="x"),), usage=USAGE) for n in range(times)]


async def ceiling(run: Run) -> str:
    """Wait for the question at a ceiling; its subject."""
    await until(run, "limit.reached")
    await soon(run.pending)
    return (await run.pending())[0].call


@simulated(seeds=range(3))
async def test_s34_a_run_that_a_limit_ends_tells_what_it_has_achieved_and_never_overshoots() -> None:
    agent = scripted(*looking(9, "So far: two of nine."), tools=tools(Ledger()), limits=Limits(cost_usd=0.25))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"cost_usd is limited to 0\.25, 0\.2 are used") as ended:
            await run.result(timeout=5)

        summary = await run.status()
    assert ended.value.achieved == summary.achieved == "So far: two of nine."
    assert (summary.status, summary.cost_usd) == (Status.LIMIT, 0.2)


@pytest.mark.parametrize("policy", ["ask", "escalate"])
@simulated(seeds=range(3))
async def test_a_run_asks_a_person_at_a_ceiling_and_goes_on_when_it_is_raised(policy: str) -> None:
    limits = Limits(cost_usd=0.25, at_limit=policy)  # type: ignore[arg-type]  # one of the two
    agent = scripted(*looking(4), "done", tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()
        status = (await run.status()).status

        await run.approve(asked, by="ann", arguments={"cost_usd": 1.0})

        assert await run.result(timeout=5) == "done"
        (requested,) = await data(run, "approval.requested")
        (raised,) = await data(run, "limit.raised")
    assert (asked.tool, asked.arguments, status) == ("raise_limit", {"cost_usd": 0.5}, Status.WAITING)
    assert (asked.agent, asked.answers()["approve"]) == ("clerk", "the ceiling is raised to this, and the run goes on")
    assert requested["kind"] == ("escalation" if policy == "escalate" else "ceiling")
    assert (raised["by"], raised["limits"]) == ("ann", {"cost_usd": 1.0})


@pytest.mark.parametrize(("policy", "who"), [("ask", "ann"), ("escalate", "cfo")])
@simulated(seeds=range(3))
async def test_only_who_decides_for_the_agent_raises_a_ceiling(policy: str, who: str) -> None:
    limits = Limits(cost_usd=0.25, at_limit=policy)  # type: ignore[arg-type]  # one of the two
    agent = scripted(*looking(3), "done", tools=tools(Ledger()), limits=limits)
    agent = attrs.evolve(agent, approvals=Approvals(chain=["ann", "cfo"]))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()

        with pytest.raises(DecisionRefused, match=f"it is put to {who}"):
            await asked.approve(by="mallory")

        await asked.approve(by=who)
        assert await run.result(timeout=5) == "done"


@simulated(seeds=range(1))
async def test_a_ceiling_that_nobody_raises_in_time_ends_the_run() -> None:
    limits = Limits(cost_usd=0.25, at_limit="ask")
    agent = scripted(*looking(3), "done", tools=tools(Ledger()), limits=limits)
    agent = attrs.evolve(agent, approvals=Approvals(within=60))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match="deadline did not raise it: nobody decided within 60 s"):
            await run.result(timeout=600)


@simulated(seeds=range(3))
async def test_approving_as_it_stands_raises_to_what_is_shown_and_asks_again_there() -> None:
    limits = Limits(steps=1, at_limit={"steps": "ask"})
    agent = scripted(*looking(3), "done", tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        shown = []
        for _ in range(2):
            await soon(run.pending)
            (asked,) = await run.pending()
            shown.append(asked.arguments)
            await run.approve(asked, by="ann")

        assert await run.result(timeout=5) == "done"
    assert shown == [{"steps": 2}, {"steps": 4}]


@simulated(seeds=range(3))
async def test_a_person_who_does_not_raise_it_ends_the_run() -> None:
    agent = scripted(*looking(4), tools=tools(Ledger()), limits=Limits(steps=2, at_limit="ask"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)

        await run.deny((await run.pending())[0], by="bob", reason="enough")

        with pytest.raises(LimitReached, match=r"steps is limited to 2, .*; bob did not raise it: enough$"):
            await run.result(timeout=5)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param({"steps": 1}, r"^steps=1 is below 2: raise it$", id="lower"),
        pytest.param({"steps": -1}, r"^Limits\(steps=-1\) is no limit", id="none"),
        pytest.param({"stps": 9}, r"^'stps' is no ceiling: raise one of steps, tokens", id="unknown"),
        pytest.param({"steps": "9"}, r"^Limits\(steps='9'\) is no limit", id="type"),
    ],
)
@simulated(seeds=range(1))
async def test_a_raise_that_is_none_is_refused_and_the_question_stays(arguments: dict[str, object], fault: str) -> None:
    agent = scripted(*looking(4), tools=tools(Ledger()), limits=Limits(steps=2, at_limit="ask"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()

        with pytest.raises(AgentError, match=fault):
            await run.approve(asked, by="ann", arguments=arguments)

        assert await run.pending() == [asked]


@simulated(seeds=range(3))
async def test_a_raise_is_bound_to_what_was_shown() -> None:
    agent = scripted(*looking(4), tools=tools(Ledger()), limits=Limits(steps=2, at_limit="ask"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()

        with pytest.raises(AgentError, match="has other arguments than those decided on"):
            await run.approve(attrs.evolve(asked, hash="0"), by="ann")


def test_a_question_at_a_ceiling_and_its_answer_survive_restarts() -> None:
    store = Mortal()
    agent = scripted(*looking(4), "done", tools=tools(Ledger()), limits=Limits(steps=2, at_limit="ask"))

    async def asks(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        await ceiling(run)

    async def raises(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        (asked,) = await run.pending()
        await run.approve(asked, by="ann", arguments={"steps": 4})
        await until(run, "limit.raised")
        await ceiling_again(run)

    async def ceiling_again(run: Run) -> None:
        await soon(run.pending)

    async def ends(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        (asked,) = await run.pending()
        assert asked.arguments == {"steps": 8}, "the raise of the process before holds"
        await run.approve(asked, by="ann")
        return await run.result(timeout=5)

    live(store, agent, asks)
    live(store, agent, raises)
    assert live(store, agent, ends) == "done"


@simulated(seeds=range(3))
async def test_waiting_at_a_ceiling_is_not_active_time() -> None:
    now = 1_000_000.0

    def clock() -> float:
        return now

    limits = Limits(steps=1, active_seconds=10, at_limit={"steps": "ask"})
    agent = scripted(*looking(1), "done", tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        now += 5_000

        await run.approve((await run.pending())[0], by="ann")

        assert await run.result(timeout=5) == "done"


@simulated(seeds=range(3))
async def test_wall_time_that_is_up_is_asked_for_too() -> None:
    now = 1_000_000.0

    def model(request: ModelRequest) -> ModelReply | str:
        nonlocal now
        now += 100
        return calls(call("look", at="x")) if len(request.messages) == 1 else "done"

    agent = answering(model, tools=tools(Ledger()), limits=Limits(wall_seconds=50, at_limit="ask"))
    async with Runtime(agents=[agent], clock=lambda: now) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()

        await run.approve(asked, by="ann", arguments={"wall_seconds": 900})

        assert await run.result(timeout=5) == "done"
    assert (asked.call, asked.arguments) == ("ceiling-1", {"wall_seconds": 100.0})


@simulated(seeds=range(3))
async def test_a_tool_call_beyond_its_ceiling_waits_for_a_raise() -> None:
    ledger = Ledger()
    limits = Limits(per_tool={"look": 1}, at_limit={"per_tool": "ask"})
    agent = scripted(
        calls(call("look", "a", at="x"), call("look", "b", at="y")), "done", tools=tools(ledger), limits=limits
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await ceiling(run)
        (asked,) = await run.pending()

        await run.approve(asked, by="ann")

        assert await run.result(timeout=5) == "done"
    assert (asked.arguments, sorted(ledger.calls())) == ({"per_tool": {"look": 2}}, ["1.1", "1.2"])


# S8: limits on calls.


@simulated(seeds=range(3))
async def test_s8_the_call_beyond_a_tools_ceiling_is_refused_and_others_go_on() -> None:
    ledger = Ledger()
    asked = [call("look", str(n), at="x") for n in range(3)]
    agent = scripted(
        calls(*asked, call("book", what="a")), "done", tools=tools(ledger), limits=Limits(per_tool={"look": 2})
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "done"
        texts = [str(line["text"]) for line in await data(run, "call.finished") if line["end"] == "denied"]
    assert texts == [
        "denied: per_tool.look is limited to 2, 2 are used and 1 more were asked for: "
        "raise it with Limits(per_tool={'look': ...})"
    ]
    assert len(ledger.done) == 3


def test_s8_counters_of_calls_survive_a_kill() -> None:
    """The process dies at some commit of each life; calls of all lives together keep to the ceiling."""
    store, ledger = Mortal(), Ledger()
    replies = [calls(call("look", str(n), at="x")) for n in range(6)]
    agent = scripted(*replies, "done", tools=tools(ledger), limits=Limits(per_tool={"look": 2}, tool_calls=3))

    async def play(runtime: Runtime) -> list[str]:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result(timeout=5)
        return [str(line["end"]) for line in await data(run, "call.finished")]

    ends = None
    for life in range(40):
        store.dies_at, store.after = store.commits + 4, life % 2 == 0
        ends = live(store, agent, play)
        store.revive()
        if ends is not None:
            break

    assert life > 2, "it was never killed"
    assert ends == ["returned"] * 2 + ["denied"] * 4
    assert len(set(ledger.done)) == 2


@simulated(seeds=range(3))
async def test_calls_that_do_not_fit_their_tool_have_a_ceiling() -> None:
    replies = [calls(call("look", str(n), att="x"), call("lok", f"b{n}", at="x")) for n in range(9)]
    agent = scripted(*replies, tools=tools(Ledger()), limits=Limits(bad_calls=3))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match="bad_calls is limited to 3, 4 are used"):
            await run.result(timeout=5)

        assert (await run.status()).steps == 2


@simulated(seeds=range(5))
async def test_no_more_calls_run_at_a_time_than_the_run_allows_and_all_run_in_order() -> None:
    running = most = 0

    @tool(risk="read")
    async def work(n: int) -> int:
        """Work."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return n

    asked = [call("work", str(n), n=n) for n in range(20)]
    agent = scripted(calls(*asked), "done", tools=[work], limits=Limits(parallel=3))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "done"
        order = [line["call"] for line in await data(run, "call.intended")]
    assert (most, order) == (3, [f"1.{n}" for n in range(1, 21)])


# Bounds.


def _raises(request: ModelRequest) -> Usage:
    raise RuntimeError("no price list")


@pytest.mark.parametrize(
    ("estimate", "why"),
    [
        pytest.param(_raises, "its estimate raised RuntimeError: no price list", id="raises"),
        pytest.param(lambda request: None, "its estimate gave None, which is no Usage", id="none"),
        pytest.param(
            lambda request: Usage(cost_usd=float("inf")), "its estimate raised ValueError: .*not finite", id="infinite"
        ),
    ],
)
@simulated(seeds=range(1))
async def test_a_model_call_without_a_bound_is_refused_under_a_ceiling_and_made_where_that_is_allowed(
    estimate: Callable[[ModelRequest], Usage | None], why: str
) -> None:
    model = ScriptedModel(["done"])
    model.estimate = estimate  # type: ignore[method-assign,assignment]  # a model that cannot tell
    strict = scripted("done")
    refused, free = attrs.evolve(strict, model=model), attrs.evolve(strict, model=model, name="free")
    free = attrs.evolve(free, limits=Limits(unbounded="allow"))
    open_ended = attrs.evolve(free, name="open", limits=Limits(tokens=None, cost_usd=None))
    async with Runtime(agents=[refused, free, open_ended]) as runtime:
        run = await runtime.start(refused, "Go.")

        with pytest.raises(LimitReached, match=f"nobody can tell what a call of model 'scripted' may use .*{why}"):
            await run.result(timeout=5)

        assert model.requests == []
        assert await (await runtime.start(free, "Go.")).result(timeout=5) == "done"
        assert await (await runtime.start(open_ended, "Go.")).result(timeout=5) == "done"


@simulated(seeds=range(1))
async def test_what_a_provider_reports_beyond_the_reservation_is_logged_and_counted() -> None:
    used = Usage(input_tokens=9_000, output_tokens=1_000, cost_usd=0.5)
    agent = answering(lambda request: ModelReply(text="done", usage=used))
    agent = attrs.evolve(agent, model=_honest(agent.model, 10))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        await soon(lambda: data(run, "budget.overrun"))
        (overrun,) = await data(run, "budget.overrun")
        assert (await run.status()).tokens == 10_000
    assert (overrun["token"], overrun["tokens"], overrun["cost_usd"]) == ("step-1.1", 9_990, 0.5)


def _honest(model: object, most: int) -> FunctionModel:
    assert isinstance(model, FunctionModel)
    model.estimate = lambda request: Usage(input_tokens=most)  # type: ignore[method-assign]  # too little
    model._max_output_tokens = 10_000
    return model


def test_a_crash_in_a_model_call_neither_gives_the_reservation_back_nor_doubles_it() -> None:
    store = Mortal()
    lives: list[int] = []

    async def model(request: ModelRequest) -> str:
        lives.append(1)
        if len(lives) == 1:
            store.kill()
            await asyncio.sleep(3600)
        return "done"

    agent = answering(model, limits=Limits(tokens=5_000))  # one reservation of 4,096 and more, and no second

    async def play(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        if len(lives) == 0:
            await soon(lambda: _called(lives))
            await run.cancel()
        return await run.result(timeout=5)

    async def _called(lives: list[int]) -> bool:
        return bool(lives)

    assert live(store, agent, play) is None
    store.revive()
    assert live(store, agent, play) == "done"

    async def reserved(runtime: Runtime) -> list[str]:
        run = await runtime.start(agent, "Go.", key="k")
        return [kind for kind in await kinds(run) if kind.startswith("budget.")]

    assert live(store, agent, reserved) == ["budget.reserved", "budget.spent"]


# A last answer.


@simulated(seeds=range(3))
async def test_a_degraded_run_answers_once_more_without_tools_and_within_its_ceilings() -> None:
    cheap = FunctionModel(lambda request: f"Best so far, with {len(request.tools)} tools.", name="cheap")
    agent = scripted(*looking(9), tools=tools(Ledger()), limits=Limits(steps=3, at_limit="degrade"))
    agent = attrs.evolve(agent, cheaper=cheap)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "Best so far, with 0 tools."

        summary = await run.status()
        (line,) = await data(run, "run.degraded")
    assert (summary.status, summary.steps, summary.degraded) == (Status.COMPLETED, 3, True)
    assert line["limit"] == "steps"


@simulated(seeds=range(1))
async def test_a_last_answer_that_does_not_pass_is_the_last_all_the_same() -> None:
    asked: list[str] = []

    def answer(request: ModelRequest) -> str:
        asked.append(request.messages[-1].text)
        return "rude"

    limits = Limits(steps=None, tokens=None, cost_usd=None, active_seconds=0.0, at_limit="degrade")
    agent = answering(answer, limits=limits, policies=[Rule(Stage.OUTPUT, lambda check: Deny("be polite"))])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"active_seconds .*, and the last answer does not pass: .*be polite$"):
            await run.result(timeout=5)

    assert len(asked) == 1


@simulated(seeds=range(3))
async def test_a_run_whose_time_is_up_gives_its_last_answer_behind_it() -> None:
    now = 1_000_000.0

    def model(request: ModelRequest) -> ModelReply | str:
        nonlocal now
        now += 100
        return calls(call("look", at="x")) if request.tools else "As far as I came."

    agent = answering(model, tools=tools(Ledger()), limits=Limits(wall_seconds=50, at_limit="degrade"))
    async with Runtime(agents=[agent], clock=lambda: now) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=5) == "As far as I came."
        assert (await run.status()).degraded


@simulated(seeds=range(3))
async def test_a_last_answer_for_which_there_is_no_money_is_not_given() -> None:
    agent = scripted(*looking(9, "Some."), tools=tools(Ledger()), limits=Limits(cost_usd=0.05, at_limit="degrade"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(LimitReached, match=r"cost_usd is limited to 0\.05"):
            await run.result(timeout=5)

        assert (await run.status()).cost_usd == 0


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"at_limit": "stop"}, id="policy"),
        pytest.param({"at_limit": {"stps": "ask"}}, id="ceiling"),
        pytest.param({"per_tool": {"pay": -1}}, id="tool"),
        pytest.param({"per_tool": ["pay"]}, id="tools"),
        pytest.param({"parallel": 0}, id="parallel"),
        pytest.param({"unbounded": "maybe"}, id="unbounded"),
    ],
)
def test_a_ceiling_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LimitFault, match=r"^Limits\("):
        Limits(**wrong)  # type: ignore[arg-type]  # the mistake under test
