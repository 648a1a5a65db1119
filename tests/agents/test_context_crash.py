"""A run that summarises, looks up and edits blocks: killed at every commit, paused and cancelled in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.context.block import Block
from choragus.agents.context.option import Context
from choragus.agents.context.retrieval import Retrieval, Retrieved
from choragus.agents.context.strategy import Summarise, Window
from choragus.agents.context.work import MemoryState
from choragus.agents.errors import Cancelled
from choragus.agents.message import MEMORY
from choragus.agents.model import ModelRequest, ToolCall, tokens
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.state import Status
from choragus.agents.tool import Tool, tool
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import decode

from .context_play import GOAL, Heard, walker
from .play import Mortal, data, kinds, live, soon, until

BUDGET = 900


class Shelf:
    """A retriever that notes what it was asked."""

    name = "shelf"

    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        self._asked.append(f"lookup {query}")
        return [Retrieved(f"about {query}", "shelf 1", 0.5)]


def _agent(heard: Heard, asked: list[str]) -> Agent:
    context = Context(
        budget_tokens=BUDGET,
        compaction=[Summarise(model=FunctionModel(heard.summarise, name="small"), keep_tokens=250), Window(tokens=300)],
        blocks=[Block("notes", "none", limit=60)],
        retrieve=[Retrieval(Shelf(asked), most_tokens=60)],
    )

    def edit(n: int) -> tuple[ToolCall, ...]:
        return (ToolCall(f"e{n}", "append_to_block", {"label": "notes", "text": f"at {n}"}),) if n == 2 else ()

    return walker(context, heard, steps=9, also=edit)


async def _ended(runtime: Runtime, agent: Agent) -> Run:
    run = await runtime.start(agent, GOAL, key="k")
    async for event in run.events():
        assert event.kind != "message.parked"
    return run


@pytest.mark.parametrize("every", [17, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_a_run_sees_the_same_wherever_its_process_dies(every: int, after: bool) -> None:
    whole, asked, store = Heard(), list[str](), Mortal()

    async def undisturbed(runtime: Runtime) -> int:
        await _ended(runtime, agent)
        return store.commits

    agent = _agent(whole, asked)
    total = live(store, agent, undisturbed)
    assert total is not None
    assert len(whole.summaries) > 1
    for dies_at in range(1 + int(after), total + 1, every):
        _crash_once(dies_at, after, whole)


def _crash_once(dies_at: int, after: bool, whole: Heard) -> None:
    heard, asked, store = Heard(), list[str](), Mortal()
    agent = _agent(heard, asked)

    async def play(runtime: Runtime) -> tuple[str, list[str], int]:
        run = await _ended(runtime, agent)
        store.dies_at = 0
        spent = await run.status()
        assert len(await data(run, "block.edited")) == 1
        numbers = [one["number"] for one in await data(run, "memory.compacted") if "number" in one]
        assert numbers == list(range(1, len(whole.summaries) + 1))
        return await run.result(), await kinds(run), spent.input_tokens

    store.dies_at, store.after = dies_at, after
    live(store, agent, play)
    finished = store.finished()
    before = len(heard.summaries), len(asked)
    store.revive()
    outcome = live(store, agent, play)

    assert outcome is not None
    assert outcome[0] == "done after 9"
    assert [one for one in heard.requests if one not in whole.requests] == []
    assert outcome[2] == sum(map(tokens, [*whole.requests, *whole.summaries]))
    summarised = sum(one.startswith("summary") for one in finished)
    again = heard.summaries[before[0] :]
    assert [one for one in again if one in whole.summaries[:summarised]] == [], "a finished summary was made again"
    assert not set(asked[before[1] :]) & finished, "what was looked up was looked up again"
    assert anyio.run(store.verify).problems == ()


class Slow:
    """A model for summaries that waits until it is let go."""

    def __init__(self) -> None:
        self.asked, self.let_go, self.is_cancelled = 0, asyncio.Event(), False

    async def __call__(self, request: ModelRequest) -> str:
        self.asked += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        return "a summary"


def _slow(slow: Slow, heard: Heard, look: Tool | None = None) -> Agent:
    ways = [Summarise(model=FunctionModel(slow), keep_tokens=250)]
    return walker(Context(budget_tokens=BUDGET, compaction=ways), heard, steps=12, look=look)


async def test_a_run_is_cancelled_while_it_summarises_and_pays_for_it() -> None:
    slow, heard = Slow(), Heard()
    agent = _slow(slow, heard)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await _true(lambda: slow.asked == 1)
        assert await run.cancel(by="me")
        with pytest.raises(Cancelled):
            await run.result(5)

        async def presumed() -> list[dict[str, object]]:
            return await data(run, "budget.presumed")

        await soon(presumed)
        await _true(lambda: slow.is_cancelled)
        assert [one["token"] for one in await presumed()] == [f"summary-{len(heard.requests) + 1}.1"]


async def test_a_run_that_is_paused_while_it_summarises_goes_on_with_the_summary() -> None:
    slow, heard = Slow(), Heard()
    agent = _slow(slow, heard)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await _true(lambda: slow.asked == 1)
        await run.pause(by="me")
        calls = len(heard.requests)
        slow.let_go.set()
        await until(run, "memory.compacted")
        await _true(lambda: True)
        assert ((await run.status()).status, len(heard.requests)) == (Status.PAUSED, calls)

        await run.resume(by="me")
        assert await run.result(5) == "done after 12"


async def test_a_run_that_is_paused_begins_no_summary() -> None:
    slow, first, gate = Slow(), asyncio.Event(), asyncio.Event()
    slow.let_go.set()

    @tool(risk="read")
    async def look(n: int) -> str:
        """Look once more; the result behind which a summary is needed comes when it may."""
        if n == 6:
            first.set()
            await gate.wait()
        return f"seen {n + 1} " + "x" * 400

    agent = _slow(slow, Heard(), look=look)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await first.wait()
        await run.pause(by="me")
        gate.set()
        await soon(lambda: _is_held(runtime, run))
        assert (slow.asked, [one["step"] for one in await data(run, "memory.compacted")]) == (0, [])

        await run.resume(by="me")
        assert await run.result(5) == "done after 12"
        assert (slow.asked, (await data(run, "memory.compacted"))[0]["step"]) == (2, 8)


async def _is_held(runtime: Runtime, run: Run) -> bool:
    """Whether the memory waits for the run to go on."""
    snapshot = await runtime.store.load(actor_id(MEMORY, run.id))
    state = None if snapshot.state is None else decode(snapshot.state)
    return isinstance(state, MemoryState) and state.work is not None and state.work.held


async def _true(check: object) -> None:
    async def checked() -> bool:
        return bool(check())  # type: ignore[operator]  # a function

    await soon(checked)
