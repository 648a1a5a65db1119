"""Taking back what the calls of a run have done that ended without a result."""

# ruff: noqa: ASYNC110  # tools and processes tell nobody; the files are small

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentError, Cancelled, Failed, ToolFault
from choragus.agents.keeping import Unwound
from choragus.agents.limits import Limits
from choragus.agents.message import TOOL_GATEWAY, UnwindRun
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Retry
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.turn import Envelope

from .play import Mortal, call, calls, data, eventually, live, scripted, until
from .unwound import PARTS

ROOT = Path(__file__).resolve().parents[2]


class World:
    """What was booked, and each time that something was taken back, with its idempotency key."""

    def __init__(self) -> None:
        self.booked: list[str] = []
        self.undone: list[str] = []
        self.keys: list[str] = []
        self.fails = 0
        self.hangs = False


def tools(world: World, *, idempotent: bool = False, retries: Retry | None = None) -> list[Tool]:
    """`book` can be taken back, `look` and `note` cannot."""

    @tool(risk="reversible", idempotent=idempotent, retries=retries)
    async def cancel(what: str, result: dict[str, str], *, context: ToolContext) -> None:
        """Cancel a booking."""
        world.keys.append(context.idempotency_key.partition("/")[2])
        if world.hangs:
            await asyncio.sleep(3600)
        if len(world.keys) <= world.fails:
            raise OSError("no line")
        assert result == {"id": f"#{what}"}
        world.undone.append(what)

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> dict[str, str]:
        """Book something."""
        if what == "full":
            raise ValueError("nothing is free")
        world.booked.append(what)
        return {"id": f"#{what}"}

    @tool(risk="read")
    async def look() -> str:
        """Look."""
        return "seen"

    return [book, look]


def booker(world: World, **options: bool | Retry | None) -> Agent:
    """An agent that books three things, one in vain, looks, and runs into its limit."""
    return scripted(
        calls(call("book", "a", what="flight"), call("look")),
        calls(call("book", "b", what="full"), call("book", "c", what="hotel")),
        calls(call("book", "d", what="car")),
        "done",
        tools=tools(world, **options),  # type: ignore[arg-type]  # as the tests give them
        limits=Limits(steps=3),
    )


async def ended(runtime: Runtime, agent: Agent) -> Run:
    """Its run, once it has come to its limit."""
    run = await runtime.start(agent, "Go.", key="k")
    async for _ in run.events():
        pass
    return run


@simulated(seeds=range(3))
async def test_what_was_done_is_taken_back_in_reverse_order() -> None:
    world = World()
    agent = booker(world)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        unwound = await run.unwind(by="mia")

        done = ("3.1/undo", "2.2/undo", "1.1/undo")
        assert unwound == Unwound(by="mia", done=done, left=(), stopped="", over=True)
        assert (await data(run, "unwind.begun"))[0]["calls"] == list(done)
        ends = [line for line in await data(run, "call.finished") if line["call"] in done]
        assert [(line["call"], line["end"]) for line in ends] == [(one, "returned") for one in done]
        assert (await run.status()).status.value == "limit"
    assert world.undone == ["car", "hotel", "flight"]
    assert world.keys == list(done)


@simulated(seeds=range(2))
async def test_unwinding_twice_takes_nothing_back_twice() -> None:
    world = World()
    agent = booker(world)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        await run.unwind(by="mia")

        again = await run.unwind(by="ben")

        assert (again.done, again.left, again.over) == (("3.1/undo", "2.2/undo", "1.1/undo"), (), True)
    assert len(world.undone) == 3


@simulated(seeds=range(2))
async def test_a_run_that_goes_on_or_has_completed_is_not_unwound() -> None:
    agent = scripted("done", tools=tools(World()))
    gate = asyncio.Event()

    @tool(risk="reversible")
    async def waits() -> str:
        """Wait."""
        await gate.wait()
        return "over"

    other = scripted(calls(call("waits")), "done", tools=[waits], name="other")
    async with Runtime(agents=[agent, other]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)
        with pytest.raises(AgentError, match=r"^run \w+ has completed: only one that ended without a result"):
            await run.unwind(by="mia")

        busy = await runtime.start(other, "Go.")
        await until(busy, "call.intended")
        with pytest.raises(AgentError, match=r"^run \w+ has not ended: cancel it first$"):
            await busy.unwind(by="mia")
        await busy.cancel(by="mia")
        with pytest.raises(AgentError, match=r"^call 1.1 of run \w+ still runs: try it again when it has ended$"):
            await busy.unwind(by="mia")
        with pytest.raises(ValueError, match=r"names nobody"):
            await busy.unwind(by=" ")
        gate.set()


