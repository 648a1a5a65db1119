"""Which tools a call may reach: the agent's, of these the run's, of these the step's; and what is wrong with a call."""

from __future__ import annotations

import asyncio
import math

import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.admission import Refusal, Rule, admitted, narrowed
from choragus.agents.call import GatewayState
from choragus.agents.errors import AgentFault, ToolFault
from choragus.agents.message import TOOL_GATEWAY, RunCall
from choragus.agents.model import ModelRequest
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.tool import Tool, tool
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import decode, encode
from choragus.mailbox.turn import Envelope

from .play import Ledger, Mortal, answering, call, calls, data, eventually, live, scripted, tools


async def gateway_state(runtime: Runtime, run: Run) -> GatewayState:
    """What the run's gateway has on disk."""
    snapshot = await runtime.store.load(actor_id(TOOL_GATEWAY, run.id))
    assert snapshot.state is not None
    state = decode(snapshot.state)
    assert isinstance(state, GatewayState)
    return state


@tool(risk="read")
def look(at: str) -> str:
    """Look at something."""
    return f"seen {at}"


@tool(risk="irreversible")
def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


def refused(name: str, arguments: dict[str, object], *granted: tuple[str, ...] | None, of: Tool = look) -> Refusal:
    """Why the call is not admitted."""
    found = admitted([of, pay], name, arguments, {}, *granted)
    assert isinstance(found, Refusal)
    return found


# Pure: names and arguments.


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("p\u0430y", r"there is no tool named 'p\u0430y'; the tools are: look, pay", id="cyrillic"),
        pytest.param(
            "\uff50\uff41\uff59",
            r"'\uff50\uff41\uff59' only looks like the name of a tool; the tools are: ",
            id="fullwidth",
        ),
        pytest.param("pay ", "there is no tool named 'pay '; the tools are: look, pay", id="space"),
        pytest.param("pay\u200b", r"there is no tool named 'pay\u200b'", id="zero width"),
        pytest.param("PAY", "there is no tool named 'PAY'", id="case"),
        pytest.param("x" * 10_000_000, "there is no tool named '" + "x" * 100 + "'", id="10 MB"),
    ],
)
def test_s7_a_name_that_only_looks_like_a_tools_is_refused(name: str, reason: str) -> None:
    refusal = refused(name, {"amount": 5})

    assert refusal.rule is Rule.GRANT
    assert refusal.reason.startswith(reason)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"at": "x", "as": "root"}, "Object contains unknown field `as`", id="extra key"),
        pytest.param({"at": 5}, "Expected `str`, got `int` - at `$.at`", id="wrong type"),
        pytest.param({}, "Object missing required field `at`", id="missing"),
        pytest.param({"at": "x" * 10_000_000}, "they have 10,000,009 bytes, and 1,000,000 are the most", id="10 MB"),
    ],
)
def test_s6_arguments_outside_the_schema_are_refused(arguments: dict[str, object], reason: str) -> None:
    refusal = refused("look", arguments)

    assert (refusal.rule, refusal.is_bad) == (Rule.ARGUMENTS, True)
    assert reason in refusal.reason
    assert len(refusal.reason) < 300


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_s6_numbers_that_are_none_are_refused(number: float) -> None:
    @tool(risk="read")
    def weigh(heaps: list[float]) -> float:
        """Weigh."""
        return sum(heaps)

    assert "Expected a finite number - at `$.heaps[1]`" in refused("weigh", {"heaps": [1.0, number]}, of=weigh).reason


def test_how_large_arguments_may_be_is_the_tools_to_say() -> None:
    @tool(risk="read", max_arguments=20)
    def note(text: str) -> str:
        """Note."""
        return text

    assert admitted([note], "note", {"text": "short"}, {}) is note
    assert "they have 21 bytes, and 20 are the most" in refused("note", {"text": "not short!"}, of=note).reason


def test_what_the_run_or_the_step_is_not_granted_is_refused() -> None:
    assert admitted([look, pay], "look", {"at": "x"}, {}, ("look",), None) is look
    assert refused("pay", {"amount": 5}, ("look",), None).reason == (
        "the tool 'pay' is not granted here; the tools are: look"
    )
    assert refused("look", {"at": "x"}, ("look",), ("pay",)).reason == (
        "the tool 'look' is not granted here; the tools are: none"
    )


