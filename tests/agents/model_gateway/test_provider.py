"""What all runs of a runtime may ask of one provider: at a time, in a time, and again."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from tests.agents.play import data, until

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.model_gateway.provider import CROWDED, PAUSED, RETRIES, NotNow, Provider, Providers, Retries
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import Breaker, Rate, Retry

from .speaking import Named, busy, clerk, now

DOWN = 12.0
"""Seconds for which a provider answers nobody."""


def provider(**limits: object) -> Provider:
    """A provider of its own."""
    return Providers({"a": ProviderLimits(**limits)}).of("a")  # type: ignore[arg-type]  # as ProviderLimits checks them


async def called(
    one: Provider, *, tokens: int = 0, used: int | None = 0, seconds: float = 1.0, again: bool = False
) -> float:
    """One call; when it began."""
    granted = await one.enter(tokens, is_retry=again)
    began = now()
    await asyncio.sleep(seconds)
    one.leave(granted, used=used, has_failed=False)
    return began


@simulated(seeds=range(3))
async def test_so_many_calls_run_at_a_time() -> None:
    one = provider(concurrency=3)

    began = await asyncio.gather(*(called(one) for _ in range(9)))

    assert sorted(began) == [0.0] * 3 + [1.0] * 3 + [2.0] * 3


@simulated(seeds=range(3))
async def test_so_many_calls_begin_in_a_time() -> None:
    one = provider(rate=Rate(2, per=10.0))

    began = await asyncio.gather(*(called(one) for _ in range(4)))

    assert [round(at, 6) for at in sorted(began)] == [0.0, 0.0, 5.0, 10.0]


@simulated(seeds=range(3))
async def test_tokens_are_taken_for_the_most_and_given_back() -> None:
    """100 a minute: two calls of 50 at most; what they do not use lets the third begin before its time."""
    one = provider(tokens=Rate(100, per=60.0))

    began = await asyncio.gather(*(called(one, tokens=50, used=used) for used in (50, 50, 50)))
    thrifty = provider(tokens=Rate(100, per=60.0))
    later = now()
    quick = await asyncio.gather(*(called(thrifty, tokens=50, used=used) for used in (10, 10, 10, 10)))

    assert [round(at) for at in sorted(began)] == [0, 0, 30]
    assert max(quick) - later < 30


@simulated(seeds=range(1))
async def test_a_call_of_more_tokens_than_there_ever_are_has_all_of_them() -> None:
    one = provider(tokens=Rate(100, per=60.0))

    first, second = await called(one, tokens=500, used=None), await called(one, tokens=100)

    assert (first, round(second)) == (0.0, 300)


@simulated(seeds=range(1))
async def test_who_leaves_the_line_takes_nothing_with_them() -> None:
    one = provider(concurrency=1, tokens=Rate(100, per=60.0))
    calls = [asyncio.ensure_future(called(one, tokens=10, seconds=10.0)) for _ in range(4)]
    await asyncio.sleep(5)

    calls[1].cancel()
    calls[2].cancel()

    assert await calls[3] == 10.0
    await called(one)


@simulated(seeds=range(1))
async def test_a_pause_holds_for_who_comes_and_for_who_stands_in_line() -> None:
    one = provider(concurrency=1)
    first = await one.enter(0, is_retry=False)
    second = asyncio.ensure_future(one.enter(0, is_retry=False))
    await asyncio.sleep(1)

    one.pause(30.0)
    one.leave(first, used=0, has_failed=None)

    for entering in (second, one.enter(0, is_retry=False)):
        with pytest.raises(NotNow) as refused:
            await entering
        assert (refused.value.why, refused.value.again) == (PAUSED, 30.0)
    await asyncio.sleep(30)
    assert await called(one) == now() - 1


@simulated(seeds=range(1))
async def test_a_pause_is_an_hour_at_most_for_others() -> None:
    one = provider()

    one.pause(1e9)
    await asyncio.sleep(3600)

    await called(one)


@simulated(seeds=range(1))
async def test_a_line_that_is_too_long_sends_away() -> None:
    providers = Providers({"a": ProviderLimits(concurrency=1), "b": ProviderLimits(concurrency=1)})
    providers._line.most = 4
    calls = [asyncio.ensure_future(called(providers.of(name))) for name in "aabbaa"]
    await asyncio.sleep(0)

    with pytest.raises(NotNow) as refused:
        await providers.of("b").enter(0, is_retry=False)

    assert refused.value.why == CROWDED
    await asyncio.gather(*calls)
    assert providers._line.waiting == 0


def test_retries_that_fail_are_a_share_of_the_calls() -> None:
    seconds = [1000.0]
    budget = Retries(RetryBudget(share=0.2, least=2, within=60.0), lambda: seconds[0])
    for _ in range(50):
        budget.begun(False)

    made = made_in(budget)
    seconds[0] += 65

    assert (made, made_in(budget)) == (12, 2)


def made_in(budget: Retries) -> int:
    """How many retries fit that fail."""
    made = 0
    while budget.has_room:
        budget.begun(True)
        budget.ended(True, has_failed=True)
        made += 1
    return made


def test_one_retry_a_slot_looks_whether_the_provider_is_back() -> None:
    seconds = [1000.0]
    budget = Retries(RetryBudget(share=0.0, least=3, within=60.0), lambda: seconds[0])

    made = []
    for _ in range(4):
        made.append(made_in(budget))
        seconds[0] += 5

    assert made == [3, 1, 1, 1]


def test_a_retry_that_succeeds_does_not_count_and_makes_up_for_another() -> None:
    budget = Retries(RetryBudget(least=4), lambda: 1000.0)
    for failed in (True, True, False):
        budget.begun(True)
        budget.ended(True, has_failed=failed)

    assert made_in(budget) == 3


@simulated(seeds=range(1))
async def test_first_calls_are_not_held_back_by_the_budget_of_retries() -> None:
    one = provider(retries=RetryBudget(least=1, share=0.0))
    granted = await one.enter(0, is_retry=True)
    one.leave(granted, used=0, has_failed=True)

    with pytest.raises(NotNow) as refused:
        await one.enter(0, is_retry=True)

    assert refused.value.why == RETRIES
    await called(one)


# In runs.


@simulated(seeds=range(1))
async def test_s31_a_hundred_agents_do_not_storm_a_provider_that_turns_them_away() -> None:
    """It is down for a while. Nobody calls while it has asked to wait; retries stay within their budget."""
    began: list[float] = []
    told: list[float] = []

    async def model(request: ModelRequest) -> str:
        began.append(now())
        await asyncio.sleep(0.2)
        if now() < DOWN:
            told.append(now())
            raise busy(5.0, kind="overloaded")
        return "done"

    agent = Agent("clerk", model=FunctionModel(model), model_options=ModelOptions(retries=Retry(times=30, jitter=0.25)))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        runs = [await runtime.start(agent, "Go.") for _ in range(100)]

        assert {await run.result(5000) for run in runs} == {"done"}

    retries = began[100:]
    failed = [at for at in retries if at + 0.2 < DOWN]
    assert max(began[:100]) < 0.2
    assert not [at for at in retries if any(before <= at < before + 4.9 for before in told)], "called in a pause"
    assert 10 < len(failed) <= 10 + 0.2 * 100 + DOWN / 5 + 1
    assert len(began) == 100 + len(failed) + 100
    assert len({round(at, 3) for at in failed}) > len(failed) / 2, "they come all at once"


@simulated(seeds=range(1))
async def test_a_pause_that_one_run_is_told_of_holds_for_all_and_is_no_failure_of_theirs() -> None:
    model = Named("a", busy(60.0), "done")
    agent = clerk(model, retries=Retry(times=1, jitter=0.0, most=90.0))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        first = await runtime.start(agent, "Go.")
        await until(first, "model.failed")
        others = [await runtime.start(agent, "Go.") for _ in range(5)]

        assert {await run.result(500) for run in (first, *others)} == {"done"}

        (line,) = await data(others[0], "model.queued")
        assert line["reason"] == "a was not called, for it has asked to be left alone for a while"
        assert [await data(run, "model.failed") for run in others] == [[]] * 5
        assert (await others[0].status()).steps == 1
    assert min(model.began[1:]) - model.began[0] >= 59.9


@simulated(seeds=range(1))
async def test_what_a_run_tries_again_draws_on_the_budget_of_retries() -> None:
    down = busy(kind="server")
    model = Named("a", down, down, down, "done")
    agent = clerk(model, retries=Retry(times=5, jitter=0.0))
    limits = {"a": ProviderLimits(retries=RetryBudget(least=1, share=0.0, within=1200.0))}
    async with Runtime(agents=[agent], clock=clock, providers=limits) as runtime:
        run = await runtime.start(agent, "Go.")
        assert await run.result(5000) == "done"

        (queued, *_) = await data(run, "model.queued")
    waits = [later - before for before, later in pairwise(model.began)]
    assert (waits[0] < 2, waits[1] > 50) == (True, True)
    assert queued["reason"] == "a was not called, for too many calls are being made again"


@simulated(seeds=range(1))
async def test_a_wait_in_line_takes_nothing_of_the_calls_time() -> None:
    model = Named("a", [10.0, "done"])
    agent = clerk(model, timeout=15)
    limits = {"a": ProviderLimits(concurrency=1)}
    async with Runtime(agents=[agent], clock=clock, providers=limits) as runtime:
        runs = [await runtime.start(agent, "Go.") for _ in range(4)]

        assert [await run.result(500) for run in runs] == ["done"] * 4

        assert [await data(run, "model.failed") for run in runs] == [[]] * 4


@simulated(seeds=range(1))
async def test_runs_that_wait_for_a_provider_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than there are places for effects want to be made, and another run goes on all the same."""
    monkeypatch.setattr("choragus.actors.effect.PARALLEL", 12)

    @tool(risk="read")
    async def look() -> str:
        """Look."""
        return "seen"

    slow = clerk(Named("a", [100.0, "done"]))
    quick = Agent("quick", model=FunctionModel(_looks), tools=[look])
    limits = {"a": ProviderLimits(concurrency=1)}
    async with Runtime(agents=[slow, quick], clock=clock, providers=limits) as runtime:
        runtime._services.models.providers._line.most = 8
        runs = [await runtime.start(slow, "Go.") for _ in range(30)]
        await asyncio.sleep(1)

        run = await runtime.start(quick, "Look.")

        assert await run.result(50) == "seen"
        for one in runs:
            await one.cancel()