@simulated(seeds=range(2))
async def test_a_failing_compensation_stops_and_says_what_remains() -> None:
    world = World()
    world.fails = 1
    agent = booker(world)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        unwound = await run.unwind(by="mia")

        why = "3.1/undo: cancel failed: OSError: no line; behind it remains 2.2/undo, 1.1/undo"
        assert (unwound.done, unwound.left) == ((), ("1.1/undo", "2.2/undo", "3.1/undo"))
        assert (unwound.stopped, unwound.over) == (why, False)
        (unknown,) = await run.unknown()
        assert (unknown.call, unknown.tool, unknown.reason) == ("3.1/undo", "cancel", why)
        assert unknown.arguments == {"what": "car", "result": {"id": "#car"}}
        assert unknown.idempotency_key == f"{run.id}/3.1/undo"
        with pytest.raises(AgentError, match=r"^nobody knows what became of call 3.1/undo of run \w+: settle it first"):
            await run.unwind(by="mia")


@pytest.mark.parametrize(
    ("word", "undone", "done"),
    [
        ("happened", ["hotel", "flight"], ["3.1/undo", "2.2/undo", "1.1/undo"]),
        ("not", ["car", "hotel", "flight"], ["3.1/undo", "2.2/undo", "1.1/undo"]),
        ("give_up", [], []),
    ],
)
@simulated(seeds=range(2))
async def test_a_person_says_how_it_goes_on(word: str, undone: list[str], done: list[str]) -> None:
    world = World()
    world.fails = 1
    agent = booker(world)
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        await run.unwind(by="mia")

        await run.settle("3.1/undo", word, by="ben")
        await eventually(run, "unwind.left" if word == "give_up" else "unwind.ended")

        assert await run.unknown() == []
        if word == "give_up":
            assert (await data(run, "unwind.left"))[0]["left"] == ["3.1/undo", "2.2/undo", "1.1/undo"]
            assert (await run.unwind(by="mia")).over
            undone = ["car", "hotel", "flight"]
    assert world.undone == undone
    assert len(set(world.keys)) == 3
    assert done == [] or world.undone[-1] == "flight"


@pytest.mark.parametrize("how", ["is cut off", "gives back rubbish"])
@simulated(seeds=range(1))
async def test_an_undo_that_may_have_happened_and_was_given_up_does_not_just_run_again(how: str) -> None:
    undone: list[str] = []

    @tool(risk="reversible", timeout=0.05)
    async def cancel(what: str) -> None:
        """Cancel."""
        undone.append(what)
        if how == "is cut off":
            await asyncio.sleep(3600)
        return 5  # type: ignore[return-value]  # the mistake under test

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        return what

    agent = scripted(calls(call("book", what="car")), tools=[book], limits=Limits(steps=1))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await ended(runtime, agent)
        await run.unwind(by="mia")
        await run.settle("1.1/undo", "give_up", by="mia")
        await eventually(run, "unwind.left")

        again = await run.unwind(by="mia")

        assert (again.left, undone) == (("1.1/undo",), ["car"])
        assert "it was given up when it may have happened" in again.stopped
        await run.settle("1.1/undo", "happened", by="mia")
        assert (await run.unwind(by="mia")).over
    assert undone == ["car"]


@simulated(seeds=range(2))
async def test_an_undo_that_is_cut_off_stops_it_too() -> None:
    @tool(risk="reversible", timeout=0.05)
    async def cancel(what: str) -> None:
        """Cancel."""
        await asyncio.sleep(3600)

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        return what

    agent = scripted(calls(call("book", what="car")), tools=[book], limits=Limits(steps=1))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await ended(runtime, agent)

        async with asyncio.timeout(5):
            unwound = await run.unwind(by="mia")

        why = "1.1/undo: cancel took longer than 0.05 s and was cancelled; behind it remains nothing"
        assert (unwound.stopped, unwound.left) == (why, ("1.1/undo",))


