"""Recordings: what is replayed, what is in the file, and what counts as a drift."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import evolve

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed, ModelError
from choragus.agents.manifest import manifest
from choragus.agents.model import ModelReply, ModelRequest, StreamingModel, TextDelta, ToolCall
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.testing import Recording, ReplayDrift, forbid_real_calls, recorded
from choragus.agents.testing.recording.exchange import Exchange
from choragus.agents.testing.recording.file import read, write
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Retry

from .play import Mortal, kinds, live
from .rehearsal import GOAL, Real, Shop, clerk, find, rate, record, refund, replay, result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "refund.json"


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


def exchanges(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bytes_of(file))["exchanges"]
    return found


async def test_a_recorded_run_is_replayed_without_the_world(file: Path) -> None:
    shop = await record(file)
    model = Real()

    with forbid_real_calls():
        again = await replay(file, evolve(clerk(), model=model))

    assert again == 'Done: "refunded 3.5"'
    assert sorted(shop.done) == ["found 7", "rate XXX", "refunded 7"]
    assert model.calls == 0


async def test_a_replayed_run_is_the_recorded_one_line_by_line(file: Path) -> None:
    told: list[list[tuple[str, dict[str, object]]]] = []
    for mode in ("record", "replay"):
        with recorded(clerk(), file, mode=mode) as agent:
            async with Runtime(agents=[agent], resources=Shop()) as runtime:
                run = await runtime.start(agent, GOAL, key="k")
                async for event in run.events():
                    if event.kind == "approval.requested":
                        await run.approve((await run.pending())[0], by="mia")
                told.append([(one.kind, _timeless(one.data)) async for one in run.past()])

    assert told[0] == told[1]


def _timeless(data: dict[str, object]) -> dict[str, object]:
    times = ("started", "ended", "waited", "bound", "hash", "at")
    return {name: each for name, each in data.items() if name not in times}


async def test_a_recorded_agent_is_the_same_agent_to_a_run(file: Path) -> None:
    with recorded(clerk(), file, mode="record") as agent:
        identity = manifest(agent)

    assert identity == manifest(clerk())


async def test_the_same_run_gives_the_same_bytes(file: Path) -> None:
    await record(file)
    first = bytes_of(file)

    await record(file)

    assert bytes_of(file) == first


async def test_the_file_is_for_people(file: Path) -> None:
    await record(file)

    told = json.loads(bytes_of(file))

    assert (told["format"], told["version"]) == ("choragus.recording", 1)
    assert [one["kind"] for one in told["exchanges"]] == ["model", "tool", "tool", "model", "tool", "model"]
    first, look, failed, second, *_ = told["exchanges"]
    assert first["request"]["messages"] == [{"role": "user", "text": GOAL}]
    assert list(first["request"]) == ["instructions", "messages", "model", "tools"]
    assert look == {
        "kind": "tool",
        "arguments": {"order": 7},
        "call": "1.1",
        "tool": "find",
        "result": {"order": 7, "name": "Ada", "amounts": [1.5, 2], "at": "noon"},
    }
    assert failed["error"] == {"reason": "no such currency", "type": "LookupError"}
    assert second["request"]["goes_on_from"] == 1
    assert [one["role"] for one in second["request"]["messages"]] == ["assistant", "tool", "tool"]
    assert set(second["request"]) == {"goes_on_from", "messages"}


async def test_the_order_in_which_parallel_calls_end_is_nothing(file: Path) -> None:
    def slow(first: str) -> list[Tool]:
        async def wait(name: str) -> None:
            await asyncio.sleep(0.0 if name == first else 0.02)

        @tool(risk="read")
        async def one() -> int:
            """One."""
            await wait("one")
            return 1

        @tool(risk="read")
        async def two() -> int:
            """Two."""
            await wait("two")
            return 2

        return [one, two]

    def both(request: ModelRequest) -> ModelReply:
        if len(request.messages) > 1:
            return ModelReply(text="both")
        return ModelReply(calls=(ToolCall("a", "two", {}), ToolCall("b", "one", {})))

    agents = [clerk(both, tools=slow(first)) for first in ("one", "two")]
    await record(file, agents[0])
    written = bytes_of(file)

    await record(file, agents[1])

    assert bytes_of(file) == written
    assert await replay(file, agents[0]) == "both"


def other_schema() -> Tool:
    @tool(risk="read", name="find")
    async def seek(order: int, year: int = 0) -> dict[str, object]:
        """Find an order."""
        return {}

    return seek


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda agent: evolve(agent, prompt="Be long."),
            ["exchange 1 of 6): instructions differs", "-instructions: Be brief.", "+instructions: Be long."],
            id="prompt",
        ),
        pytest.param(
            lambda agent: evolve(agent, tools=[find, rate]),
            ["tools.refund differs", "-tools.refund.description: Refund an order."],
            id="tool-gone",
        ),
        pytest.param(
            lambda agent: evolve(agent, tools=[other_schema(), rate, refund]),
            ["tools.find differs", "+tools.find.parameters.properties.year.type: integer"],
            id="schema",
        ),
        pytest.param(
            lambda agent: evolve(agent, output=list[int]), ["output differs", "+output.schema.type: array"], id="output"
        ),
        pytest.param(
            lambda agent: evolve(agent, model=Real(name="other")), ["model differs", "+model: other"], id="model"
        ),
    ],
)
async def test_a_drift_of_what_a_model_is_sent_is_shown(
    file: Path, change: Callable[[Agent], Agent], says: list[str]
) -> None:
    await record(file)

    with pytest.raises(ReplayDrift) as drift:
        await replay(file, change(clerk()))

    for line in [*says, "or record anew with CHORAGUS_RECORD=1"]:
        assert line in str(drift.value)
    assert isinstance(drift.value, AssertionError)


async def test_another_goal_is_a_drift_of_the_first_message(file: Path) -> None:
    await record(file)

    with pytest.raises(ReplayDrift, match=r"messages\[0\]\.text differs\n") as drift:
        await replay(file, goal="Refund order 8.")

    assert "-messages[0].text: Refund order 7.\n+messages[0].text: Refund order 8." in str(drift.value)


async def test_a_drift_ends_the_run_as_failed_with_its_text(file: Path) -> None:
    await record(file)

    async def play() -> None:
        failed = pytest.raises(Failed, match=r"(?s)the model failed once: .*\+instructions: Be long\..*_RECORD=1")
        with recorded(evolve(clerk(), prompt="Be long."), file, mode="replay") as agent, failed:
            await result(agent, None)

    with pytest.raises(ReplayDrift):
        await play()


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


async def test_other_arguments_of_a_tool_are_a_drift(file: Path) -> None:
    await record(file)
    edited(file, '"amount": 3.5,\n        "order": 7', '"amount": 3.5,\n        "order": 8')  # in the tool's exchange

    with pytest.raises(ReplayDrift, match=r"tool call 2\.1 refund\(.*order=7\) is not what .*arguments.order"):
        await replay(file)


async def test_a_tool_that_was_not_called_then_is_a_drift(file: Path) -> None:
    await record(file)
    edited(file, '"tool": "rate"', '"tool": "rates"')

    with pytest.raises(ReplayDrift, match=r"tool call 1\.2 rate\(currency='XXX'\) is not what .*: tool differs"):
        await replay(file)


async def test_a_call_in_another_step_is_a_drift(file: Path) -> None:
    await record(file)
    edited(file, '"call": "2.1"', '"call": "3.1"')

    with pytest.raises(ReplayDrift, match=r"tool call 2\.1 refund.*: call differs"):
        await replay(file)


async def test_more_than_was_recorded_is_a_drift(file: Path) -> None:
    def briefly(request: ModelRequest) -> ModelReply:
        return ModelReply(text="No.")

    await record(file, clerk(briefly))
    with Recording(file, mode="replay") as recording:
        agent = recording.agent(clerk(briefly))
        assert await result(agent, None) == "No."
        with pytest.raises(Failed, match=r"model call with 1 message was made, and .* has no more model calls"):
            await result(agent, None, "Something else.")
        recording._tape.drift = None  # type: ignore[union-attr]  # it was looked at here


async def test_what_was_recorded_and_is_not_asked_for_is_a_drift(file: Path) -> None:
    await record(file)

    async def play() -> None:
        with recorded(clerk(), file, mode="replay") as agent:
            async with Runtime(agents=[agent]) as runtime:
                run = await runtime.start(agent, GOAL)
                async for event in run.events():
                    if event.kind == "approval.requested":
                        await run.cancel()

    left = r"  tool call 2\.1 refund\(amount=3\.5, order=7\)\n  model call with 6 messages\n"
    with pytest.raises(ReplayDrift, match=rf"^2 of 6 calls in .* were not made:\n{left}undo the change"):
        await play()


async def test_a_replay_of_nothing_is_incomplete(file: Path) -> None:
    await record(file)

    with (
        pytest.raises(ReplayDrift, match=r"^6 of 6 calls in .* were not made:\n(  .*\n){5}  and 1 more\n"),
        recorded(clerk(), file),
    ):
        pass


async def test_an_error_of_the_test_itself_comes_through_with_the_drift_as_a_note(file: Path) -> None:
    await record(file)

    async def play() -> None:
        with recorded(evolve(clerk(), prompt="Be long."), file, mode="replay") as agent:
            with pytest.raises(Failed):
                await result(agent, None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await play()

    assert "+instructions: Be long." in caught.value.__notes__[0]


async def test_without_a_recording_the_remedy_is_named(file: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=r"^there is no recording '.*': make it with CHORAGUS_RECORD=1"),
        recorded(clerk(), file),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"format": "vcr", "version": 1}', "its format is 'vcr', version 1; 'choragus.recording', version 1 is known"),
        ('{"format": "choragus.recording", "version": 2, "exchanges": []}', "version 2; 'choragus.recording'"),
        ('{"format": "choragus.recording", "version": 1, "exchanges": [{"kind": "tool"}]}', "exchange 1 has no answer"),
        (
            '{"format": "choragus.recording", "version": 1, "exchanges": [{"kind": "model", "reply": {}, '
            '"request": {"goes_on_from": 7, "messages": []}}]}',
            "IndexError",
        ),
    ],
)
def test_a_file_that_is_no_recording_is_refused(file: Path, text: str, says: str) -> None:
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")

    with (
        pytest.raises(ValueError, match=rf"^'.*' is no recording that can be read .*{re.escape(says)}.*_RECORD=1"),
        recorded(clerk(), file),
    ):
        pass


def test_another_mode_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"^mode='once' of recording '.*' is none of replay, record, auto$"):
        Recording(file, mode="once")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("mode", "environment", "is_there", "is_replayed"),
    [
        (None, "", False, True),
        (None, "0", True, True),
        (None, "1", True, False),
        ("auto", "", False, False),
        ("auto", "", True, True),
        ("auto", "1", True, False),
        ("replay", "1", True, True),
        ("record", "", True, False),
    ],
)
def test_the_environment_turns_what_may_be_either_into_a_recording(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: Literal["auto", "replay", "record"] | None,
    environment: str,
    is_there: bool,
    is_replayed: bool,
) -> None:
    monkeypatch.setenv("CHORAGUS_RECORD", environment)
    if is_there:
        file.parent.mkdir()
        file.touch()

    assert Recording(file, mode=mode).is_replayed is is_replayed


async def test_what_was_paid_for_is_kept_when_the_test_fails(file: Path) -> None:
    async def play() -> None:
        with recorded(clerk(), file, mode="record") as agent:
            await result(agent, Shop())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await play()

    assert await replay(file) == 'Done: "refunded 3.5"'


async def test_a_model_that_failed_fails_again_and_is_tried_again(file: Path) -> None:
    hasty = ModelOptions(retries=Retry(times=3, first=0.001, most=0.01))
    tries: list[int] = []

    def busy(request: ModelRequest) -> ModelReply:
        tries.append(1)
        if len(tries) == 1:
            raise ModelError("busy", retryable=True, kind="overloaded", retry_after=0.001)
        return ModelReply(text="Done.")

    await record(file, attrs.evolve(clerk(busy), model_options=hasty))

    assert await replay(file, attrs.evolve(clerk(busy), model_options=hasty)) == "Done."
    told = exchanges(file)
    assert [one.get("error") for one in told] == [
        {"kind": "overloaded", "reason": "busy", "retry_after": 0.001, "retryable": True},
        None,
    ]
    assert len(tries) == 2


class Streaming(Real):
    """A model that streams."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelReply]:
        """See `StreamingModel.stream`."""
        self.calls += 1
        for piece in ("It ", "rains."):
            yield TextDelta(piece)
        yield ModelReply(text="It rains.")


