"""What a run does just now: in words, from what is on disk, and at once, whatever is in flight."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.doing import Traces, told
from choragus.agents.errors import ModelError, UnknownRun
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest, ToolCall
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.speech import Talk
from choragus.agents.state import Draft, OpenCall, Phase, RunState, Status
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import Retry

from .play import Ledger, answering, call, calls, scripted, tools, until

GENEROUS = 1.0
"""A machine that other tests keep busy; alone it takes some ms, and the promise is 0.1 s."""


async def never(request: ModelRequest) -> Answer:
    """Answer in an hour."""
    await asyncio.sleep(3600)
    return "late"


@simulated(seeds=range(3))
async def test_a_model_call_is_told_with_its_model_and_since_when() -> None:
    agent = Agent("clerk", model=FunctionModel(never, name="slow-1"), tools=())
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "budget.reserved")
        await asyncio.sleep(12)

        assert await run.doing() == "step 1: model call since 12 s on slow-1"

        await run.send("more")
        assert await run.doing() == "step 1: model call since 12 s on slow-1; 1 unread text"
        await run.pause(by="mia", reason="lunch")
        assert (await run.doing()).startswith("paused by mia: lunch; step 1: model call since 12 s")
        await run.cancel()
        await asyncio.sleep(30)
        assert await run.doing() == "nothing: it has ended (cancelled) 30 s ago"


@simulated(seeds=range(3))
async def test_a_model_that_rests_after_a_failure_is_told_with_the_time_left() -> None:
    async def fails(request: ModelRequest) -> Answer:
        raise ModelError("overloaded", retryable=True)

    options = ModelOptions(retries=Retry(times=3, first=1.0, most=60.0, jitter=0.0))
    agent = Agent("clerk", model=FunctionModel(fails, name="weak"), model_options=options)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(5.0)  # called at 0, 1 and 3 s; the next time at 7 s

        assert await run.doing() == "step 1: waits to call the model again in 2 s, weak has failed 3 times"
        await run.cancel()


@simulated(seeds=range(3))
async def test_calls_are_told_one_by_one() -> None:
    @tool(risk="read", retries=Retry(times=3, first=20.0, jitter=0.0))
    async def flaky() -> str:
        """Fail."""
        raise RuntimeError("no")

    @tool(risk="read", timeout=100)
    async def slow() -> str:
        """Sleep."""
        await asyncio.sleep(3600)
        return ""

    asked = calls(call("flaky"), call("slow"), call("pay", amount=5))
    agent = scripted(asked, "done", tools=[flaky, slow, next(one for one in tools(Ledger()) if one.name == "pay")])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(10)

        assert await run.doing() == (
            "step 1: call 1.1 flaky runs again in 10 s, call 1.2 slow since 10 s, call 1.3 pay waits for approval"
        )
        await run.cancel()


@simulated(seeds=range(2))
async def test_it_is_told_of_a_run_of_hundreds_of_steps_too() -> None:
    """What began is looked for at the end of the logbook only, and the manifest at its beginning."""

    def model(request: ModelRequest) -> Answer | Awaitable[Answer]:
        return (
            calls(call("look", str(len(request.messages)), at="x")) if len(request.messages) < 100 else never(request)
        )

    agent = Agent("clerk", model=FunctionModel(model, name="m"), tools=tools(Ledger()), limits=Limits(steps=None))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(7)

        assert (await run.doing()).endswith(": model call since 7 s on m")
        await run.cancel()


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (RunState(), "it is about to begin"),
        (
            RunState(phase=Phase.STOP, status=Status.FAILED, ended=9.0, talk=Talk(followed_by="abc")),
            "nothing: it has ended (failed) 21 s ago; it goes on as run abc",
        ),
        (RunState(phase=Phase.PERCEIVE, step=3), "step 3: puts together what the model sees"),
        (RunState(phase=Phase.REASON, step=3), "step 3: waits for its budget"),
        (
            RunState(phase=Phase.REASON, step=3, status=Status.PAUSED, paused={"": "paused by mia"}),
            "paused by mia; step 3: the model is not called",
        ),
        (
            RunState(phase=Phase.REASON, step=3, effect="e", final="last"),
            "step 3: model call of the last answer since 30 s on cheap",
        ),
        (RunState(phase=Phase.REASON, step=3, effect="e", model=1), "step 3: model call since 30 s on spare"),
        (
            RunState(phase=Phase.JUDGE, step=3, draft=Draft(stage="output", text="x", waits="approval")),
            "step 3: its output waits for approval",
        ),
        (RunState(phase=Phase.JUDGE, step=3, draft=Draft(stage="reply", text="x")), "step 3: its reply is judged"),
        (
            RunState(phase=Phase.REASON, step=3, ceiling="ceiling-steps: approval", children={"a": True}),
            "step 3: waits for its budget; waits for approval of more than its limits; 1 sub-run goes on",
        ),
        (
            RunState(
                phase=Phase.ACT, step=3, calls=[OpenCall(f"3.{n}", ToolCall(str(n), "t", {})) for n in range(1, 8)]
            ),
            "step 3: call 3.1 t is judged, call 3.2 t is judged, call 3.3 t is judged, call 3.4 t is judged, "
            "call 3.5 t is judged, 2 more calls",
        ),
    ],
)
def test_every_state_has_its_line(state: RunState, line: str) -> None:
    assert told(state, Traces(models=("main", "spare", "cheap")), 30.0) == line


async def test_of_no_run_nothing_is_told() -> None:
    async with Runtime(agents=[answering(never)]) as runtime:
        with pytest.raises(UnknownRun):
            await Run("missing", runtime._desk).doing()


async def _stubborn(request: ModelRequest) -> Answer:
    """Ignore the cancellation for a while."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(end - time.monotonic())
    return "late"


@tool(risk="read", timeout=60)
def block() -> str:
    """Block a thread for 5 s."""
    time.sleep(5)
    return "done"


def _blocking() -> Agent:
    return scripted(calls(call("block")), "done", tools=[block])


@pytest.mark.parametrize(
    "agent", [lambda: answering(_stubborn), _blocking], ids=["a model that ignores it", "a tool that blocks its thread"]
)
async def test_it_is_answered_held_and_ended_at_once_whatever_is_in_flight(
    agent: Callable[[], Agent], tmp_path: Path
) -> None:
    made = agent()
    async with Runtime(tmp_path / "runs.db", agents=[made]) as runtime:
        run = await runtime.start(made, "Go.")
        await until(run, "call.intended" if made.tools else "budget.reserved")
        asks: tuple[Callable[[], Awaitable[object]], ...] = (run.doing, run.status, run.pause, run.resume, run.cancel)
        took: list[float] = []
        for ask in asks:
            began = time.perf_counter()
            assert await ask()
            took.append(time.perf_counter() - began)

        assert max(took) < GENEROUS
        assert (await run.status()).status is Status.CANCELLED
