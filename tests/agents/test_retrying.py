"""A call that failed: run again if nothing can be done twice by it, replaced by another, or told to the model."""

from __future__ import annotations

import asyncio

import pytest
from attrs import Factory, frozen

from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import Cancelled, ToolError, ToolFault
from choragus.agents.flow.declaration import Labels
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.tool import Risk, Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Breaker, Retry

from .play import Mortal, answering, call, calls, data, kinds, live, once, scripted, until

RETRY = Retry(times=2, first=1.0, most=30.0, jitter=0.0)


def flaky(error: Exception, times: int, **options: object) -> tuple[Tool, list[tuple[str, int]]]:
    """A tool that fails so many times; the idempotency keys and attempts that it was called with."""
    seen: list[tuple[str, int]] = []

    async def act(*, context: ToolContext) -> str:
        """Act."""
        seen.append((context.idempotency_key.partition("/")[2], context.attempt))
        if len(seen) <= times:
            raise error
        return "acted"

    return tool(**options)(act), seen  # type: ignore[call-overload]  # as the test gives them


async def told(made: Tool) -> str:
    """What the model is told of a call, in virtual time."""
    agent = once(made)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if event.kind == "approval.requested":
                await run.approve((await run.pending())[0], by="me")
    return str(agent.model.requests[-1].messages[-1].text)  # type: ignore[attr-defined]  # a ScriptedModel


def test_the_waits_double_up_to_the_most() -> None:
    retry = Retry(times=5, first=0.5, most=3.0, jitter=0.5)

    assert [retry.wait(n) for n in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert retry.wait(1, 1.0) == 0.75


@pytest.mark.parametrize(
    "bad", [{"times": 0}, {"first": 0}, {"first": 5.0, "most": 1.0}, {"jitter": 2.0}, {"jitter": True}]
)
def test_a_retry_that_is_none_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ToolFault, match=r"^Retry\("):
        Retry(**bad)  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("risk", "idempotent", "error", "runs"),
    [
        pytest.param("read", False, OSError("gone"), 3, id="reads"),
        pytest.param("reversible", True, OSError("gone"), 3, id="idempotent"),
        pytest.param("reversible", False, OSError("gone"), 1, id="reversible"),
        pytest.param("irreversible", True, OSError("gone"), 1, id="irreversible"),
        pytest.param("irreversible", False, ToolError("busy", retryable=True), 3, id="safe to retry"),
        pytest.param("reversible", False, ToolError("busy", retryable=True), 3, id="reversible, safe to retry"),
        pytest.param("read", False, ToolError("no such thing"), 1, id="not to be retried"),
    ],
)
@simulated(seeds=range(2))
async def test_only_what_cannot_be_done_twice_runs_again(
    risk: str, idempotent: bool, error: Exception, runs: int
) -> None:
    made, seen = flaky(error, 99, risk=Risk(risk), idempotent=idempotent, retries=RETRY)

    text = await told(made)

    assert seen == [("1.1", n + 1) for n in range(runs)]
    assert text == (str(error) if isinstance(error, ToolError) else "act failed: OSError: gone")


@simulated(seeds=range(2))
async def test_attempts_and_their_waits_stand_in_the_logbook() -> None:
    made, _ = flaky(OSError("gone"), 2, risk="read", retries=RETRY)
    agent = once(made)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        began = asyncio.get_running_loop().time()
        await run.result(timeout=60)

        retried = await data(run, "call.retried")
        assert [(one["attempt"], one["wait"], one["reason"]) for one in retried] == [
            (1, 1.0, "act failed: OSError: gone"),
            (2, 2.0, "act failed: OSError: gone"),
        ]
        assert (await kinds(run)).count("call.intended") == 3
        assert (await kinds(run)).count("call.finished") == 1
        assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.2)


@simulated(seeds=range(2))
async def test_cancel_stops_a_backoff() -> None:
    made, seen = flaky(OSError("gone"), 99, risk="read", retries=Retry(times=9, first=5.0, most=5.0))
    agent = once(made)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "call.retried")

        await run.cancel(by="me")
        with pytest.raises(Cancelled):
            await run.result()
        await asyncio.sleep(20)

        assert [one["end"] for one in await data(run, "call.finished")] == ["cancelled"]
    assert len(seen) == 1


def test_a_kill_in_a_backoff_loses_no_attempt() -> None:
    made, seen = flaky(OSError("gone"), 2, risk="read", retries=Retry(times=2, first=0.01, most=0.01))
    agent, store = once(made), Mortal()

    async def first_life(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "call.retried")
        store.kill()
        await run.result(timeout=5)

    async def second_life(runtime: Runtime) -> str:
        return await (await runtime.start(agent, "Go.", key="k")).result(timeout=5)

    assert live(store, agent, first_life) is None
    store.revive()

    assert live(store, agent, second_life) == "done"
    assert {key for key, _ in seen} == {"1.1"}
    assert seen[-1][1] == 3