async def test_a_model_that_streams_is_replayed_in_one_piece(file: Path) -> None:
    request = ModelRequest("function", "", (), ())
    told: list[list[TextDelta | ModelReply]] = []
    model = Streaming()
    for mode in ("record", "replay"):
        with recorded(Agent("a", model=model), file, mode=mode) as agent:
            assert isinstance(agent.model, StreamingModel)
            told.append([piece async for piece in agent.model.stream(request)])

    assert told[0] == [TextDelta("It "), TextDelta("rains."), ModelReply("It rains.")]
    assert told[1] == [TextDelta("It rains."), ModelReply("It rains.")]
    assert model.calls == 1
    with recorded(clerk(), file, mode="record") as agent:
        assert not isinstance(agent.model, StreamingModel)


def once(made: Tool) -> Callable[[ModelRequest], ModelReply]:
    """Calls it once and tells what it read."""

    def says(request: ModelRequest) -> ModelReply:
        if len(request.messages) > 1:
            return ModelReply(text=request.messages[-1].text)
        return ModelReply(calls=(ToolCall("a", made.name, {}),))

    return says


def failing(kind: str) -> Tool:
    @tool(risk="read", timeout=0.05)
    async def act() -> object:
        """Act."""
        if kind == "slow":
            await asyncio.sleep(60)
        if kind == "unwritable":
            return object()
        raise KeyError("it")

    return act


