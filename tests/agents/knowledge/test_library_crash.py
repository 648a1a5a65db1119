"""A process that dies at any commit leaves each text put once, and each subject forgotten whole or not at all."""

from __future__ import annotations

import pytest
from tests.agents.play import Mortal, call, calls, live, scripted

from choragus.agents.agent import Agent
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.message import Forgotten
from choragus.agents.runtime import Runtime

FACTS = Library("facts", chunk=100)
LONG = "\n\n".join(f"Line {number} of what is to be remembered, and some more." for number in range(6))


def _agent() -> Agent:
    said = calls(call("remember", "a", text=LONG, subject="bob"), call("remember", "b", text="short", subject="bob"))
    return scripted(said, "done", tools=FACTS.tools())


async def _play(runtime: Runtime) -> list[str]:
    run = await runtime.start(runtime._agents["clerk"], "Note it.", key="k")
    await run.result()
    return [str(record["text"]) async for record in runtime.library("facts").export()]


def _commits() -> int:
    store = Mortal()
    assert live(store, _agent(), _play) is not None
    return store.commits


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_a_text_is_remembered_once_wherever_the_process_dies(after: bool) -> None:
    for dies_at in range(2, _commits() + 1, 2):
        store = Mortal()
        store.dies_at, store.after = dies_at, after
        live(store, _agent(), _play)
        store.revive()

        assert sorted(live(store, _agent(), _play) or ()) == sorted([LONG, "short"])


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_a_subject_is_forgotten_whole_or_not_at_all(after: bool) -> None:
    async def fill(runtime: Runtime) -> bool:
        await runtime.library("facts").add(LONG, subject="bob")
        await runtime.library("facts").add("Bob is tall.", subject="bob")
        return True

    async def forget(runtime: Runtime) -> Forgotten:
        return await runtime.library("facts").forget(subject="bob")

    async def left(runtime: Runtime) -> int:
        return len([one async for one in runtime.library("facts").export()])

    for dies_in in (1, 2, 3):
        store = Mortal()
        assert live(store, _agent(), fill)
        store.revive()
        store.dies_at, store.after = dies_in, after
        told = live(store, _agent(), forget)
        store.revive()

        documents = live(store, _agent(), left)

        assert documents in ((0,) if told is not None else (0, 2))