@simulated(seeds=range(2))
async def test_an_undo_is_tried_again_as_it_says() -> None:
    world = World()
    world.fails = 2
    agent = booker(world, idempotent=True, retries=Retry(times=2, first=1.0))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await ended(runtime, agent)

        assert (await run.unwind(by="mia")).over
    assert world.undone == ["car", "hotel", "flight"]


@simulated(seeds=range(2))
async def test_a_call_that_may_have_happened_is_not_taken_back_unasked() -> None:
    world = World()
    took_back = []

    async def cancel(what: str) -> None:
        took_back.append(what)

    @tool(risk="reversible", idempotent=True, undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        world.booked.append(what)
        if what == "hotel":
            await asyncio.sleep(3600)
        return what

    step = calls(call("book", "a", what="flight"), call("book", "b", what="hotel"))
    agent = scripted(step, "done", tools=[book])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "call.finished")
        await run.cancel(by="me")
        with pytest.raises(Cancelled):
            await run.result()
        await eventually(run, "call.finished", times=2)

        unwound = await run.unwind(by="mia")

        assert unwound.stopped.startswith(
            "1.2/undo: call 1.2 (book) was cut off: nobody knows whether there is anything to take back; "
        )
        assert took_back == []
        await run.settle("1.2/undo", "not", by="mia")
        await eventually(run, "unwind.ended")
    assert took_back == ["hotel", "flight"]


