"""Runs whose model is a provider's, through the real SDK: what goes wrong on the wire never calls a tool wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable

import attrs
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed
from choragus.agents.limits import Limits
from choragus.agents.model import ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool

from .loopback import Answer, Asked, loopback
from .shape import FORMATS, PLAIN, Said, answer, body
from .wired import model


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr("choragus.agents.reasoning.RETRY", 0.001, raising=False)


def weather(called: list[str]) -> Tool:
    """A tool that notes who called it."""

    @tool(risk="read", name="weather")
    def look(city: str, *, context: ToolContext) -> str:
        """Today's weather in a city."""
        called.append(f"{context.idempotency_key.partition('/')[2]} {city}")
        return "rain"

    return look


CALL = Said(calls=(ToolCall("call_1", "weather", {"city": "Bergen"}),))


async def played(
    format: str, *answers: Answer, script: Callable[[Asked], Answer] | None = None
) -> tuple[str, str, str]:
    """What became of a run: its result, the calls that were made, and all that the provider was sent last."""
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    called: list[str] = []
    async with loopback(*answers, script=script) as provider:
        clerk = Agent("clerk", model=model(format, provider.url), tools=[weather(called)], limits=Limits(steps=5))
        async with Runtime(agents=[clerk]) as runtime:
            run = await runtime.start(clerk, "Umbrella in Bergen?")
            try:
                result = await run.result()
            except Failed as error:
                result = str(error)
        return result, ", ".join(called), json.dumps(provider.asked[-1].body, ensure_ascii=False)


@pytest.mark.parametrize("format", FORMATS)
async def test_a_tool_loop_goes_round(format: str) -> None:
    result, called, told = await played(format, answer(format, CALL), answer(format, PLAIN))

    assert (result, called) == (PLAIN.text, "1.1 Bergen")
    assert "rain" in told


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_the_model_reads_that_a_tool_it_made_up_is_not_there(format: str) -> None:
    invented = Said(calls=(ToolCall("call_1", "pay_everybody", {}),))

    result, called, told = await played(format, answer(format, invented), answer(format, PLAIN))

    assert (result, called) == (PLAIN.text, "")
    assert "pay_everybody" in told
    assert "weather" in told.partition("pay_everybody")[2]


async def test_s45_the_run_goes_on_behind_every_fault_that_may_pass() -> None:
    whole = answer("chat", CALL)
    faults = (
        Answer(status=503),
        attrs.evolve(whole, cut=len(whole.body) - 5),
        whole,
        Answer(body=b"<html></html>"),
        Answer(),
        answer("chat", PLAIN),
    )

    result, called, _ = await played("chat", *faults)

    assert (result, called) == (PLAIN.text, "1.1 Bergen")


async def test_s44_broken_arguments_call_nothing_and_the_model_is_asked_again() -> None:
    broken = json.dumps(body("chat", CALL)).replace("Bergen", "Ber").replace('\\"}', "")

    result, called, _ = await played("chat", Answer(body=broken.encode()), answer("chat", CALL), answer("chat", PLAIN))

    assert (result, called) == (PLAIN.text, "1.1 Bergen")


async def test_a_refused_key_ends_the_run_and_says_what_to_do() -> None:
    result, _, _ = await played("chat", Answer(status=401, body=b'{"error": {"message": "Incorrect API key."}}'))

    assert "status 401: Incorrect API key.; check the key and what it may use" in result
