"""What readers of a run get of its answers while these are written, and when they come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from tests.agents.play import Ledger as Calls
from tests.agents.play import Mortal, Rule, call, data, live, soon, tools, until

from choragus.actors.errors import SystemStopped
from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulate, simulated
from choragus.agents.errors import LimitReached, ModelError
from choragus.agents.inspection import RunEvent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, Usage
from choragus.agents.model_gateway.cursor import Place, TextChunk, TextRestarted
from choragus.agents.model_gateway.listening import Listener
from choragus.agents.model_gateway.podium import Podium
from choragus.agents.model_gateway.veil import Veil
from choragus.agents.policy import Stage
from choragus.agents.policy.redaction import RedactionPolicy
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.state import Status
from choragus.agents.streamed import StreamingFunctionModel
from choragus.agents.toolbelt.secret import Vault

from .speaking import Heard, Named, Speaker, Step, clerk, heard, texts

RAIN = ("It ", 1.0, "rains ", 1.0, "to", 1.0, "day.")


def chunks(found: list[Heard]) -> list[TextChunk]:
    """The pieces alone."""
    return [one for one in found if isinstance(one, TextChunk)]


def says(text: str) -> Callable[[Heard], bool]:
    """Whether a piece ends with that."""
    return lambda one: isinstance(one, TextChunk) and one.text.endswith(text)


@simulated(seeds=range(3))
async def test_an_answer_comes_in_pieces_between_the_lines_of_the_logbook() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        began, at = clock(), []
        found: list[Heard] = []
        async for one in run.events(chunks=True):
            found.append(one)
            if isinstance(one, TextChunk):
                at.append(round(clock() - began))

    assert texts(found) == ["It ", "rains ", "to", "day.", "."]
    assert [(one.step, one.attempt, one.index) for one in chunks(found)] == [
        (1, 1, 0),
        (1, 1, 3),
        (1, 1, 9),
        (1, 1, 11),
    ]
    assert at == [0, 1, 2, 3]
    lines = [one.position for one in found if isinstance(one, RunEvent)]
    assert lines == list(range(1, len(lines) + 1))


@simulated(seeds=range(1))
async def test_who_does_not_ask_for_pieces_gets_none() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert {type(one) for one in [one async for one in run.events()]} == {RunEvent}


@pytest.mark.parametrize("model", [ScriptedModel(["It rains."]), Speaker(["It rains."])], ids=["plain", "streamed"])
@simulated(seeds=range(1))
async def test_an_answer_that_nobody_heard_comes_as_one_piece(model: FunctionModel) -> None:
    agent = clerk(model)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()

        assert texts(await heard(run)) == ["It rains.", "."]


@simulated(seeds=range(2))
async def test_each_step_begins_anew() -> None:
    asks = ModelReply(calls=(call("look", at="door"),))
    agent = clerk(Speaker(["I ", 1.0, "look.", asks], ["All ", 1.0, "is well."]), tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        found = await heard(run)

    assert texts(found) == ["I ", "look.", ".", "All ", "is well.", "."]
    assert [(one.step, one.index) for one in chunks(found)] == [(1, 0), (1, 2), (2, 0), (2, 4)]


@simulated(seeds=range(3))
async def test_who_comes_back_hears_the_rest() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        first = await heard(run, until=says("rains "))
        await asyncio.sleep(1.5)

        second = await heard(run, chunks(first)[-1].cursor)
        again = await heard(run, chunks(first)[0].cursor)

    assert texts(first) == ["It ", "rains "]
    assert texts(second) == ["to", "day.", "."]
    assert chunks(second)[0].index == 9
    assert "".join(texts(again)) == "rains today.."


@simulated(seeds=range(2))
async def test_a_line_in_mid_stream_is_a_place_in_it_too() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        line: RunEvent | None = None
        async for one in run.events(chunks=True):
            if isinstance(one, TextChunk) and one.text == "rains ":
                await run.pause(by="me")
            if isinstance(one, RunEvent) and one.kind == "run.paused":
                line = one
                break
        await run.resume(by="me")

        assert line is not None
        assert texts(await heard(run, line.cursor)) == ["to", "day.", "."]
        assert (Place.at(line.cursor).position, Place.at(line.cursor).read) == (line.position, 9)


@simulated(seeds=range(1))
async def test_who_comes_back_late_hears_the_rest_from_the_logbook() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        first = await heard(run, until=says("rains "))
        await run.result()
        (line,) = await data(run, "model.replied")

        second = await heard(run, chunks(first)[-1].cursor)
        third = await heard(run, chunks(second)[-1].cursor)

    assert texts(second) == ["today.", "."]
    assert texts(third) == ["."]
    assert line["text"] == "It rains today."


@simulated(seeds=range(2))
async def test_several_readers_each_hear_all_of_it_and_a_slow_one_holds_up_nobody() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        async def slow() -> list[Heard]:
            found = []
            async for one in run.events(chunks=True):
                found.append(one)
                await asyncio.sleep(100)
            return found

        began = clock()
        dawdling = asyncio.ensure_future(slow())
        quick = await asyncio.gather(heard(run), heard(run))
        took = clock() - began

    assert [texts(one) for one in quick] == [["It ", "rains ", "to", "day.", "."]] * 2
    assert took < 4
    dawdling.cancel()


@simulated(seeds=range(2))
async def test_a_slow_reader_hears_all_of_it_too() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        found: list[Heard] = []
        async for one in run.events(chunks=True):
            found.append(one)
            await asyncio.sleep(1.7)

    assert "".join(one.text for one in chunks(found)) == "It rains today."
    assert [one.index for one in chunks(found)] == [
        sum(len(b.text) for b in chunks(found)[:n]) for n in range(len(chunks(found)))
    ]


@simulated(seeds=range(3))
async def test_a_slow_reader_hears_each_step_in_its_order() -> None:
    asks = [ModelReply(calls=(call("look", str(n), at="door"),)) for n in range(3)]
    plays: list[list[Step]] = [[f"{n} ", 0.3, "looks", asks[n]] for n in range(3)]
    agent = clerk(Speaker(*plays, ["All ", 0.3, "done"]), tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        steps: list[tuple[int, str]] = []
        async for one in run.events(chunks=True):
            if isinstance(one, TextChunk):
                steps.append((one.step, one.text))
            elif isinstance(one, RunEvent) and one.kind == "model.replied":
                steps.append((int(str(one.data["step"])), "."))
            await asyncio.sleep(0.11)

    assert [step for step, _ in steps] == sorted(step for step, _ in steps)
    assert "".join(text for _, text in steps) == "0 looks.1 looks.2 looks.All done."


async def test_what_the_logbook_has_is_not_heard_again_from_who_still_speaks() -> None:
    """The line is read in the moment in which it was committed, and the text is still there."""
    podium = Podium()
    pen = podium.open("r", 1, 1, Veil(Vault()).stream())
    listener = Listener("r", podium, lambda text: text, Place.at(0))
    pen.write("It ")

    async def logbook() -> AsyncIterator[RunEvent]:
        pen.write("rains.")
        line: dict[str, object] = {"step": 1, "attempt": 1, "text": "It rains."}
        yield RunEvent(position=1, kind="model.replied", at=0.0, data=line)

    found = [one async for one in listener.past(logbook())]

    assert texts(found) == ["It rains.", "."]
    assert list(listener.heard(podium.writing("r"))) == []


# Attempts that say the same, and others that do not.


@simulated(seeds=range(2))
async def test_an_attempt_that_says_the_same_again_is_shown_from_where_the_other_ended() -> None:
    cut = ModelError("cut", retryable=True, kind="incomplete")
    agent = clerk(Speaker(["It ", "rains ", 1.0, cut], RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        found = await heard(run)

    assert texts(found) == ["It rains ", "to", "day.", "."]
    assert [(one.attempt, one.index) for one in chunks(found)] == [(1, 0), (2, 9), (2, 11)]


@pytest.mark.parametrize("other", [["No, it ", 1.0, "snows, ", 1.0, "and more."], ["Snow."]], ids=["longer", "shorter"])
@simulated(seeds=range(2))
async def test_an_attempt_that_says_something_else_begins_anew(other: list[str]) -> None:
    cut = ModelError("cut", retryable=True, kind="incomplete")
    agent = clerk(Speaker(["It ", 1.0, "rains ", 1.0, cut], other))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        found = await heard(run)

    (restarted,) = [one for one in found if isinstance(one, TextRestarted)]
    behind = chunks(found[found.index(restarted) :])
    assert (restarted.step, restarted.attempt, behind[0].index) == (1, 2, 0)
    assert "".join(one.text for one in behind) == "".join(one for one in other if isinstance(one, str))


@simulated(seeds=range(1))
async def test_what_a_fallback_says_takes_the_place_of_what_was_said_before() -> None:
    agent = clerk(Speaker(["It ", 1.0, ModelError("no")]), Named("b", "Snow."))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert texts(await heard(run)) == ["It ", "|", "Snow.", "."]


# Behind a crash.


def crashed(first: Speaker, second: FunctionModel) -> tuple[list[Heard], list[Heard]]:
    """What a reader hears of a run whose process dies behind `rains `, before and, by its cursor, afterwards."""
    store = Mortal()

    lost: list[list[Heard]] = []

    async def first_life(runtime: Runtime) -> None:
        (agent,) = runtime._services.agents.values()
        run = await runtime.start(agent, "Go.", key="k")
        lost.append(await heard(run, until=says("rains ")))
        store.kill()
        await run.cancel()

    assert live(store, clerk(first), first_life) is None
    store.revive()

    async def second_life(runtime: Runtime) -> list[Heard]:
        (agent,) = runtime._services.agents.values()
        run = await runtime.start(agent, "Go.", key="k")
        return await heard(run, chunks(lost[0])[-1].cursor)

    found = live(store, clerk(second), second_life)
    assert found is not None
    return lost[0], found


def test_what_was_streamed_before_a_crash_is_not_shown_twice() -> None:
    before, after = crashed(Speaker(["It ", 0.01, "rains ", 60.0]), Speaker(["It rai", 0.01, "ns to", 0.01, "day."]))

    assert "".join(texts(before)) == "It rains "
    assert texts(after) == ["to", "day.", "."]
    assert chunks(after)[0].index == 9


def test_an_answer_that_is_another_behind_a_crash_begins_anew() -> None:
    before, after = crashed(Speaker(["It ", 0.01, "rains ", 60.0]), Speaker(["It snows, ", 0.01, "today."]))

    assert "".join(texts(before)) == "It rains "
    assert texts(after) == ["|", "It snows, ", "today.", "."]


def test_behind_a_crash_the_rest_comes_also_without_a_stream() -> None:
    _, after = crashed(Speaker(["It ", 0.01, "rains ", 60.0]), Speaker(["It rains today."]))

    assert texts(after) == ["today.", "."]


# What is not shown.

KEY = "sk-live-4f9a1c7e2b"


@pytest.mark.parametrize("at", range(1, len(KEY)))
def test_s42_a_secret_of_the_runtime_in_two_chunks_reaches_no_reader(at: int) -> None:
    async def main() -> list[Heard]:
        model = Speaker(["the key is ", KEY[:at], 1.0, KEY[at:], 1.0, ", keep it"])
        agent = clerk(model)
        async with Runtime(agents=[agent], clock=clock, secrets={"bank": KEY}) as runtime:
            runtime._toolbelt.vault.value("bank")
            run = await runtime.start(agent, "Go.")
            return await heard(run)

    found = simulate(main)

    said = "".join(one.text for one in chunks(found))
    assert said == "the key is [secret bank], keep it"
    assert not any(KEY[:at] in one.text for one in chunks(found) if at > 4)


@simulated(seeds=range(1))
async def test_s42_what_a_policy_redacts_is_redacted_in_chunks_too() -> None:
    model = Speaker(["Pay with 4111 11", 1.0, "11 1111 1", 1.0, "111, or ask ada@", 1.0, "example.org now."])
    agent = clerk(model, policies=[RedactionPolicy()])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        found = await heard(run)
        assert await run.result() == "Pay with [redacted:card], or ask [redacted:email] now."

    assert "".join(one.text for one in chunks(found)) == "Pay with [redacted:card], or ask [redacted:email] now."
    assert len(chunks(found)) > 1


@pytest.mark.parametrize("stage", [Stage.REPLY, Stage.OUTPUT])
@simulated(seeds=range(1))
async def test_what_another_policy_has_to_judge_is_not_shown_before(stage: Stage) -> None:
    agent = clerk(Speaker(RAIN), policies=[Rule(stage, lambda _: None), RedactionPolicy()])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        assert texts(await heard(run)) == ["."]
        assert await run.result() == "It rains today."


@simulated(seeds=range(1))
async def test_a_policy_that_looks_at_calls_hides_nothing() -> None:
    agent = clerk(Speaker(RAIN), policies=[Rule(Stage.CALL, lambda _: None)])
    async with Runtime(agents=[agent], clock=clock) as runtime:
        assert len(chunks(await heard(await runtime.start(agent, "Go.")))) == 4


# What is kept.


@simulated(seeds=range(1))
async def test_nothing_is_kept_of_a_step_that_is_committed_nor_written_while_it_is_not() -> None:
    agent, store = clerk(Speaker(RAIN)), Mortal()
    async with Runtime(store=store, agents=[agent], clock=clock) as runtime:
        podium = runtime._services.models.podium
        run = await runtime.start(agent, "Go.")
        await heard(run, until=says("It "))
        before = store.commits
        await heard(run, until=says("to"))
        after = store.commits
        during = podium.writing(run.id)
        await run.result()

        assert during is not None
        assert before == after
        assert podium.writing(run.id) is None
        assert not podium._listeners


@simulated(seeds=range(1))
async def test_nothing_is_kept_while_the_calls_of_a_step_run() -> None:
    asks = ModelReply(calls=(call("pay", amount=1),))
    agent = clerk(Speaker(["I ", 1.0, "pay.", asks], ["Done."]), tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        await until(run, "approval.requested")

        assert runtime._services.models.podium.writing(run.id) is None


@simulated(seeds=range(1))
async def test_nothing_is_kept_of_a_run_that_was_cancelled_while_it_spoke() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await heard(run, until=says("It "))

        await run.cancel()
        await asyncio.sleep(10)

        assert runtime._services.models.podium._writings == {}


@simulated(seeds=range(1))
async def test_what_a_model_says_that_did_not_listen_to_its_cancellation_is_not_heard() -> None:
    async def stubborn(request: ModelRequest) -> AsyncIterator[str]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            yield "late"

    agent = clerk(StreamingFunctionModel(stubborn))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await asyncio.sleep(1)

        await run.cancel()
        await asyncio.sleep(10)

        assert runtime._services.models.podium._writings == {}


# Places.


@pytest.mark.parametrize("after", [-1, "x", "1/2", "1/1.1/3/xyz", "7/1.1/3/24fd7184202d882", True, None])
@simulated(seeds=range(1))
async def test_a_place_that_is_none_is_refused(after: object) -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(ValueError, match="is no place: give a position from 0 on, or the cursor of a chunk"):
            await heard(run, after)  # type: ignore[arg-type]  # wrong on purpose


def test_a_cursor_is_the_same_place_in_another_process() -> None:
    place = Place(7)
    place.begin(3, 1)
    place.take("It ")
    cursor = place.take("räins").cursor

    there = Place.at(cursor)

    assert (there.position, there.step, there.attempt, there.read) == (7, 3, 1, 8)
    assert there.goes_on("It räins today")
    assert not Place.at(cursor).goes_on("It räin")
    assert not Place.at(cursor).goes_on("It snows today")
    assert Place.at(there.cursor).cursor == cursor


@simulated(seeds=range(1))
async def test_a_position_is_a_cursor_too() -> None:
    agent = clerk(Speaker(RAIN))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()
        (last,) = [one.position async for one in run.past() if one.kind == "model.replied"]

        assert texts(await heard(run, last)) == []
        assert texts(await heard(run, str(last - 1))) == ["It rains today.", "."]


@simulated(seeds=range(1))
async def test_a_reader_is_told_when_the_runtime_closes() -> None:
    agent = clerk(Speaker(["It ", 500.0, "rains."]))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        reading = asyncio.ensure_future(heard(run))
        await asyncio.sleep(1)

    with pytest.raises(SystemStopped):
        await reading


# Limits, and who wants to know.


@simulated(seeds=range(1))
async def test_s34_a_limit_that_is_reached_in_mid_stream_cancels_it_and_the_run_says_so() -> None:
    """The stream is cancelled, what it may have cost is recorded, and a fork goes on with more time."""
    model = Speaker(["It ", 50.0, "rains."], ["It rains."])
    agent = clerk(model, limits=Limits(wall_seconds=20))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(LimitReached, match="wall_seconds is limited to 20"):
            await run.result(100)
        await soon(lambda: data(run, "budget.presumed"))

        summary = await run.status()
        (presumed,) = await data(run, "budget.presumed")
        again = await runtime.fork(run.id, limits=Limits(wall_seconds=90))

        assert (summary.status, model.closed) == (Status.LIMIT, 1)
        assert presumed["output_tokens"] == 4096
        assert await again.result(100) == "It rains."


@simulated(seeds=range(1))
async def test_s34_a_stream_that_uses_more_than_was_set_aside_is_the_last_one() -> None:
    """Its cost is recorded in full; the overshoot is that one call."""
    asks = ModelReply(calls=(call("look", at="door"),), usage=Usage(input_tokens=10, output_tokens=4000))
    model = Speaker(["I look ", asks])
    agent = clerk(model, limits=Limits(tokens=5000), tools=tools(Calls()))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(LimitReached, match="tokens is limited to 5000"):
            await run.result(100)

        assert (await run.status()).tokens == 4010
    assert len(model.began) == 1


async def test_status_pause_and_cancel_are_answered_at_once_while_a_model_does_not_listen() -> None:
    """In real time: a call that resists its cancellation for a second."""
    resisting = asyncio.Event()

    async def model(request: ModelRequest) -> AsyncIterator[str]:
        yield "It "
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            resisting.set()
            await asyncio.sleep(1)

    agent = clerk(StreamingFunctionModel(model))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await heard(run, until=says("It "))
        took: list[float] = []
        for asked in (run.status, run.pause, run.status, run.resume, run.cancel, run.status):
            began = time.perf_counter()
            await asked()
            took.append(time.perf_counter() - began)
        await resisting.wait()

        assert (await run.status()).status is Status.CANCELLED
    print([f"{one * 1000:.1f} ms" for one in took])
    assert max(took) < 1
