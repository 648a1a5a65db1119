"""What a library or earlier runs hold stands in the context of a run, and `explain` says with which score."""

from __future__ import annotations

import anyio.lowlevel
import pytest

from choragus.agents.agent import Agent
from choragus.agents.context.option import Context
from choragus.agents.context.retrieval import Retrieval
from choragus.agents.knowledge import FromEpisodes, Library
from choragus.agents.model import ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel

FACTS = Library("facts")


def listener(*retrieve: Retrieval, heard: list[ModelRequest], episodes: bool = False) -> Agent:
    """An agent that notes what its model was sent."""

    def answer(request: ModelRequest) -> str:
        heard.append(request)
        return "Take an umbrella."

    context = Context(budget_tokens=20_000, retrieve=list(retrieve))
    return Agent("helper", model=FunctionModel(answer), context=context, episodes=episodes)


async def test_a_run_is_shown_what_a_library_holds() -> None:
    heard: list[ModelRequest] = []
    agent = listener(Retrieval(FACTS.retriever(namespace="norway")), heard=heard)
    async with Runtime(agents=[agent], libraries=[FACTS]) as runtime:
        await runtime.library("facts", namespace="norway").add("In Bergen it rains on 200 days.", source="almanac")
        await runtime.library("facts").add("In Bergen there are fish.", source="another namespace")

        run = await runtime.start(agent, "Does it rain in Bergen?")
        await run.result()
        explained = await run.explain(1)

    assert ["200 days" in str(one.messages) for one in heard] == [True]
    assert "fish" not in str(heard)
    (piece,) = [one for one in explained.pieces if one.section == "retrieved"]
    assert "library norway/facts" in piece.why
    assert "score" in piece.why


async def test_a_later_run_is_shown_how_an_earlier_one_ended() -> None:
    heard: list[ModelRequest] = []
    agent = listener(Retrieval(FromEpisodes(), section="episodes"), heard=heard, episodes=True)
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Does it rain in Bergen?")).result()
        while not [one async for one in runtime.episodes(agent).all()]:
            await anyio.lowlevel.checkpoint()
        await (await runtime.start(agent, "Will it rain in Bergen today?")).result()

    assert ["Take an umbrella." in str(one.messages) for one in heard] == [False, True]


async def test_a_retriever_of_a_library_works_within_a_runtime_only() -> None:
    with pytest.raises(RuntimeError, match=r"^library main/facts is looked into by a runtime"):
        await FACTS.retriever().retrieve("rain", run="", agent="", limit=1)