def test_grants_only_shrink() -> None:
    assert narrowed(None, ["a", "b"]) == ("a", "b")
    assert narrowed(("a",), ["a", "b"]) == ("a",)
    assert narrowed(("a",), ["b"]) == ()


# In a run.


@simulated(seeds=range(3))
async def test_a_run_has_only_the_tools_that_it_was_granted() -> None:
    """Whatever the model was shown, or says."""
    ledger, shown = Ledger(), []

    def model(request: ModelRequest) -> Answer:
        shown.append([schema.name for schema in request.tools])
        return calls(call("pay", amount=5), call("look", at="x")) if len(shown) == 1 else "done"

    agent = answering(model, tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tools=["look", "book"])

        assert await run.result(timeout=5) == "done"
        assert [one["tools"] for one in await data(run, "run.granted")] == [["look", "book"]]
        (line,) = await data(run, "call.refused")
        assert (line["reason"], line["rule"]) == (
            "the tool 'pay' is not granted here; the tools are: look, book",
            "grant",
        )
    assert shown == [["look", "book"], ["look", "book"]]
    assert ledger.calls() == ["1.2"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["look", "fly"], "^tools=.* has no tool 'fly'; it has look, book, reserve, pay$", id="unknown"),
        pytest.param(["\uff50\uff41\uff59"], r"has no tool '\\uff50", id="look-alike"),
        pytest.param("look", r"is one text: give a list of names, such as \['look'\]", id="text"),
    ],
)
async def test_a_run_cannot_be_granted_what_its_agent_has_not(names: list[str], message: str) -> None:
    agent = scripted("done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(AgentFault, match=message):
            await runtime.start(agent, "Go.", tools=names)
        assert await runtime.runs() == []


def test_a_grant_is_there_again_in_the_next_life_and_in_a_fork() -> None:
    store, ledger = Mortal(), Ledger()

    def model(request: ModelRequest) -> Answer:
        return calls(call("book", what="x")) if len(request.messages) == 1 else "done"

    agent = answering(model, tools=tools(ledger))

    async def first_life(runtime: Runtime) -> None:
        store.dies_at = store.commits + 3
        await (await runtime.start(agent, "Go.", key="k", tools=["look"])).result(timeout=5)

    async def second_life(runtime: Runtime) -> list[str]:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result(timeout=5)
        fork = await runtime.fork(run.id, at=1)
        await fork.result(timeout=5)
        again = await runtime.fork(fork.id, at=1)
        await again.result(timeout=5)
        return [str(line["reason"]) for one in (run, fork, again) for line in await data(one, "call.refused")]

    assert live(store, agent, first_life) is None
    store.revive()
    reasons = live(store, agent, second_life)

    assert reasons == ["the tool 'book' is not granted here; the tools are: look"] * 3
    assert ledger.done == []


@simulated(seeds=range(1))
async def test_s6_refused_calls_are_counted_and_have_no_effect() -> None:
    ledger = Ledger()
    bad = calls(call("look", "a", at=5), call("lo0k", "b", at="x"), call("look", "c", at="x" * 2_000_000))
    agent = scripted(bad, "done", tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        await run.result(timeout=5)

        assert (await gateway_state(runtime, run)).bad_calls == 3
        assert [line["rule"] for line in await data(run, "call.refused")] == ["arguments", "grant", "arguments"]
        assert (await data(run, "call.requested"))[2]["arguments"] == {"(left out)": "2,000,009 bytes"}
    assert ledger.done == []


def test_s8_the_call_beyond_the_limit_is_refused_also_after_a_kill() -> None:
    ledger: list[str] = []

    @tool(risk="read", calls_per_run=2)
    def peek(at: str) -> str:
        """Peek."""
        ledger.append(at)
        return at

    def model(request: ModelRequest) -> Answer:
        said = sum(message.role == "assistant" for message in request.messages)
        return calls(call("peek", at=str(said + 1))) if said < 4 else "done"

    agent, store = answering(model, tools=[peek]), Mortal()

    async def first_life(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        async for event in run.events():
            if event.kind == "call.finished" and event.data["call"] == "2.1":
                store.kill()

    async def second_life(runtime: Runtime) -> list[dict[str, object]]:
        run = await runtime.start(agent, "Go.", key="k")
        await run.result(timeout=5)
        return await data(run, "call.refused")

    live(store, agent, first_life)
    store.revive()
    refusals = live(store, agent, second_life)

    assert refusals is not None
    assert [(one["call"], one["rule"]) for one in refusals] == [("3.1", "calls_per_run"), ("4.1", "calls_per_run")]
    assert refusals[0]["reason"] == "peek may be called 2 times in a run, and was: go on without it"
    assert ledger == ["1", "2"]


@simulated(seeds=range(3))
async def test_s8_calls_at_once_are_counted_before_they_run() -> None:
    ran: list[str] = []

    @tool(risk="read", calls_per_run=3)
    async def peek(at: str) -> str:
        """Peek."""
        ran.append(at)
        return at

    agent = scripted(calls(*(call("peek", str(n), at=str(n)) for n in range(10))), "done", tools=[peek])
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    assert sorted(ran) == ["0", "1", "2"]


@simulated(seeds=range(3))
async def test_a_call_that_was_denied_counts_for_nothing() -> None:
    @tool(risk="irreversible", calls_per_run=1)
    async def fire() -> str:
        """Fire."""
        return "fired"

    agent = scripted(calls(call("fire")), calls(call("fire")), "done", tools=[fire])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if event.kind == "approval.requested":
                (approval,) = await run.pending()
                deny = approval.call == "1.1"
                await (run.deny(approval, by="me") if deny else run.approve(approval, by="me"))

        assert [line["end"] for line in await data(run, "call.finished")] == ["denied", "returned"]


@pytest.mark.parametrize(
    ("granted", "name", "reason"),
    [
        (("look",), "book", "the tool 'book' is not granted here; the tools are: look"),
        (("pay",), "pay", "the tool 'pay' is not granted here; the tools are: none"),
    ],
    ids=["step has less", "run has less"],
)
@simulated(seeds=range(1))
async def test_a_step_has_only_what_it_and_the_run_were_granted(
    granted: tuple[str, ...], name: str, reason: str
) -> None:
    ledger, gate = Ledger(), asyncio.Event()

    async def model(request: ModelRequest) -> Answer:
        await gate.wait()
        return "done"

    agent = answering(model, tools=tools(ledger))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tools=["look", "book"])
        step = RunCall(call="1.1", agent="clerk", asked=call(name, what="x"), granted=granted)
        gateway = actor_id(TOOL_GATEWAY, run.id)

        await runtime.store.append([Envelope(id="v1", receiver=gateway, sender="test", record=encode(step))])
        await eventually(run, "call.refused")

        assert [line["reason"] for line in await data(run, "call.refused")] == [reason]
        gate.set()
        await run.result(timeout=5)
    assert ledger.done == []


# The options themselves.


def test_options_that_are_none_are_refused() -> None:
    def function() -> str:
        """Do nothing."""
        return ""

    for name, value, message in (
        ("retires", 3, r"^tool 'function' has no option 'retires': give breaker, calls_per_run, "),
        ("retries", 3, r"^retries=3 of tool 'function' is none: give Retry\(...\)$"),
        ("concurrency", 0, r"^concurrency=0 of tool 'function' is none: give a whole number above 0, or None$"),
        ("calls_per_run", True, r"^calls_per_run=True of tool"),
        ("max_result", None, r"^max_result=None of tool 'function' is none: give a whole number above 0$"),
        ("isolation", "vm", r"^isolation='vm' of tool 'function' is none: give 'process', or None$"),
        ("secrets", "bank", r"^secrets='bank' of tool 'function' is none: give a tuple of names"),
    ):
        with pytest.raises(ToolFault, match=message):
            tool(risk="read", **{name: value})(function)  # type: ignore[call-overload]  # the mistake under test