def _looks(request: ModelRequest) -> ModelReply | str:
    last = request.messages[-1]
    return last.text.strip('"') if last.role == "tool" else ModelReply(calls=(ToolCall("1", "look", {}),))


@simulated(seeds=range(1))
async def test_a_run_that_is_cancelled_leaves_the_line() -> None:
    model = Named("a", [10.0, "done"])
    agent = clerk(model)
    async with Runtime(agents=[agent], clock=clock, providers={"a": ProviderLimits(concurrency=1)}) as runtime:
        runs = [await runtime.start(agent, "Go.") for _ in range(3)]
        await asyncio.sleep(1)

        await runs[1].cancel()

        assert [await runs[0].result(100), await runs[2].result(100)] == ["done", "done"]
    assert len(model.began) == 2


@simulated(seeds=range(1))
async def test_tokens_are_counted_by_what_the_model_may_use() -> None:
    model = Named("a", ModelReply("done", usage=Usage(input_tokens=90, output_tokens=10)))
    agent = clerk(model)
    limits = {"a": ProviderLimits(tokens=Rate(4200, per=60.0))}
    async with Runtime(agents=[agent], clock=clock, providers=limits) as runtime:
        for _ in range(3):
            assert await (await runtime.start(agent, "Go.")).result(500) == "done"

    assert [round(at - model.began[0]) for at in model.began] == [0, 0, 1]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"concurrency": 0}, r"ProviderLimits\(concurrency=0\) is no count"),
        ({"rate": 5}, r"ProviderLimits\(rate=5\) is none: give Rate\(...\)"),
        ({"tokens": 5}, r"ProviderLimits\(tokens=5\) is none: give Rate\(...\)"),
        ({"breaker": Rate(1)}, r"is none: give Breaker\(...\)"),
        ({"retries": None}, r"ProviderLimits\(retries=None\) is none: give RetryBudget\(...\)"),
    ],
)
def test_limits_that_are_none_are_refused(limits: dict[str, object], message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        ProviderLimits(**limits)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("budget", [{"share": 2}, {"least": 0}, {"within": 0.0}, {"share": True}])
def test_a_budget_that_is_none_is_refused(budget: dict[str, float]) -> None:
    with pytest.raises(AgentFault, match=r"^RetryBudget\("):
        RetryBudget(**budget)  # type: ignore[arg-type]  # wrong on purpose


def test_a_breaker_needs_no_more() -> None:
    assert ProviderLimits(breaker=Breaker()).retries == RetryBudget()
