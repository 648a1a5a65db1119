"""One model call: its timeouts, a second one beside it, and which of them is heard and paid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.agents.play import Rule, data, eventually

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import Failed, ModelError
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, Price, Usage
from choragus.agents.model_gateway import attempt
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.policy import Stage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.streamed import StreamingFunctionModel
from choragus.agents.toolbelt.options import Retry

from .speaking import Named, Speaker, clerk, heard, now, texts

SOON = Retry(times=1, first=1.0, most=1.0, jitter=0.0)


async def played(agent: Agent, **options: object) -> tuple[str, Run, float]:
    """The answer, the run, and how long it took."""
    async with Runtime(agents=[agent], clock=clock, **options) as runtime:  # type: ignore[arg-type]  # as the test gives them
        began = now()
        run = await runtime.start(agent, "Go.")
        said = await run.result(5000)
        return said, run, now() - began


# Times.


@simulated(seeds=range(2))
async def test_a_call_that_takes_too_long_is_given_up_and_presumed_to_have_cost_the_most() -> None:
    model = Named("a", [999.0, "never"], "done")
    agent = clerk(model, timeout=30, retries=SOON)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        assert await run.result(500) == "done"

        (failure,) = await data(run, "model.failed")
        assert (failure["reason"], failure["error"]) == ("a-1 did not answer within 30 s", "timeout")
        assert len(await data(run, "budget.presumed")) == 1
    assert model.began[1] - model.began[0] == pytest.approx(31.0, abs=0.2)


@simulated(seeds=range(2))
async def test_a_model_that_does_not_begin_in_time_is_given_up() -> None:
    model = Speaker([40.0, "never"], ["done"])
    agent = clerk(model, first_token=5, retries=SOON)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        assert await run.result(500) == "done"

        (failure,) = await data(run, "model.failed")
        assert failure["reason"] == "speaker did not begin to answer within 5 s"
        assert len(await data(run, "budget.presumed")) == 1
    assert model.closed == 2
    assert model.began[1] - model.began[0] == pytest.approx(6.0, abs=0.2)


@simulated(seeds=range(1))
async def test_a_model_that_has_begun_has_all_of_its_time() -> None:
    said, _, took = await played(clerk(Speaker(["It ", 50.0, "rains."]), first_token=5, timeout=60))

    assert (said, round(took)) == ("It rains.", 50)


@simulated(seeds=range(1))
async def test_a_stream_that_does_not_end_in_time_is_given_up() -> None:
    with pytest.raises(Failed, match="speaker did not answer within 60 s"):
        await played(clerk(Speaker(["It ", 90.0, "rains."]), timeout=60, retries=None))


@simulated(seeds=range(1))
async def test_a_model_has_to_begin_in_time_also_when_nobody_may_hear_it() -> None:
    rule = Rule(Stage.REPLY, lambda _: None)
    with pytest.raises(Failed, match="did not begin to answer within 5 s"):
        await played(clerk(Speaker([40.0, "never"]), first_token=5, retries=None, policies=[rule]))


@pytest.mark.parametrize("model", [Named("a", [20.0, "done"]), Speaker([20.0, "done"])], ids=["plain", "not streamed"])
@simulated(seeds=range(1))
async def test_a_first_token_means_nothing_where_nothing_is_streamed(model: FunctionModel) -> None:
    said, _, _ = await played(clerk(model, first_token=5, stream=False))

    assert said == "done"


# Streams that are none.


@simulated(seeds=range(1))
async def test_a_stream_that_ends_before_its_reply_is_no_short_answer() -> None:
    class Cut(StreamingFunctionModel):
        async def stream(self, request: ModelRequest) -> AsyncIterator[object]:  # type: ignore[override]  # on purpose
            async for piece in super().stream(request):
                if not isinstance(piece, ModelReply):
                    yield piece

    agent = clerk(Cut(_rain), retries=None)
    with pytest.raises(Failed, match="the stream of function ended before its reply"):
        await played(agent)


async def _rain(request: ModelRequest) -> AsyncIterator[str]:
    yield "It "
    yield "rains."


@simulated(seeds=range(1))
async def test_a_stream_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LONGEST", 10_000)

    async def endless(request: ModelRequest) -> AsyncIterator[str]:
        while True:
            yield "and " * 10

    with pytest.raises(Failed, match=r"function went on behind 10,000 characters$"):
        await played(clerk(StreamingFunctionModel(endless)))


@simulated(seeds=range(1))
async def test_a_model_that_speaks_without_a_breath_lets_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "LONGEST", 50_000)
    said: list[int] = []

    async def endless(request: ModelRequest) -> AsyncIterator[str]:
        while True:
            said.append(1)
            yield "x"

    agent = clerk(StreamingFunctionModel(endless))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await heard(run, until=lambda one: bool(texts([one])))

        assert await run.cancel(by="me")
    assert len(said) < 20_000


# A second call beside the first.


@simulated(seeds=range(2))
async def test_a_slow_call_is_made_a_second_time_and_the_first_to_answer_wins() -> None:
    model = Named("a", [50.0, "slow"], [3.0, "quick"])
    said, _, took = await played(clerk(model, hedge_after=10))

    assert (said, round(took, 1)) == ("quick", 13.0)
    assert [round(at - model.began[0]) for at in model.began] == [0, 10]


@simulated(seeds=range(1))
async def test_a_call_that_answers_in_time_is_made_once() -> None:
    model = Named("a", [9.0, "in time"])
    said, _, _ = await played(clerk(model, hedge_after=10))

    assert (said, len(model.began)) == ("in time", 1)


@simulated(seeds=range(1))
async def test_the_first_may_win_after_all() -> None:
    model = Named("a", [12.0, "slow"], [30.0, "slower"])
    said, _, took = await played(clerk(model, hedge_after=10))

    assert (said, round(took)) == ("slow", 12)


@simulated(seeds=range(1))
async def test_of_two_streams_the_one_that_begins_first_is_heard_alone() -> None:
    model = Speaker([50.0, "slow"], [3.0, "quick ", 60.0, "one"])
    agent = clerk(model, hedge_after=10)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert texts(await heard(run)) == ["quick ", "one", "."]
    assert model.closed == 2


@simulated(seeds=range(1))
async def test_a_stream_that_has_begun_is_not_made_a_second_time() -> None:
    model = Speaker(["It ", 50.0, "rains."])
    await played(clerk(model, hedge_after=10))

    assert len(model.began) == 1


@simulated(seeds=range(1))
async def test_when_the_first_fails_the_second_goes_on_alone() -> None:
    model = Named("a", [12.0, ModelError("no")], [9.0, "done"])
    said, _, took = await played(clerk(model, hedge_after=10))

    assert (said, round(took)) == ("done", 19)


@simulated(seeds=range(1))
async def test_when_both_fail_the_call_has_failed_once() -> None:
    model = Named("a", [12.0, ModelError("no")], [9.0, ModelError("nor this")])
    with pytest.raises(Failed, match="failed once: nor this"):
        await played(clerk(model, hedge_after=10))


@simulated(seeds=range(1))
async def test_a_call_that_was_given_up_is_paid_also_when_the_other_fails() -> None:
    model = Speaker([50.0, "never"], [10.0, ModelError("no")])
    agent = clerk(model, hedge_after=10, first_token=15)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(Failed, match="failed once: no"):
            await run.result(500)

        await eventually(run, "budget.presumed")
        assert await data(run, "budget.spent") == []


@simulated(seeds=range(1))
async def test_both_together_have_the_time_of_one() -> None:
    model = Named("a", [50.0, "slow"], [20.0, "late"])
    with pytest.raises(Failed, match="a-1 did not answer within 30 s"):
        await played(clerk(model, hedge_after=20, timeout=30, retries=None))


@simulated(seeds=range(1))
async def test_a_loser_that_resists_delays_nobody() -> None:
    async def model(request: ModelRequest) -> str:
        model.calls += 1  # type: ignore[attr-defined]  # counted on the function
        if model.calls > 1:  # type: ignore[attr-defined]
            return "quick"
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(100)
        return "never"

    model.calls = 0  # type: ignore[attr-defined]
    said, _, took = await played(clerk(FunctionModel(model), hedge_after=10))

    assert (said, took < 10.2) == ("quick", True)


@simulated(seeds=range(1))
async def test_both_calls_are_paid_and_room_for_both_is_set_aside() -> None:
    """The winner says what it used; the loser counts as the most that it may have."""
    price = Price(input_per_million=0.0, output_per_million=1_000_000.0)
    quick = ModelReply("quick", usage=Usage(input_tokens=1, output_tokens=2, cost_usd=2.0))
    calls = iter([50.0, 3.0])

    async def model(request: ModelRequest) -> ModelReply:
        await asyncio.sleep(next(calls))
        return quick

    made = FunctionModel(model, price=price, max_output_tokens=5)
    agent = clerk(made, hedge_after=10, limits=Limits(cost_usd=10.0))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(500)

        (reserved,) = await data(run, "budget.reserved")
        (replied,) = await data(run, "model.replied")
        summary = await run.status()
    assert (reserved["cost_usd"], reserved["steps"]) == (10.0, 1)
    assert (replied["cost_usd"], replied["given_up"]) == (2.0, 1)
    assert (summary.cost_usd, summary.steps) == (7.0, 1)


@simulated(seeds=range(1))
async def test_a_second_call_for_which_there_is_no_budget_is_none_to_be_hedged() -> None:
    price = Price(output_per_million=1_000_000.0)
    made = FunctionModel(lambda _: "done", price=price, max_output_tokens=5)
    agent = clerk(made, hedge_after=10, limits=Limits(cost_usd=9.0))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Exception, match="cost_usd is limited to 9, 0 are used and 10 more were asked for"):
            await run.result(500)


@pytest.mark.parametrize(
    "limits",
    [ProviderLimits(concurrency=1), ProviderLimits(retries=RetryBudget(least=1, share=0.0))],
    ids=["concurrency", "retries"],
)
@simulated(seeds=range(1))
async def test_a_second_call_never_waits_for_room(limits: ProviderLimits) -> None:
    model = Named("a", [30.0, "slow"], [30.0, "slow"], [1.0, "quick"])
    agent = clerk(model, hedge_after=10)
    async with Runtime(agents=[agent], clock=clock, providers={"a": limits}) as runtime:
        runs = [await runtime.start(agent, "Go.") for _ in range(2)]
        assert {await run.result(500) for run in runs} <= {"slow", "quick"}

    if limits.concurrency:
        assert [round(at - model.began[0]) for at in model.began] == [0, 30]
    else:
        assert len(model.began) == 3


@simulated(seeds=range(1))
async def test_cancel_ends_both() -> None:
    model = Named("a", [500.0, "slow"])
    agent = clerk(model, hedge_after=10)
    limits = ProviderLimits(concurrency=2)
    async with Runtime(agents=[agent], clock=clock, providers={"a": limits}) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(20)
        assert len(model.began) == 2

        await run.cancel(by="me")
        await asyncio.sleep(2)

        provider = runtime._services.models.providers.of("a")
        assert provider._lane is not None
        assert provider._lane._inside == 0


def test_a_model_that_cannot_stream_is_not_streamed() -> None:
    async def words(request: ModelRequest) -> AsyncIterator[str]:
        yield "x"

    streaming = StreamingFunctionModel(words)

    assert attempt.streams(streaming, ModelOptions())
    assert not attempt.streams(streaming, ModelOptions(stream=False))
    assert not attempt.streams(FunctionModel(lambda _: "x"), ModelOptions())
