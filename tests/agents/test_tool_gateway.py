"""What becomes of a call: granted, checked, run, cut off, interrupted, unknown, settled."""

from __future__ import annotations

import asyncio
import time

import pytest

from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.agents.errors import Cancelled
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, tool

from .play import Ledger, call, calls, data, eventually, once, scripted, sleeper, tools, until


async def told(made: Tool, **arguments: object) -> tuple[str, bool]:
    """What the model is told of a call, and whether as an error."""
    agent = once(made, **arguments)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        assert await run.result(timeout=5) == "done"
    message = agent.model.requests[-1].messages[-1]  # type: ignore[attr-defined]  # a ScriptedModel
    return message.text, message.is_error


@simulated(seeds=range(3))
async def test_a_result_is_json() -> None:
    @tool(risk="read")
    def listing() -> list[int]:
        """List."""
        return [1, 2]

    assert await told(listing) == ("[1,2]", False)


@simulated(seeds=range(3))
async def test_a_tool_that_raises_is_told_as_an_error() -> None:
    @tool(risk="read")
    def broken() -> str:
        """Break."""
        raise ValueError("out of paper")

    assert await told(broken) == ("broken failed: ValueError: out of paper", True)


class Unspeakable(Exception):
    """An error whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(Unspeakable(), "broken failed: Unspeakable: (its text cannot be made)", id="no text"),
        pytest.param(ValueError("\ud800"), "broken failed: ValueError: ?", id="no UTF-8"),
        pytest.param(SystemExit(3), "broken failed: RuntimeError: it raised SystemExit: 3", id="exit"),
        pytest.param(KeyboardInterrupt(), "broken failed: RuntimeError: it raised KeyboardInterrupt", id="interrupt"),
        pytest.param(
            BaseExceptionGroup("two", [SystemExit(3)]), "broken failed: RuntimeError: it raised BaseExc", id="group"
        ),
        pytest.param(GeneratorExit(), "broken failed: RuntimeError: it raised GeneratorExit", id="generator"),
        pytest.param(asyncio.CancelledError(), "broken was cancelled from inside", id="cancelled"),
        pytest.param(StopIteration(), "broken failed: ", id="stop"),
        pytest.param(TimeoutError("slow"), "broken failed: TimeoutError: slow", id="timeout"),
    ],
)
@pytest.mark.parametrize("in_thread", [True, False], ids=["def", "async def"])
@simulated(seeds=range(3))
async def test_whatever_a_tool_raises_is_told(error: BaseException, text: str, in_thread: bool) -> None:
    def plain() -> str:
        """Break."""
        raise error

    async def coroutine() -> str:
        """Break."""
        raise error

    made = tool(risk="read", name="broken")(plain if in_thread else coroutine)

    said, is_error = await told(made)

    assert said.startswith(text)
    assert is_error


@pytest.mark.parametrize("value", [object(), {1: object()}, lambda: 1], ids=["object", "nested", "function"])
@simulated(seeds=range(3))
async def test_a_result_that_is_no_json_is_told(value: object) -> None:
    @tool(risk="read")
    def garbage() -> object:
        """Give back garbage."""
        return value

    said, is_error = await told(garbage)

    assert said.startswith("garbage has run, but tool 'garbage' gave back a ")
    assert is_error


@simulated(seeds=range(3))
async def test_an_invented_tool_and_bad_arguments_go_back_to_the_model() -> None:
    ledger = Ledger()
    agent = scripted(calls(call("lok", at="x"), call("look", at=5)), "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        refused = [line["reason"] for line in await data(run, "call.refused")]
    assert refused[0] == "there is no tool named 'lok'; the tools are: look, book, reserve, pay"
    assert str(refused[1]).startswith("bad arguments for tool 'look': Expected `str`, got `int` - at `$.at`")
    assert ledger.done == []


@pytest.mark.parametrize(("risk", "idempotent"), [("read", False), ("reversible", True)], ids=["read", "idempotent"])
@simulated(seeds=range(3))
async def test_a_harmless_tool_that_hangs_is_cut_off_and_told(risk: str, idempotent: bool) -> None:
    assert await told(sleeper(risk, idempotent=idempotent)) == (
        "endless took longer than 0.03 s and was cancelled",
        True,
    )


# On a real loop: its thread runs on.
async def test_a_plain_function_that_hangs_is_left_behind() -> None:
    @tool(risk="read", timeout=0.03)
    def blocks() -> str:
        """Block a thread."""
        time.sleep(0.3)
        return "late"

    assert await told(blocks) == (
        "blocks took longer than 0.03 s and was left behind: its thread cannot be stopped",
        True,
    )


@simulated(seeds=range(3))
async def test_a_tool_that_resists_its_cancellation_is_left_behind() -> None:
    end = asyncio.Event()

    @tool(risk="read", timeout=0.03)
    async def stubborn() -> str:
        """Resist."""
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    assert await told(stubborn) == ("stubborn took longer than 0.03 s and was cancelled", True)
    end.set()
    await settled()


@simulated(seeds=range(3))
async def test_cancel_stops_a_harmless_call_in_flight() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @tool(risk="read")
    async def endless() -> str:
        """Sleep."""
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()
        return "never"

    agent = once(endless)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await begun.wait()

        await run.cancel()

        await cancelled.wait()
        await eventually(run, "call.finished")
        assert [one["end"] for one in await data(run, "call.finished")] == ["cancelled"]


@simulated(seeds=range(3))
async def test_cancel_lets_a_call_with_effects_come_to_its_end_and_enters_it() -> None:
    gate = asyncio.Event()

    @tool(risk="reversible")
    async def book() -> str:
        """Book."""
        await gate.wait()
        return "booked"

    agent = once(book)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.intended")

        await run.cancel()
        gate.set()

        with pytest.raises(Cancelled):
            await run.result()
        await eventually(run, "call.finished")
        assert [(one["end"], one["text"]) for one in await data(run, "call.finished")] == [("returned", '"booked"')]
