"""A run whose models fail: what is called again, what instead, and what the logbook says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import anyio
import pytest
from tests.agents.play import Ledger as Calls
from tests.agents.play import call, calls, data, kinds, tools, until

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.cli import main
from choragus.agents.errors import AgentFault, Failed, LimitReached, ModelError
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.model import ChatMessage, ModelReply, Price, Usage
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits
from choragus.agents.policy.redaction import RedactionPolicy
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.state import Status
from choragus.agents.toolbelt.options import Breaker, Retry

from .speaking import Named, busy, clerk

DULL = Retry(times=2, first=1.0, most=60.0, jitter=0.0)


async def answer(runtime: Runtime, timeout: float = 1000.0) -> tuple[object, Run[object]]:
    """What the only agent's run answers."""
    (agent,) = runtime._services.agents.values()
    run = await runtime.start(agent, "Go.")
    return await run.result(timeout), run


@simulated(seeds=range(3))
async def test_a_call_comes_again_no_sooner_than_the_provider_asks() -> None:
    model = Named("a", busy(20.0), busy(3.0), "done")
    async with Runtime(agents=[clerk(model, retries=DULL)], clock=clock) as runtime:
        _, run = await answer(runtime)

        failures = await data(run, "model.failed")
    assert [round(at - model.began[0], 3) for at in model.began] == [0.0, 20.0, 23.0]
    assert [(one["error"], one["retry_after"], one["wait"]) for one in failures] == [
        ("rate_limit", 20.0, 20.0),
        ("rate_limit", 3.0, 3.0),
    ]


@pytest.mark.parametrize("after", [-1.0, 0.0, float("inf"), float("nan")])
@simulated(seeds=range(1))
async def test_a_time_to_wait_that_is_none_is_not_waited_for(after: float) -> None:
    model = Named("a", busy(after), "done")
    async with Runtime(agents=[clerk(model, retries=DULL)], clock=clock) as runtime:
        await answer(runtime)

    assert round(model.began[1] - model.began[0], 3) == 1.0


@simulated(seeds=range(3))
async def test_when_the_retries_are_used_up_the_next_model_is_called() -> None:
    first, second = Named("a", busy()), Named("b", "from b")
    async with Runtime(agents=[clerk(first, second, retries=DULL)], clock=clock) as runtime:
        said, run = await answer(runtime)

        (fallback,) = await data(run, "model.fallback")
        (replied,) = await data(run, "model.replied")
        failures = await data(run, "model.failed")
    assert said == "from b"
    assert (len(first.began), len(second.began)) == (3, 1)
    assert (fallback["model"], fallback["instead"], fallback["reason"]) == ("b-1", "a-1", "busy")
    assert (replied["model"], replied["provider"], replied["attempt"]) == ("b-1", "b", 4)
    assert [(one["model"], one["tries"], one.get("wait")) for one in failures] == [
        ("a-1", 1, 1.0),
        ("a-1", 2, 2.0),
        ("a-1", 3, None),
    ]


@pytest.mark.parametrize("kind", ["", "request", "authentication", "context_length", "malformed"])
@simulated(seeds=range(1))
async def test_a_failure_that_does_not_pass_goes_to_the_next_model_at_once(kind: str) -> None:
    first, second = Named("a", ModelError("no", kind=kind)), Named("b", "from b")
    async with Runtime(agents=[clerk(first, second)], clock=clock) as runtime:
        said, _ = await answer(runtime)

    assert (said, len(first.began), second.began[0] - first.began[0]) == ("from b", 1, 0.0)


@simulated(seeds=range(1))
async def test_a_model_with_a_bug_has_a_fallback_too() -> None:
    first, second = Named("a", KeyError("choices")), Named("b", "from b")
    async with Runtime(agents=[clerk(first, second)], clock=clock) as runtime:
        said, run = await answer(runtime)

        (failure,) = await data(run, "model.failed")
        (presumed,) = await data(run, "budget.presumed")
    assert said == "from b"
    assert (failure["reason"], failure["error"]) == ("KeyError: 'choices'", "broken")
    assert cast(int, presumed["output_tokens"]) > 0


