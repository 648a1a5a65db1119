"""What the tests of forks are played with: an agent whose answers follow from the conversation, and its runs."""

from __future__ import annotations

from choragus.agents.agent import Agent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer

from .play import Ledger, answering, call, calls, tools

REPLIES: tuple[Answer, ...] = (
    calls(call("look", "a", at="door"), call("pay", "b", amount=5)),
    calls(call("book", "c", what="room"), call("invented", "d")),
    "all done",
)


def clerk(
    ledger: Ledger, heard: list[ModelRequest] | None = None, *, length: int = 4, limits: Limits | None = None
) -> Agent:
    """An agent whose answer follows from how often it has spoken, as a real model's does from the conversation.

    Args:
        heard: gets what the model is asked.
        length: characters of what `look` is told, and so of its result.
    """
    replies = (calls(call("look", "a", at="d" * length), call("pay", "b", amount=5)), *REPLIES[1:])

    def model(request: ModelRequest) -> Answer:
        if heard is not None:
            heard.append(request)
        return replies[sum(message.role == "assistant" for message in request.messages)]

    return answering(model, tools=tools(ledger), limits=limits or Limits())


async def approved(run: Run) -> str:
    """The run's result, with every call approved."""
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
    return await run.result()


async def ended(runtime: Runtime, agent: Agent, key: str = "k") -> Run:
    """A run that has come to its end."""
    run = await runtime.start(agent, "Do it.", key=key)
    await approved(run)
    return run


async def position(run: Run, kind: str, **fields: object) -> int:
    """Where the first line of a kind with such fields stands."""
    async for event in run.past():
        if event.kind == kind and fields.items() <= event.data.items():
            return event.position
    raise AssertionError(f"no {kind} with {fields}")
