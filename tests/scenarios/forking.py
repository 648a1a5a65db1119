"""A run that pays and books, and a fork of it from before it paid, as a scenario."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from choragus.actors.event import Events
from choragus.agents import (
    Agent,
    ApprovalRequested,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Run,
    Runtime,
    ToolCall,
    ToolContext,
    tool,
)
from choragus.supervision.testing.ledger import Ledger

REPLIES = (
    ModelReply(text="I look, and pay.", calls=(ToolCall("a", "look", {}), ToolCall("b", "pay", {"amount": 5}))),
    ModelReply(calls=(ToolCall("c", "pay", {"amount": 7}),)),
    ModelReply(text="All is paid."),
)


def payer(ledger: Ledger) -> Agent:
    """An agent that pays twice."""

    @tool(risk="read")
    async def look() -> str:
        """Look."""
        return "seen"

    @tool(risk="irreversible")
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay."""
        ledger.note(f"paid {amount} for {context.run}")
        return f"paid {amount}"

    def answer(request: ModelRequest) -> ModelReply:
        return REPLIES[sum(message.role == "assistant" for message in request.messages)]

    return Agent("payer", model=FunctionModel(answer), tools=[look, pay])


async def forking(
    path: Path, ledger: Ledger, *, told: Callable[[Events, Path], None] | None = None
) -> dict[str, object]:
    """The run, and its fork at the moment in which it has paid once and waits before it pays again.

    Args:
        told: is given the events of the runtime first, to listen to them.
    """
    agent = payer(ledger)
    async with Runtime(path, agents=[agent]) as runtime:
        if told is not None:
            told(runtime.events, path)
        run = await runtime.start(agent, "Pay.", key="run")
        await _finish(run, ledger)
        at = [event.position async for event in run.past() if isinstance(event, ApprovalRequested)][1]
        fork = await runtime.fork(run.id, at=at, key="fork")
        await _finish(fork, ledger)
        kinds = [event.kind async for event in fork.past()]
        return {
            "results": [await run.result(), await fork.result()],
            "cites": (kinds[0], kinds.count("stream.forked")),
            "forks": (await runtime.store.verify()).forks,
        }


async def _finish(run: Run, ledger: Ledger) -> None:
    """To the end, with a person who approves, and looks up what became of a payment."""
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
        for unknown in await run.unknown():
            happened = ledger.count(f"paid {unknown.arguments['amount']} for {run.id}") > 0
            await run.settle(unknown.call, "happened" if happened else "not", by="mia", result='"paid"')
