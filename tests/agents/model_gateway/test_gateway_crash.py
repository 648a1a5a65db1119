"""A run whose models fail and fall back, and whose process dies at every commit: no answered call is made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import attrs
import pytest
from tests.agents.play import Ledger, Mortal, call, kinds, live, tools, until

from choragus.agents.agent import Agent
from choragus.agents.errors import ModelError
from choragus.agents.inspection import RunEvent
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.model_gateway.cursor import TextChunk, TextRestarted
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.runtime import Runtime
from choragus.agents.streamed import StreamingFunctionModel
from choragus.agents.toolbelt.options import Retry

SHORT = ModelOptions(retries=Retry(times=1, first=0.002, most=0.002, jitter=0.0), hedge_after=30)
SAID = ["I look.", "All is well."]


class Reader:
    """A person's screen, which survives the process: what stands on it, and the cursor that was kept."""

    def __init__(self) -> None:
        self.cursor = "0"
        self.text = ""
        self.answers: list[str] = []

    async def read(self, runtime: Runtime, agent: Agent) -> str:
        """To the end of the run."""
        run = await runtime.start(agent, "Go.", key="k")
        async for one in run.events(self.cursor, chunks=True):
            if isinstance(one, TextChunk):
                assert one.index == len(self.text), "shown twice, or left out"
                self.text += one.text
            elif isinstance(one, TextRestarted):
                self.text = ""
            elif isinstance(one, RunEvent) and one.kind == "model.replied":
                assert self.text == one.data["text"]
                self.answers.append(self.text)
                self.text = ""
            self.cursor = one.cursor
        return await run.result()


def _agent(ledger: Ledger) -> Agent:
    """Its first model fails in every step, in the middle of its words; the second answers."""

    async def broken(request: ModelRequest) -> AsyncIterator[str]:
        ledger.done.append(f"broken {_step(request)}")
        yield SAID[_step(request) - 1][:4]
        await asyncio.sleep(0)
        raise ModelError("cut", retryable=True, kind="incomplete")

    async def whole(request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        ledger.done.append(f"model {_step(request)}")
        for word in SAID[_step(request) - 1].split(" "):
            yield word if word[0].isupper() else f" {word}"
            await asyncio.sleep(0)
        if _step(request) == 1:
            yield ModelReply(calls=(call("look", at="door"),))

    models = [StreamingFunctionModel(broken, name="broken"), StreamingFunctionModel(whole, name="whole")]
    return Agent("clerk", model=models[0], fallbacks=models[1:], model_options=SHORT, tools=tools(ledger))


def _step(request: ModelRequest) -> int:
    return 1 + sum(message.role == "assistant" for message in request.messages)


def _live(store: Mortal, ledger: Ledger, reader: Reader) -> tuple[str, list[str]] | None:
    agent = _agent(ledger)

    async def play(runtime: Runtime) -> tuple[str, list[str]]:
        answer = await reader.read(runtime, agent)
        store.dies_at = 0
        return answer, await kinds(await runtime.start(agent, "Go.", key="k"))

    return live(store, agent, play)


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "each"])
def test_a_run_that_falls_back_survives_a_crash_at_every_commit(after: bool, every: int) -> None:
    store, ledger = Mortal(), Ledger()
    assert _live(store, ledger, Reader()) is not None
    total = store.commits

    for dies_at in range(1 + after, total + 1, every):
        _crash_once(dies_at, after)


def _crash_once(dies_at: int, after: bool) -> None:
    ledger, store, reader = Ledger(), Mortal(), Reader()
    store.dies_at, store.after = dies_at, after
    _live(store, ledger, reader)
    store.revive()
    outcome = _live(store, ledger, reader)

    assert outcome is not None
    answer, lines = outcome
    assert (answer, reader.answers) == (SAID[-1], SAID)
    assert lines.count("model.failed") == 4
    assert lines.count("model.fallback") == 2
    made = [one for one in ledger.done if "/" not in one]
    assert set(made) == {"broken 1", "broken 2", "model 1", "model 2"}
    assert len(made) <= 6 + 1, "more was paid again than the one call that was cut off"
    assert anyio.run(store.verify).problems == ()


def test_a_call_that_has_failed_is_not_made_again_by_a_crash_while_its_run_waits() -> None:
    store, ledger = Mortal(), Ledger()
    agent = attrs.evolve(_agent(ledger), model_options=ModelOptions(retries=Retry(times=1, first=0.1, most=0.1)))

    async def first_life(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        await until(run, "model.failed")
        store.kill()
        await run.cancel()

    assert live(store, agent, first_life) is None
    store.revive()

    async def second_life(runtime: Runtime) -> str:
        return await (await runtime.start(agent, "Go.", key="k")).result(20)

    assert live(store, agent, second_life) == SAID[-1]
    made = [one for one in ledger.done if "/" not in one]
    assert made == ["broken 1", "broken 1", "model 1", "broken 2", "broken 2", "model 2"]
