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
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Retry

from .loopback import Answer, Asked, loopback
from .shape import FORMATS, PLAIN, Said, answer
from .wired import model

HASTY = ModelOptions(retries=Retry(times=3, first=0.001, most=0.01))
"""Try again at once."""


def weather(called: list[str]) -> Tool:
    """A tool that notes who called it."""

    @tool(risk="read", name="weather")
    def look(city: str, *, context: ToolContext) -> str:
        """Today's weather in a city."""
        called.append(f"{context.idempotency_key.partition('/')[2]} {city}")
        return "rain"

    return look


CALL = Said(calls=(ToolCall("call_1", "weather", {"city": "Bergen"}),))
Line = Answer | Said | Callable[[Answer], Answer]


def cut(whole: Answer) -> Answer:
    """The call, but the connection breaks before its end."""
    return attrs.evolve(whole, cut=len(whole.body) // 2)


def broken(whole: Answer) -> Answer:
    """The call, whole, with arguments that are not."""
    return attrs.evolve(whole, body=whole.body.replace(b'Bergen\\"}', b"Ber"))


async def played(format: str, *lines: Line) -> tuple[str, str, str]:
    """What became of a run: its result, the calls that were made, and all that the provider was sent last."""
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    called: list[str] = []
    left = list(lines)

    def script(asked: Asked) -> Answer:
        line = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(line, Answer):
            return line
        said = line if isinstance(line, Said) else CALL
        whole = answer(format, said, stream=bool(asked.body.get("stream")))
        return whole if isinstance(line, Said) else line(whole)

    async with loopback(script=script) as provider:
        used = model(format, provider.url)
        clerk = Agent("clerk", model=used, tools=[weather(called)], limits=Limits(steps=5), model_options=HASTY)
        async with Runtime(agents=[clerk]) as runtime:
            run = await runtime.start(clerk, "Umbrella in Bergen?")
            try:
                result = await run.result()
            except Failed as error:
                result = str(error)
        return result, ", ".join(called), json.dumps(provider.asked[-1].body, ensure_ascii=False)


@pytest.mark.parametrize("format", FORMATS)
async def test_a_tool_loop_goes_round(format: str) -> None:
    result, called, told = await played(format, CALL, PLAIN)

    assert (result, called) == (PLAIN.text, "1.1 Bergen")
    assert "rain" in told


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_the_model_reads_that_a_tool_it_made_up_is_not_there(format: str) -> None:
    invented = Said(calls=(ToolCall("call_1", "pay_everybody", {}),))

    result, called, told = await played(format, invented, PLAIN)

    assert (result, called) == (PLAIN.text, "")
    assert "pay_everybody" in told
    assert "weather" in told.partition("pay_everybody")[2]


async def test_s45_the_run_goes_on_behind_every_fault_that_may_pass() -> None:
    page = Answer(body=b"<html></html>")

    result, called, _ = await played("chat", Answer(status=503), cut, CALL, page, Answer(), PLAIN)

    assert (result, called) == (PLAIN.text, "1.1 Bergen")


async def test_s44_broken_arguments_call_nothing_and_the_model_is_asked_again() -> None:
    result, called, _ = await played("chat", broken, CALL, PLAIN)

    assert (result, called) == (PLAIN.text, "1.1 Bergen")


async def test_a_refused_key_ends_the_run_and_says_what_to_do() -> None:
    result, _, _ = await played("chat", Answer(status=401, body=b'{"error": {"message": "Incorrect API key."}}'))

    assert "status 401: Incorrect API key.; check the key and what it may use" in result