@simulated(seeds=range(2))
async def test_what_a_person_says_has_happened_is_taken_back_with_their_result() -> None:
    world = World()
    seen: list[object] = []

    def cancel(result: str) -> None:
        seen.append(result)

    @tool(risk="irreversible", timeout=0.05, undo=cancel)
    async def pay() -> str:
        """Pay."""
        await asyncio.sleep(3600)
        return "never"

    agent = scripted(calls(call("pay")), "done", tools=[pay], limits=Limits(steps=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.approve((await run.pending())[0], by="me")
        await until(run, "call.unknown")
        await run.settle("1.1", "happened", by="me", result="receipt 7")
        async for _ in run.events():
            pass

        assert (await run.unwind(by="mia")).over
    assert seen == ["receipt 7"]
    assert world.undone == []


@simulated(seeds=range(2))
async def test_garbage_that_has_run_is_taken_back_too() -> None:
    seen: list[str] = []

    def cancel(what: str) -> None:
        seen.append(what)

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        return 5  # type: ignore[return-value]  # the mistake under test

    agent = scripted(calls(call("book", what="car")), "done", tools=[book], limits=Limits(steps=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await ended(runtime, agent)

        assert (await run.unwind(by="mia")).done == ("1.1/undo",)
    assert seen == ["car"]


# Crashes.


def _commits(idempotent: bool) -> int:
    world, store = World(), Mortal()
    agent = booker(world, idempotent=idempotent)

    async def play(runtime: Runtime) -> int:
        run = await ended(runtime, agent)
        before = store.commits
        await run.unwind(by="mia")
        return store.commits - before

    total = live(store, agent, play)
    assert total is not None
    return total


@pytest.mark.parametrize(
    ("idempotent", "after"),
    [
        pytest.param(False, True, id="once, after it is written"),
        pytest.param(False, False, id="once, before it is written", marks=pytest.mark.slow),
        pytest.param(True, False, id="idempotent, before it is written"),
        pytest.param(True, True, id="idempotent, after it is written", marks=pytest.mark.slow),
    ],
)
def test_an_unwinding_survives_a_crash_at_every_commit(idempotent: bool, after: bool) -> None:
    for dies_in in range(1, _commits(idempotent) + 1):
        _crash_once(dies_in, idempotent, after)


def _crash_once(dies_in: int, idempotent: bool, after: bool) -> None:
    world, store = World(), Mortal()
    agent = booker(world, idempotent=idempotent)

    async def first_life(runtime: Runtime) -> None:
        run = await ended(runtime, agent)
        store.dies_at, store.after = store.commits + dies_in, after
        await run.unwind(by="mia")
        await asyncio.sleep(0.2)

    async def second_life(runtime: Runtime) -> Unwound:
        run = await runtime.start(agent, "Go.", key="k")

        async def settle() -> None:
            while True:
                for unknown in await run.unknown():
                    # The person looks into the world, as the ledger of cancellations has it.
                    happened = unknown.call in world.keys
                    await run.settle(unknown.call, "happened" if happened else "not", by="mia")
                await asyncio.sleep(0.005)

        settling = asyncio.ensure_future(settle())
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        unwound = await run.unwind(by="mia")
                    except AgentError:
                        await asyncio.sleep(0.005)
                        continue
                    if unwound.over:
                        return unwound
                    await asyncio.sleep(0.005)
        finally:
            settling.cancel()

    live(store, agent, first_life)
    store.revive()
    unwound = live(store, agent, second_life)

    assert unwound is not None
    assert unwound.done == ("3.1/undo", "2.2/undo", "1.1/undo")
    assert world.booked == ["flight", "hotel", "car"]
    assert list(dict.fromkeys(world.undone)) == ["car", "hotel", "flight"]
    if not idempotent:
        assert len(world.undone) == 3, "taken back twice"
    assert len(set(world.keys)) == 3


def test_an_unwinding_goes_on_by_itself_in_the_next_life() -> None:
    world, store = World(), Mortal()
    world.hangs = True
    agent = booker(world, idempotent=True)

    async def first_life(runtime: Runtime) -> None:
        run = await ended(runtime, agent)
        unwinding = asyncio.ensure_future(run.unwind(by="mia"))
        while not world.keys:
            await asyncio.sleep(0.001)
        unwinding.cancel()
        store.kill()
        await runtime.start(agent, "Go.", key="other")

    async def second_life(runtime: Runtime) -> None:
        await eventually(await runtime.start(agent, "Go.", key="k"), "unwind.ended")

    assert live(store, agent, first_life) is None
    store.revive()
    world.hangs = False
    live(store, agent, second_life)

    assert world.undone == ["car", "hotel", "flight"]


# What an undo may be.


def takes_more(what: str, why: str) -> None:
    """Take something else."""


def test_an_undo_that_takes_what_nobody_has_is_refused() -> None:
    with pytest.raises(ToolFault, match=r"^the undo 'undo-book' of tool 'book' takes 'why', .*: let it take what, res"):

        @tool(risk="reversible", undo=takes_more)
        def book(what: str) -> str:
            """Book."""
            return what


@pytest.mark.parametrize("undo", ["cancel", 5, World])
def test_an_undo_that_is_none_is_refused(undo: object) -> None:
    def book(what: str) -> str:
        """Book."""
        return what

    with pytest.raises(ToolFault, match=r"^undo=.* of tool 'book' is neither a tool nor a function: give one of them$"):
        tool(risk="reversible", undo=undo)(book)  # type: ignore[call-overload]  # the mistake under test


@simulated(seeds=range(1))
async def test_a_run_that_failed_can_be_unwound() -> None:
    world = World()
    agent = scripted(calls(call("book", what="car")), ValueError("no model"), tools=tools(world))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(Failed):
            await run.result(timeout=5)

        await run.unwind(by="mia")
    assert world.undone == ["car"]


@pytest.mark.slow
@pytest.mark.parametrize("line", ["begins", "ends"])
async def test_a_process_that_is_killed_while_it_takes_back_goes_on(line: str, tmp_path: Path) -> None:
    path, ledger = str(tmp_path / "runs.db"), tmp_path / "ledger"
    command = [sys.executable, "-m", "tests.agents.unwound", path, str(ledger)]
    for kill in (1, 2):
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(50):
            while not (ledger.exists() and ledger.read_text().count(line) >= kill):
                await asyncio.sleep(0.002)
        process.kill()
        await process.wait()

    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()

    lines = ledger.read_text().splitlines()
    assert [one for one in lines if one.startswith("books")] == [f"books {what}" for what in PARTS]
    ended = list(dict.fromkeys(one for one in lines if one.startswith("ends")))
    assert len(ended) == 3
    assert {one.split()[2] for one in ended} == {"1.1/undo", "1.2/undo", "1.3/undo"}
    assert out.count(b"undo") == 3


@simulated(seeds=range(1))
async def test_s37_only_people_take_back() -> None:
    world = World()
    agent = booker(world)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Book.")
        async for _ in run.events():
            pass
        gateway = actor_id(TOOL_GATEWAY, run.id)
        message = encode(UnwindRun(by="mia"))
        await runtime.store.append([Envelope(id="f", receiver=gateway, sender="an.actor/f", record=message, key="f")])

        await eventually(run, "unwind.refused")

        (refused,) = await data(run, "unwind.refused")
    assert (refused["reason"], world.undone) == ("an.actor/f is an actor, and only people take back", [])