@simulated(seeds=range(2))
async def test_a_result_of_another_type_is_a_failure_of_the_tool() -> None:
    def garbage() -> str:
        """Give back garbage."""
        return 5  # type: ignore[return-value]  # the mistake under test

    made = tool(risk="irreversible", retries=RETRY)(garbage)

    assert await told(made) == (
        "garbage has run, but the result of tool 'garbage' does not fit its return type: Expected `str`, got `int`"
    )


@simulated(seeds=range(2))
async def test_what_is_given_back_is_checked_as_deep_as_its_type_says() -> None:
    @tool(risk="read")
    def listing() -> dict[str, list[int]]:
        """List."""
        return {"a": [1, "2"]}  # type: ignore[list-item]  # the mistake under test

    assert "Expected `int`, got `str` - at `$[...][1]`" in await told(listing)


def test_a_return_type_that_cannot_be_checked_is_refused() -> None:
    with pytest.raises(ToolFault, match=r"^what tool 'odd' gives back cannot be checked .*or `-> object`"):

        @tool(risk="read")
        def odd() -> Tool:
            """Be odd."""
            raise NotImplementedError


@frozen
class Hidden:
    """A class whose private field is not written as JSON."""

    _number: int


@frozen
class Node:
    """A class that holds itself."""

    number: int
    below: list[Node] = Factory(list)


@pytest.mark.parametrize("hint", [Hidden, list[Hidden], dict[str, Hidden | None], tuple[int, Hidden]])
def test_a_return_type_with_private_fields_is_refused(hint: object) -> None:
    def odd() -> object:
        """Be odd."""

    odd.__annotations__["return"] = hint

    with pytest.raises(
        ToolFault, match=r"\(Hidden has the private field _number\).*or `-> object` to have it unchecked"
    ):
        tool(risk="read")(odd)


@simulated(seeds=range(1))
async def test_what_fits_its_return_type_passes() -> None:
    @tool(risk="read")
    def tree() -> Node:
        """Give a tree."""
        return Node(1, [Node(2)])

    assert await told(tree) == '{"below":[{"below":[],"number":2}],"number":1}'


# A fallback.


@tool(risk="read")
async def cached(city: str) -> str:
    """Yesterday's weather."""
    return f"rain in {city}, yesterday"


def failing_weather(**options: object) -> Tool:
    """A tool that fails."""

    async def weather(city: str) -> str:
        """Today's weather."""
        raise OSError("no network")

    made: Tool = tool(risk="read", **options)(weather)  # type: ignore[call-overload]  # as the test gives them
    return made


async def told_weather(made: Tool) -> tuple[str, list[dict[str, object]]]:
    """What the model is told, and the fallbacks of the logbook."""
    agent = once(made, city="Bergen")
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=60)
        text = agent.model.requests[-1].messages[-1].text  # type: ignore[attr-defined]  # a ScriptedModel
        return text, await data(run, "call.fallback")


@simulated(seeds=range(2))
async def test_another_tool_stands_in_and_the_model_is_told() -> None:
    text, (line,) = await told_weather(failing_weather(fallback=cached))

    assert text == ('[weather failed: OSError: no network; cached stands in for it:]\n"rain in Bergen, yesterday"')
    assert (line["by"], line["reason"]) == ("cached", "weather failed: OSError: no network")


@simulated(seeds=range(2))
async def test_a_value_stands_in_once_no_attempt_is_left() -> None:
    text, (line,) = await told_weather(failing_weather(fallback="unknown", retries=RETRY))

    assert text == '[weather failed: OSError: no network; a value stands in for it:]\n"unknown"'
    assert line["by"] == "a value"


@simulated(seeds=range(2))
async def test_none_is_a_value_that_stands_in() -> None:
    @tool(risk="read", fallback=None)
    async def find() -> str | None:
        """Find."""
        raise OSError("no network")

    assert (await told(find)).endswith("a value stands in for it:]\nnull")


@simulated(seeds=range(2))
async def test_a_fallback_stands_in_for_a_tool_whose_breaker_is_open() -> None:
    made = failing_weather(fallback="unknown", breaker=Breaker(failures=1))

    first, second = await told_weather(made), await told_weather(made)

    assert first[0] == second[0]  # another runtime has another breaker


@simulated(seeds=range(2))
async def test_nothing_stands_in_for_an_irreversible_tool_that_has_run() -> None:
    @tool(risk="irreversible", fallback="sent")
    async def send() -> str:
        """Send."""
        return 5  # type: ignore[return-value]  # the mistake under test

    assert (await told(send)).startswith("send has run, but the result")