@pytest.mark.parametrize("kind", ["slow", "unwritable", "error"])
async def test_a_tool_that_failed_fails_again_with_the_same_words(file: Path, kind: str) -> None:
    made = failing(kind)
    agent = clerk(once(made), tools=[made])
    with recorded(agent, file, mode="record") as taped:
        first = await result(taped, Shop())

    assert await replay(file, agent) == first
    assert "act" in first


def text_tool(text: str) -> Tool:
    @tool(risk="read")
    def read() -> object:
        """Read."""
        return json.loads(text)

    return read


@pytest.mark.parametrize(
    "text", ['{"b":1,"a":[{"z":1,"y":2}]}', "1e300", '"ü\\u2028 \\ud83d\\ude00"', "[]", "null", "123456789012345678901"]
)
async def test_what_a_tool_gave_back_comes_back_to_the_letter(file: Path, text: str) -> None:
    made = text_tool(text)
    agent = clerk(once(made), tools=[made])
    with recorded(agent, file, mode="record") as taped:
        first = await result(taped, Shop())

    assert await replay(file, agent) == first


async def test_a_tool_with_helpers_is_replayed_with_them(file: Path) -> None:
    called: list[str] = []

    @tool(risk="read")
    def archive() -> str:
        """Look into the archive."""
        called.append("archive")
        return "old"

    @tool(risk="read", fallback=archive)
    def look() -> str:
        """Look."""
        called.append("look")
        raise ConnectionError("no line")

    agent = clerk(once(look), tools=[look])
    with recorded(agent, file, mode="record") as taped:
        first = await result(taped, Shop())

    assert await replay(file, agent) == first
    assert called == ["look", "archive"]


