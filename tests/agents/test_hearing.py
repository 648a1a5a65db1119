"""What is known of a conversation in memory: handed over by a run's memory, or read from disk, and the same."""

from __future__ import annotations

import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.fork import whole_conversation
from choragus.agents.hearing import Hearing
from choragus.agents.model import ChatMessage, ModelReply, ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.stream import conversation_stream
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import LogEntry

from .play import Ledger, Mortal, call, calls, tools

STEPS = 6


def lines(*texts: str) -> list[ChatMessage]:
    return [ChatMessage("user", text) for text in texts]


@pytest.fixture
def hearing() -> Hearing:
    hearing = Hearing(MemoryStore())
    hearing.listen("run-1")
    return hearing


async def test_lines_that_were_handed_over_are_there_without_the_disk(hearing: Hearing) -> None:
    hearing.hear("run-1", 0, lines("a"))

    hearing.hear("run-1", 1, lines("b", "c"))

    assert await hearing.lines("run-1", 3) == lines("a", "b", "c")


async def test_lines_of_a_turn_that_was_undone_are_replaced_by_those_of_the_next(hearing: Hearing) -> None:
    hearing.hear("run-1", 0, lines("a"))
    hearing.hear("run-1", 1, lines("undone", "undone too"))

    hearing.hear("run-1", 1, lines("b"))

    assert await hearing.lines("run-1", 2) == lines("a", "b")
    assert not hearing.knows("run-1", 3)


def test_lines_behind_others_that_are_not_known_are_left_to_the_disk(hearing: Hearing) -> None:
    hearing.hear("run-1", 2, lines("c"))

    assert not hearing.knows("run-1", 1)


def test_lines_of_a_run_that_was_forgotten_are_not_kept(hearing: Hearing) -> None:
    hearing.forget("run-1")

    hearing.hear("run-1", 0, lines("late"))

    assert hearing == Hearing(hearing.store)


def _answer(request: ModelRequest) -> ModelReply | str:
    said = sum(message.role == "assistant" for message in request.messages)
    return "done" if said == STEPS else calls(call("look", at=f"{said}"))


def _stepping(seen: list[ModelRequest]) -> Agent[object]:
    def answer(request: ModelRequest) -> ModelReply | str:
        seen.append(request)
        return _answer(request)

    return Agent("stepping", model=FunctionModel(answer), tools=tools(Ledger()))


@simulated(seeds=range(3))
async def test_what_a_model_is_shown_from_memory_is_what_the_disk_has() -> None:
    seen: list[ModelRequest] = []
    agent, store = _stepping(seen), MemoryStore()
    async with Runtime(agents=[agent], store=store) as runtime:
        run = await runtime.start(agent, "Look around.")
        await run.result()

        conversation = await whole_conversation(store, run.id)

    assert len(seen) == STEPS + 1
    assert all(list(one.messages) == conversation[: len(one.messages)] for one in seen)


class Counting(Mortal):
    """A store that counts commits, and how often a conversation is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, stream: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """See `Store.read`."""
        self.reads += stream.startswith(conversation_stream(""))
        return await super().read(stream, after, limit)


@simulated(seeds=range(1))
async def test_a_step_commits_twice_and_reads_no_conversation_from_disk() -> None:
    agent, store = _stepping([]), Counting()
    async with Runtime(agents=[agent], store=store) as runtime:
        run = await runtime.start(agent, "Look around.")
        store.revive()

        await run.result()

        assert store.reads == 0
        assert store.commits <= 2 * STEPS + 3
        assert runtime._services.hearing == Hearing(store), "of a run that has ended nothing is kept"
