"""What the model is sent, step after step, and what is on disk of it."""

from __future__ import annotations

import msgspec
import pytest

from choragus.agents.memory import Memory
from choragus.agents.message import Perceive
from choragus.agents.model import ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.stream import conversation_stream
from choragus.mailbox.turn import LogEntry

from .play import Ledger, Mortal, answering, call, calls, data, eventually, fail, live, scripted, soon, tools


async def test_each_step_is_sent_the_whole_conversation() -> None:
    agent = scripted(calls(call("look", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Look.")).result()

    model = agent.model
    assert isinstance(model, ScriptedModel)
    first, second = model.requests
    assert [message.role for message in first.messages] == ["user"]
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]
    assert [tool.name for tool in second.tools] == ["look", "book", "reserve", "pay"]
    assert second.messages[2].text == '"seen door"'


async def test_results_stand_in_the_order_of_the_calls_not_of_their_ends() -> None:
    agent = scripted(calls(call("pay", "slow", amount=1), call("look", "fast", at="x")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await eventually(run, "call.finished")
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)

    model = agent.model
    assert isinstance(model, ScriptedModel)
    assert [message.call_id for message in model.requests[1].messages[2:]] == ["slow", "fast"]


async def test_the_conversation_on_disk_ends_with_the_answer() -> None:
    agent = scripted(calls(call("look", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result()

        async def entries() -> list[LogEntry]:
            return await runtime.store.read(conversation_stream(run.id))

        async def answered() -> bool:
            return len(await entries()) == 4

        await soon(answered)
        stored = await entries()

    assert [entry.kind for entry in stored] == ["user", "assistant", "tool", "assistant"]
    assert msgspec.json.decode(stored[-1].body)["text"] == "done"


async def test_what_was_assembled_stands_in_the_logbook() -> None:
    agent = scripted(calls(call("look", at="door")), "done", tools=tools(Ledger()))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result()

        assembled = [(line["step"], line["messages"]) for line in await data(run, "memory.assembled")]
    assert assembled == [(1, 1), (2, 3)]


async def test_a_memory_that_failed_appends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, Memory, Perceive, times=1)
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result(timeout=5)

        assert len(await data(run, "memory.assembled")) == 1


def test_a_model_sees_the_same_after_a_crash() -> None:
    store, seen = Mortal(), []

    def model(request: ModelRequest) -> Answer:
        seen.append(request)
        if len(request.messages) == 1:
            return calls(call("look", at="door"))
        if len(seen) == 2:
            store.kill()
        return "done"

    agent = answering(model, tools=tools(Ledger()))

    async def play(runtime: Runtime) -> str:
        return await (await runtime.start(agent, "Look.", key="k")).result(timeout=5)

    assert live(store, agent, play) is None
    store.revive()
    assert live(store, agent, play) == "done"
    assert seen[1] == seen[2]