@simulated(seeds=range(1))
async def test_the_run_fails_behind_the_last_model_and_says_of_which() -> None:
    models = [Named(name, busy()) for name in "abc"]
    async with Runtime(agents=[clerk(*models, retries=Retry(times=1, first=1.0, most=9.0))], clock=clock) as runtime:
        with pytest.raises(Failed, match=r"none of 3 models answered; the last, 'c-1', failed 2 times: busy$"):
            await answer(runtime)

    assert [len(one.began) for one in models] == [2, 2, 2]


@simulated(seeds=range(1))
async def test_each_step_begins_with_the_first_model_again() -> None:
    asks = calls(call("look", at="door"))
    first, second = Named("a", ModelError("no"), "from a"), Named("b", asks)
    agent = clerk(first, second, tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        said, run = await answer(runtime)

        assert [one["model"] for one in await data(run, "model.replied")] == ["b-1", "a-1"]
    assert said == "from a"


@simulated(seeds=range(1))
async def test_a_wait_that_is_too_long_for_the_provider_is_not_waited_for_when_another_can_answer() -> None:
    first, second = Named("a", busy(3600.0)), Named("b", "from b")
    async with Runtime(agents=[clerk(first, second)], clock=clock) as runtime:
        await answer(runtime)

    assert second.began[0] - first.began[0] == 0.0


@pytest.mark.parametrize("at_limit", ["fail", "ask", "degrade"])
@simulated(seeds=range(2))
async def test_a_wait_ends_where_the_wall_time_does(at_limit: str) -> None:
    """As that limit says: the run ends, a person is asked, or it answers with what it has."""
    limits = Limits(wall_seconds=60, at_limit=at_limit)  # type: ignore[arg-type]  # one of the three
    agent = clerk(Named("a", busy(3600.0)), limits=limits, cheaper=ScriptedModel(["all I have"]))
    began = clock()
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        if at_limit == "ask":
            await until(run, "approval.requested")
            assert (await run.status()).status is Status.WAITING
        elif at_limit == "degrade":
            assert await run.result(1000) == "all I have"
        else:
            with pytest.raises(LimitReached, match="wall_seconds is limited to 60"):
                await run.result(1000)

        assert clock() - began == pytest.approx(60.0, abs=0.1)


@simulated(seeds=range(1))
async def test_the_last_answer_has_fallbacks_and_begins_with_the_cheaper_model() -> None:
    cheaper, spare = Named("cheap", ModelError("no")), Named("b", "all I have")
    first = Named("a", calls(call("look", at="door")))
    limits = Limits(steps=2, at_limit="degrade")
    agent = clerk(first, spare, cheaper=cheaper, limits=limits, tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        said, run = await answer(runtime)

        assert [one["model"] for one in await data(run, "model.failed")] == ["cheap-1"]
    assert said == "all I have"


@simulated(seeds=range(1))
async def test_a_fallback_for_which_there_is_no_room_leaves_the_last_answer_to_the_cheaper_model() -> None:
    spare = FunctionModel(lambda _: "never", name="spare", max_output_tokens=9000)
    cheaper = FunctionModel(lambda _: "all I have", name="cheaper", max_output_tokens=100)
    limits = Limits(tokens=6000, at_limit="degrade")
    async with Runtime(agents=[clerk(Named("a", ModelError("no")), spare, cheaper=cheaper, limits=limits)]) as runtime:
        assert (await answer(runtime))[0] == "all I have"


@simulated(seeds=range(1))
async def test_what_is_kept_for_the_last_answer_is_what_the_cheaper_model_needs() -> None:
    spare = FunctionModel(lambda _: "from b", name="spare", max_output_tokens=4000)
    cheaper = FunctionModel(lambda _: "all I have", name="cheaper", max_output_tokens=100)
    limits = Limits(tokens=6000, at_limit="degrade")
    first = ScriptedModel([ModelError("no")])
    agent = Agent("clerk", model=first, fallbacks=[spare], cheaper=cheaper, limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        assert (await answer(runtime))[0] == "from b"


@simulated(seeds=range(1))
async def test_a_run_that_is_paused_calls_no_fallback_until_it_goes_on() -> None:
    first, second = Named("a", [1.0, ModelError("no")]), Named("b", "from b")
    async with Runtime(agents=[clerk(first, second)], clock=clock) as runtime:
        (agent,) = runtime._services.agents.values()
        run = await runtime.start(agent, "Go.")
        await until(run, "budget.reserved")

        await run.pause(by="me")
        await until(run, "model.fallback")
        await asyncio.sleep(60)
        assert second.began == []
        await run.resume(by="me")

        assert await run.result(5) == "from b"


@simulated(seeds=range(1))
async def test_cancel_ends_a_run_that_waits_to_call_its_model_again() -> None:
    model = Named("a", busy(500.0))
    async with Runtime(agents=[clerk(model)], clock=clock) as runtime:
        (agent,) = runtime._services.agents.values()
        run = await runtime.start(agent, "Go.")
        await until(run, "model.failed")

        assert await run.cancel(by="me")
        await asyncio.sleep(700)

        assert (await run.status()).status is Status.CANCELLED
    assert len(model.began) == 1


# An open breaker.


@simulated(seeds=range(1))
async def test_a_provider_whose_breaker_is_open_is_passed_over_at_once() -> None:
    first, second = Named("a", ModelError("down", retryable=True, kind="server")), Named("b", "from b")
    agent = clerk(first, second, retries=None)
    limits = {"a": ProviderLimits(breaker=Breaker(failures=2, open_for=30.0))}
    async with Runtime(agents=[agent], clock=clock, providers=limits) as runtime:
        for _ in range(5):
            said, run = await answer(runtime)
            assert said == "from b"
        (queued,) = await data(run, "model.queued")

        assert len(first.began) == 2
        await asyncio.sleep(30)
        await answer(runtime)
        assert len(first.began) == 3
    assert (queued["error"], queued["retry_after"]) == ("unavailable", 30.0)
    assert queued["reason"] == "a was not called, for it has failed too often"


@simulated(seeds=range(1))
async def test_without_another_model_a_run_waits_for_the_breaker_to_close() -> None:
    model = Named("a", ModelError("down", retryable=True, kind="server"), "up")
    limits = {"a": ProviderLimits(breaker=Breaker(failures=1, open_for=30.0))}
    async with Runtime(agents=[clerk(model, retries=DULL)], clock=clock, providers=limits) as runtime:
        said, _ = await answer(runtime)

    assert said == "up"
    assert 30.0 <= model.began[1] - model.began[0] < 40.0


# What a provider wants back.

KEPT: dict[str, object] = {"provider": "a", "signature": "x"}


async def told(*models: Named, **options: object) -> list[ChatMessage]:
    """The assistant's lines that the last call of the run was sent."""
    agent = clerk(*models, tools=tools(Calls()), **options)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        await answer(runtime)
    return [line for line in models[-1].requests[-1].messages if line.role == "assistant"]


@simulated(seeds=range(1))
async def test_what_a_provider_keeps_comes_back_to_it() -> None:
    asks = ModelReply("I look.", (call("look", at="door"),), kept=(KEPT,))

    (line,) = await told(Named("a", asks, "done"))

    assert line.kept == (KEPT,)


@simulated(seeds=range(1))
async def test_what_a_provider_keeps_is_not_shown_to_another() -> None:
    asks = ModelReply("I look.", (call("look", at="door"),), kept=(KEPT,))

    (line,) = await told(Named("a", asks, ModelError("no")), Named("b", "done"))

    assert (line.text, line.kept) == ("I look.", ())


@simulated(seeds=range(1))
async def test_what_a_provider_keeps_goes_with_the_words_that_a_policy_has_changed() -> None:
    asks = ModelReply("Ask ada@example.org.", (call("look", at="door"),), kept=(KEPT,))

    (line,) = await told(Named("a", asks, "done"), policies=[RedactionPolicy()])

    assert (line.text, line.kept) == ("Ask [redacted:email].", ())


@simulated(seeds=range(1))
async def test_the_last_answer_keeps_it_too() -> None:
    agent = clerk(Named("a", ModelReply("done", kept=(KEPT,))))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        _, run = await answer(runtime)

        heard = await runtime._services.conversation(run.id, 2)
    assert heard[-1] == ChatMessage("assistant", "done", kept=(KEPT,))


# What the logbook says.


@simulated(seeds=range(1))
async def test_the_logbook_says_who_answered_and_what_was_cached() -> None:
    usage = Usage(input_tokens=90, output_tokens=20, cached_tokens=60, cache_write_tokens=5, reasoning_tokens=7)
    agent = clerk(Named("a", ModelReply("done", usage=usage, model="a-1-2026-11", id="msg_1")))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        _, run = await answer(runtime)

        (line,) = await data(run, "model.replied")
        summary = await run.status()
    assert (line["model"], line["answered_by"], line["reply"]) == ("a-1", "a-1-2026-11", "msg_1")
    assert (line["cached_tokens"], line["cache_write_tokens"], line["reasoning_tokens"]) == (60, 5, 7)
    assert (summary.cached_tokens, summary.reasoning_tokens) == (60, 7)


@simulated(seeds=range(1))
async def test_a_call_that_goes_as_expected_says_nothing_of_all_this() -> None:
    async with Runtime(agents=[clerk(Named("a", "done"))], clock=clock) as runtime:
        _, run = await answer(runtime)

        (line,) = await data(run, "model.replied")
        assert not {"answered_by", "reply", "given_up", "cached_tokens"} & set(line)
        assert "model.queued" not in await kinds(run)


# Options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, r"ModelOptions\(timeout=0.0\) is no time"),
        ({"timeout": True}, r"ModelOptions\(timeout=True\) is no time"),
        ({"first_token": float("inf")}, r"first_token=inf\) is no time"),
        ({"hedge_after": "soon"}, r"hedge_after='soon'\) is no time"),
        ({"timeout": 5, "first_token": 6}, r"first_token=6.0\) lies behind timeout=5.0"),
        ({"retries": 3}, r"ModelOptions\(retries=3\) is none: give Retry"),
        ({"stream": "yes"}, r"stream='yes'\) is neither True nor False"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        ModelOptions(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("providers", "message"),
    [
        ({"aa": ProviderLimits()}, "providers names 'aa', and no agent here has a model of it; there are: a"),
        ({"a": 3}, r"providers\['a'\] is 3: give ProviderLimits"),
        ([], r"providers=\[\] names none"),
    ],
)
def test_providers_that_are_none_are_refused(providers: object, message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        Runtime(agents=[clerk(Named("a", "done"))], providers=providers)  # type: ignore[arg-type]  # wrong on purpose


def test_the_options_are_part_of_what_an_agent_is() -> None:
    model = FunctionModel(lambda _: "x", price=Price())

    assert manifest(clerk(model)).hash == manifest(clerk(model, timeout=600)).hash
    assert manifest(clerk(model)).hash != manifest(clerk(model, timeout=60)).hash
    assert manifest(clerk(model)).hash != manifest(clerk(model, hedge_after=5)).hash


# What a person reads.


def test_show_says_what_was_called_again_what_waited_and_what_was_called_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, quick = tmp_path / "runs.db", Retry(times=1, first=0.001, most=1.0)
    first, second = Named("a", ModelError("down", retryable=True, kind="server")), Named("b", "from b")
    agent = clerk(first, second, retries=quick)
    limits = {"a": ProviderLimits(breaker=Breaker(failures=1, open_for=90.0))}

    async def play() -> str:
        async with Runtime(path, agents=[agent], providers=limits) as runtime:
            _, run = await answer(runtime)
            return run.id

    assert main(["show", str(path), anyio.run(play)]) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "failed model, try 1," in said
    assert "waits model: a was not called, for it has failed too often" in said
    assert "fallback b-1 instead of a-1" in said
