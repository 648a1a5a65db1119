"""A result that is too long for the model: it is told so, and all of it is kept."""

from __future__ import annotations

import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.runtime import Runtime
from choragus.agents.stream import results_stream
from choragus.agents.tool import Tool, tool

from .play import call, calls, data, once, scripted


def long(length: int, **options: object) -> Tool:
    """A tool with a result of so many characters of two bytes each."""

    def read() -> str:
        """Read."""
        return "é" * length

    made: Tool = tool(risk="read", **options)(read)  # type: ignore[call-overload]  # as the test gives them
    return made


@pytest.mark.parametrize(
    ("length", "options", "is_cut"),
    [
        pytest.param(31_999, {}, False, id="as long as it may be"),
        pytest.param(32_000, {}, True, id="one more"),
        pytest.param(4, {"max_result": 10}, False, id="short"),
        pytest.param(5, {"max_result": 10}, True, id="in the middle of a character"),
    ],
)
@simulated(seeds=range(1))
async def test_a_result_is_cut_where_the_tool_says(length: int, options: dict[str, object], is_cut: bool) -> None:
    agent = once(long(length, **options))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        text = agent.model.requests[-1].messages[-1].text  # type: ignore[attr-defined]  # a ScriptedModel
        whole = '"' + "é" * length + '"'
        assert await run.result_of("1.1") == whole
        kept = await runtime.store.read(results_stream(run.id), 0, 10)
        assert [entry.kind for entry in kept] == (["call.result"] if is_cut else [])
    most = options.get("max_result", 64_000)
    shown, _, note = text.partition("\n")
    assert text == whole if not is_cut else whole.startswith(shown)
    said = f"[cut: the result has {len(whole.encode()):,} bytes, and {most:,} are shown; all of it is kept]"
    assert note == (said if is_cut else "")


@simulated(seeds=range(1))
async def test_each_result_is_found_by_its_call() -> None:
    @tool(risk="read", max_result=5_000)
    def echo(text: str, times: int) -> str:
        """Repeat."""
        return text * times

    step = calls(call("echo", "a", text="a", times=3), call("echo", "b", text="b", times=3_000))
    then = calls(call("echo", "c", text="c", times=4_000), call("echo", "d", text="d", times=9_000))
    agent = scripted(step, then, "done", tools=[echo])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        found = [await run.result_of(one) for one in ("1.1", "1.2", "2.1", "2.2")]
        assert [(one[1], len(one) - 2) for one in found] == [("a", 3), ("b", 3_000), ("c", 4_000), ("d", 9_000)]
        with pytest.raises(LookupError, match=r"^run \w+ has no result of call '3.1': see `choragus show`$"):
            await run.result_of("3.1")
        assert all(len(str(line["text"])) <= 2_000 for line in await data(run, "call.finished"))


async def test_what_was_kept_is_pruned_with_its_run() -> None:
    agent = once(long(50_000))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)
        assert (await runtime.store.extent(results_stream(run.id))).last == 1

        sweep = await runtime.prune(older_than=0.0)

        assert sweep.runs == (run.id,)
        assert await runtime.store.read(results_stream(run.id), 0, 10) == []