def test_a_replay_goes_on_over_a_crash(file: Path) -> None:
    """At every other commit: the process dies, and the run goes on with the same recording."""
    asyncio.run(record(file))
    for dies_at in range(1, 80, 2):
        store = Mortal()
        store.dies_at = dies_at
        with recorded(clerk(), file, mode="replay") as agent:
            first = live(store, agent, _play)
            store.revive()
            second = first if first is not None else live(store, agent, _play)

        assert second == 'Done: "refunded 3.5"'
        if first is not None:
            return
    raise AssertionError("it never came to its end")


async def _play(runtime: Runtime) -> str | None:
    agent = runtime._agents["clerk"]
    run = await runtime.start(agent, GOAL, key="k")
    while not (await run.status()).status.is_final:
        for approval in await run.pending():
            await run.approve(approval, by="mia")
        for unknown in await run.unknown():
            await run.settle(unknown, "not", by="mia")
        await asyncio.sleep(0)
    return str(await run.result())


async def test_the_rest_of_a_run_is_replayed_by_another_process(file: Path, tmp_path: Path) -> None:
    await record(file)
    path = tmp_path / "runs.db"

    async def first() -> None:
        with recorded(clerk(), file) as agent:
            async with Runtime(path, agents=[agent]) as runtime:
                run = await runtime.start(agent, GOAL)
                async for event in run.events():
                    if event.kind == "approval.requested":
                        break
                ids.append(run.id)

    ids: list[str] = []
    with pytest.raises(ReplayDrift, match=r"^2 of 6 calls"):
        await first()

    with recorded(clerk(), file) as agent:
        async with Runtime(path, agents=[agent]) as runtime:
            run = await runtime.run(ids[0])
            (approval,) = await run.pending()
            await run.approve(approval, by="mia")

            assert await run.result() == 'Done: "refunded 3.5"'
            assert "call.unknown" not in await kinds(run)


