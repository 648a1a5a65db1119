"""How many calls of a tool run at once, how fast, and when it is not called: over all runs of a runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.agents.errors import Cancelled, ToolError, ToolFault
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.execution import Fate, Outcome, Toolbelt
from choragus.agents.toolbelt.lane import Circuit, Refused
from choragus.agents.toolbelt.options import Breaker, Rate

from .play import call, calls, data, eventually, scripted, until


def where(run: str = "r") -> ToolContext[object]:
    """The context of some call."""
    return ToolContext(run=run, call="1.1", idempotency_key=f"{run}/1.1")


async def attempts(belt: Toolbelt, made: Tool, times: int) -> list[Outcome]:
    """So many calls at once, each of another run."""
    return await asyncio.gather(*(belt.attempt(made, {}, where(str(n))) for n in range(times)))


def now() -> float:
    """Seconds of the loop."""
    return asyncio.get_running_loop().time()


def counting(**options: object) -> tuple[Tool, list[float], list[int]]:
    """A tool that takes a second; when its calls began, and how many ran then."""
    began: list[float] = []
    at_once: list[int] = []
    running: set[object] = set()

    async def work() -> str:
        """Work."""
        mark = object()
        running.add(mark)
        began.append(now())
        at_once.append(len(running))
        try:
            await asyncio.sleep(1.0)
        finally:
            running.remove(mark)
        return "done"

    return tool(risk="read", **options)(work), began, at_once  # type: ignore[call-overload]  # as the test gives them


@simulated(seeds=range(3))
async def test_no_more_calls_run_at_once_than_the_tool_allows() -> None:
    made, began, at_once = counting(concurrency=3)

    await attempts(Toolbelt(), made, 10)

    assert (len(began), max(at_once)) == (10, 3)
    assert began[-1] - began[0] == 3.0


@simulated(seeds=range(3))
async def test_calls_begin_at_the_rate_of_the_tool() -> None:
    made, began, _ = counting(rate=Rate(2, per=10.0))

    await attempts(Toolbelt(), made, 6)

    assert [round(at - began[0], 6) for at in began] == [0.0, 0.0, 5.0, 10.0, 15.0, 20.0]


@simulated(seeds=range(3))
async def test_a_wait_in_line_does_not_count_towards_the_timeout() -> None:
    made, began, _ = counting(concurrency=1, timeout=1.5)

    outcomes = await attempts(Toolbelt(), made, 5)

    assert [one.is_error for one in outcomes] == [False] * 5
    assert len(began) == 5


@simulated(seeds=range(5))
async def test_one_that_leaves_the_line_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, began, at_once = counting(concurrency=1, rate=Rate(1, per=0.1))
    belt = Toolbelt()
    waiting = [asyncio.ensure_future(belt.attempt(made, {}, where(str(n)))) for n in range(4)]
    await asyncio.sleep(0.5)

    waiting[1].cancel()
    waiting[2].cancel()
    await asyncio.wait(waiting)
    monkeypatch.setattr("choragus.agents.toolbelt.execution.LINE", 0)
    outcome = await belt.attempt(made, {}, where())
    monkeypatch.undo()

    assert not outcome.is_turned_away
    assert began[-1] == now() - 1.0
    assert max(at_once) == 1


# A breaker.


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def is_open(circuit: Circuit) -> bool:
    """Whether a call is refused."""
    try:
        circuit.look()
    except Refused:
        return True
    return False


def failing(circuit: Circuit, times: int) -> None:
    """So many calls that fail."""
    for _ in range(times):
        circuit.ended(circuit.admit(), True)


def test_a_breaker_opens_after_so_many_failures_in_a_time() -> None:
    clock = Clock()
    circuit = Circuit(Breaker(failures=3, within=60.0, open_for=30.0), clock)

    failing(circuit, 2)
    clock.now += 60.0
    failing(circuit, 2)
    assert not is_open(circuit)
    failing(circuit, 1)

    assert is_open(circuit)


@pytest.mark.parametrize(("has_failed", "opens"), [(True, True), (False, False)], ids=["fails", "succeeds"])
def test_half_open_one_call_decides(has_failed: bool, opens: bool) -> None:
    clock = Clock()
    circuit = Circuit(Breaker(failures=1, within=60.0, open_for=30.0), clock)
    failing(circuit, 1)
    clock.now += 30.0

    probe = circuit.admit()
    assert probe
    assert is_open(circuit), "a second one passes beside it"
    circuit.ended(False, False)  # one that began before it opened says nothing
    assert is_open(circuit)
    circuit.ended(probe, has_failed)

    assert is_open(circuit) is opens
    if not opens:
        assert (circuit.admit(), circuit.admit()) == (False, False), "closed, any number passes"


def test_a_probe_that_says_nothing_lets_another_one_try() -> None:
    clock = Clock()
    circuit = Circuit(Breaker(failures=1, within=60.0, open_for=30.0), clock)
    failing(circuit, 1)
    clock.now += 30.0

    circuit.ended(circuit.admit(), None)

    assert circuit.admit()


@simulated(seeds=range(3))
async def test_an_open_breaker_refuses_at_once_and_over_all_runs() -> None:
    began: list[float] = []

    @tool(risk="irreversible", breaker=Breaker(failures=2, within=60.0, open_for=30.0))
    async def pay() -> str:
        """Pay."""
        began.append(now())
        raise OSError("no bank")

    belt = Toolbelt()
    await attempts(belt, pay, 2)
    refused = await belt.attempt(pay, {}, where("other"))
    await asyncio.sleep(30.0)
    await belt.attempt(pay, {}, where("other"))

    assert refused == Outcome(
        text="pay was not called, for it has failed too often: try it again in 30 s", is_error=True, fate=Fate.NOT
    )
    assert len(began) == 3


@pytest.mark.parametrize("error", [ToolError("no such invoice"), ValueError("x")], ids=["word", "failure"])
@simulated(seeds=range(3))
async def test_what_a_tool_says_is_no_failure_of_it(error: Exception) -> None:
    @tool(risk="read", breaker=Breaker(failures=1))
    async def find() -> str:
        """Find."""
        raise error

    belt = Toolbelt()
    first, second = await belt.attempt(find, {}, where()), await belt.attempt(find, {}, where())

    assert (first == second) is isinstance(error, ToolError)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Rate(0), id="no calls"),
        pytest.param(lambda: Rate(1, per=0.0), id="no time"),
        pytest.param(lambda: Rate(True), id="true"),
        pytest.param(lambda: Breaker(failures=0), id="no failures"),
        pytest.param(lambda: Breaker(open_for=float("inf")), id="for ever"),
    ],
)
def test_numbers_that_are_none_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ToolFault, match=r"is no (count|time): give "):
        make()


# In runs.


@simulated(seeds=range(3))
async def test_who_finds_the_line_too_long_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choragus.agents.toolbelt.execution.LINE", 2)
    began: list[int] = []

    @tool(risk="irreversible", concurrency=1)
    async def pay(*, context: ToolContext) -> str:
        """Pay."""
        began.append(context.attempt)
        await asyncio.sleep(0.5)
        return "paid"

    @tool(risk="read")
    async def look() -> float:
        """Look."""
        return now()

    asked = [call("pay", str(n)) for n in range(6)]
    agent = scripted(calls(*asked), calls(call("look")), "done", tools=[pay, look])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if event.kind == "approval.requested":
                await asyncio.gather(*(run.approve(one, by="me") for one in await run.pending()))

        assert await run.result(timeout=60) == "done"
        assert len(await data(run, "call.queued")) >= 3
        assert [line["end"] for line in await data(run, "call.finished")] == ["returned"] * 7
    assert began == [1] * 6


@simulated(seeds=range(2))
async def test_who_was_turned_away_does_not_begin_when_its_run_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choragus.agents.toolbelt.execution.LINE", 0)
    began: list[str] = []

    @tool(risk="reversible", concurrency=1)
    async def book(what: str) -> str:
        """Book."""
        began.append(what)
        await asyncio.sleep(2.0)
        return what

    agent = scripted(calls(call("book", "a", what="a"), call("book", "b", what="b")), "done", tools=[book])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.queued")

        await run.cancel(by="me")
        await eventually(run, "call.finished", times=2)
        await asyncio.sleep(5.0)

        ends = sorted(str(line["end"]) for line in await data(run, "call.finished"))
        assert ends == ["cancelled", "returned"]
    assert len(began) == 1


@simulated(seeds=range(3))
async def test_a_risky_call_in_line_does_not_begin_when_its_run_is_cancelled() -> None:
    gate, began = asyncio.Event(), []

    @tool(risk="reversible", concurrency=1)
    async def book(what: str) -> str:
        """Book."""
        began.append(what)
        await gate.wait()
        return what

    one = scripted(calls(call("book", what="a")), "done", tools=[book], name="one")
    two = scripted(calls(call("book", what="b")), "done", tools=[book], name="two")
    async with Runtime(agents=[one, two]) as runtime:
        first = await runtime.start(one, "Go.")
        await until(first, "call.intended")
        second = await runtime.start(two, "Go.")
        await until(second, "call.intended")
        await settled()

        await second.cancel(by="me")
        gate.set()

        assert await first.result(timeout=5) == "done"
        with pytest.raises(Cancelled):
            await second.result()
        await eventually(second, "call.finished")
        lines = [event.data["text"] async for event in second.past() if event.kind == "call.finished"]
        assert lines == ["book was not called: the run ended first"]
    assert began == ["a"]


@simulated(seeds=range(2))
async def test_who_is_turned_away_behind_the_end_of_its_run_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def attempt(*_: object) -> Outcome:
        await gate.wait()
        return Outcome(text="a long line", is_error=True, fate=Fate.NOT, is_turned_away=True)

    monkeypatch.setattr(Toolbelt, "attempt", attempt)
    made = tool(risk="reversible", name="nothing")(_nothing)
    agent = scripted(calls(call(made.name)), "done", tools=[made])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.intended")
        await run.cancel(by="me")
        await settled()
        gate.set()

        await eventually(run, "call.finished")

        assert [line["end"] for line in await data(run, "call.finished")] == ["failed"]
    monkeypatch.undo()


async def _nothing() -> None:
    """Do nothing."""