@tool(risk="irreversible")
def pay(city: str) -> str:
    """Pay."""
    return "paid"


@tool(risk="reversible")
def book(city: str) -> str:
    """Book."""
    return "booked"


@tool(risk="read")
def other(town: str) -> str:
    """Take something else."""
    return town


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        pytest.param(pay, "^the fallback 'pay' of tool 'weather' is irreversible: nobody would be asked", id="pay"),
        pytest.param(book, "^the fallback 'book' of tool 'weather' is reversible: ", id="book"),
        pytest.param(other, "^the fallback 'other' of tool 'weather' takes town: let it take .*: city$", id="other"),
        pytest.param(5, "^the fallback of tool 'weather' is no result of it: Expected `str`, got `int`$", id="value"),
        pytest.param(object(), "cannot be written as JSON", id="no JSON"),
    ],
)
def test_a_fallback_that_cannot_stand_in_is_refused(fallback: object, message: str) -> None:
    with pytest.raises(ToolFault, match=message):
        failing_weather(fallback=fallback)


@tool(risk="read", labels=Labels(guarded=True, arguments={"city": "named"}))
def page(city: str) -> str:
    """Fetch the page of a city."""
    return city


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param(
            None, r"'page' of tool 'weather' is guarded and its tool is not: .*Labels\(guarded=True\)$", id="guard"
        ),
        pytest.param(
            Labels(guarded=True, arguments={"city": "any"}),
            "'page' of tool 'weather' takes 'city' up to 'named', its tool up to 'any': give both the same$",
            id="argument",
        ),
    ],
)
def test_a_fallback_that_would_take_what_nobody_looked_at_is_refused(labels: Labels | None, message: str) -> None:
    with pytest.raises(ToolFault, match=message):
        failing_weather(fallback=page, labels=labels)


@simulated(seeds=range(2))
async def test_what_a_fallback_costs_is_set_aside_with_its_tool() -> None:
    bought: list[str] = []

    @tool(risk="reversible", cost_usd=0.6)
    async def buy(what: str) -> str:
        """Buy."""
        bought.append(what)
        return "bought"

    @tool(risk="reversible", cost_usd=0.3, fallback=buy)
    async def borrow(what: str) -> str:
        """Borrow."""
        raise ToolError("nobody lends it")

    asked = calls(call("borrow", "a", what="book")), calls(call("borrow", "b", what="pen"))
    agent = scripted(*asked, "done", tools=[borrow], limits=Limits(cost_usd=1.0))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)

        assert ((await run.status()).outcome, bought) == ("done", ["book"])
        assert [one["cost_usd"] for one in await data(run, "budget.spent") if "call" in str(one["token"])] == [0.9]


# Crashes.


def _flaky_agent(seen: list[str]) -> Agent:
    """Its first tool fails twice and is replaced, its second may be called once, its third says much."""

    @tool(risk="read", retries=Retry(times=1, first=0.001, most=0.001), fallback="no news")
    async def news() -> str:
        """Read the news."""
        seen.append("news")
        raise OSError("gone")

    @tool(risk="read", calls_per_run=1)
    async def peek() -> str:
        """Peek."""
        seen.append("peek")
        return "seen"

    @tool(risk="reversible", idempotent=True, max_result=5)
    async def much() -> str:
        """Say much."""
        return "x" * 10

    step = calls(call("news"), call("peek", "a"), call("peek", "b"), call("much"))

    def model(request: ModelRequest) -> Answer:
        return step if len(request.messages) == 1 else "done"

    return answering(model, tools=[news, peek, much])


def test_attempts_counts_and_fallbacks_survive_a_crash_at_every_commit() -> None:
    store = Mortal()

    async def play(runtime: Runtime) -> tuple[list[tuple[str, str]], str]:
        agent = runtime._agents["clerk"]
        run = await runtime.start(agent, "Go.", key="k")
        await run.result(timeout=5)
        store.dies_at = 0
        refused = [(str(one["call"]), str(one["rule"])) for one in await data(run, "call.refused")]
        ends = [(str(one["call"]), str(one["text"])[-12:]) for one in await data(run, "call.finished")]
        return sorted(refused + ends), await run.result_of("1.4")

    expected = live(store, _flaky_agent([]), play)
    total = store.commits
    for dies_at in range(1, total + 1):
        store, seen = Mortal(), list[str]()
        agent = _flaky_agent(seen)
        store.dies_at, store.after = dies_at, bool(dies_at % 2)
        live(store, agent, play)
        store.revive()

        assert live(store, agent, play) == expected
        assert seen.count("peek") <= 2
        assert 2 <= seen.count("news") <= 3
    assert expected is not None
    assert ("1.3", "calls_per_run") in expected[0]