async def test_two_runs_at_once_share_a_recording(file: Path) -> None:
    for mode in ("record", "replay"):
        with Recording(file, mode=mode) as recording:
            first, second = recording.agent(clerk()), recording.agent(evolve(clerk(), name="other", prompt="Be long."))
            told = await asyncio.gather(result(first, Shop()), result(second, Shop()))

            assert list(told) == ['Done: "refunded 3.5"'] * 2


async def test_a_call_that_was_made_again_while_recording_need_not_be_made_again(file: Path) -> None:
    """As when the process died in between: the same was asked twice, and the same was said."""
    agent = Agent("a", model=FunctionModel(lambda _: "Yes."))
    with Recording(file, mode="record") as recording:
        for _ in range(2):
            assert await result(recording.agent(agent), None) == "Yes."

    assert await replay(file, agent) == "Yes."


def test_tool_calls_between_two_model_calls_are_written_in_the_order_of_their_numbers(file: Path) -> None:
    def of(call: str) -> Exchange:
        return Exchange(kind="tool", asked={"call": call, "tool": "t", "arguments": {}}, answer={"result": 1})

    model = Exchange(kind="model", asked={"messages": []}, answer={"reply": {}})

    write(file, [of("1.10"), of("1.9"), of("1.1"), model, of("2.2"), of("2.1/undo"), of("2.1")])

    assert [one.asked.get("call") for one in read(file)] == ["1.1", "1.9", "1.10", None, "2.1", "2.1/undo", "2.2"]


def test_a_recording_that_is_not_open_says_so(file: Path) -> None:
    with pytest.raises(RuntimeError, match=r"is not open: write `with Recording\(\.\.\.\) as recording:`$"):
        Recording(file).agent(clerk())


KEY = "sk-proj-" + "Ab1" * 12


@tool(risk="read", secrets=("bank",))
async def login(password: str, *, context: ToolContext[object]) -> dict[str, str]:
    """Log in."""
    return {"said": f"{context.secret('bank')} {KEY}", "password": password, "where": str(Path.cwd() / "x.txt")}


def logs_in(request: ModelRequest) -> ModelReply:
    if len(request.messages) > 1:
        return ModelReply(text="In.")
    return ModelReply(calls=(ToolCall("a", "login", {"password": "hunter2-hunter2"}),))


async def test_s41_a_recording_holds_no_secrets_and_no_paths_of_the_machine(file: Path, tmp_path: Path) -> None:
    agent = clerk(logs_in, tools=[login])
    goal = f"Use {KEY} in {tmp_path}/x and {Path.home()}/y."
    with recorded(agent, file, mode="record", replace={str(tmp_path): "[tmp]"}) as taped:
        await result(taped, Shop(), goal, secrets={"bank": "swordfish-7"})

    written = bytes_of(file).decode()

    for gone in (KEY, "swordfish", "hunter2", str(tmp_path), str(Path.cwd())):
        assert gone not in written
    with recorded(agent, file, mode="replay", replace={str(tmp_path): "[tmp]"}) as taped:
        assert await result(taped, None, goal) == "In."
