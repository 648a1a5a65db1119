"""Runs at their ceilings, as scenarios: one that asks, and a tree that draws on a ledger and is paused."""

from __future__ import annotations

from pathlib import Path

import attrs

from choragus.agents import (
    Agent,
    FunctionModel,
    Ledger,
    LimitReached,
    Limits,
    ModelReply,
    ModelRequest,
    Run,
    Runtime,
    ToolCall,
    ToolContext,
    Usage,
    tool,
)
from choragus.agents.naming import run_id
from choragus.supervision.testing.ledger import Ledger as Notes


def spender(name: str, notes: Notes, looks: int, limits: Limits) -> Agent:
    """An agent that looks so many times, each for 10 cents, and then answers."""

    @tool(risk="read")
    async def look(*, context: ToolContext) -> str:
        """Look."""
        return "seen"

    def answer(request: ModelRequest) -> ModelReply:
        said = sum(message.role == "assistant" for message in request.messages)
        used = Usage(input_tokens=10, cost_usd=0.1)
        if said < looks:
            return ModelReply(calls=(ToolCall(str(said), request.tools[0].name, {}),), usage=used)
        return ModelReply(text=f"{name} has looked {said} times", usage=used)

    model = FunctionModel(answer)
    model.estimate = lambda request: Usage(input_tokens=10, cost_usd=0.1)  # type: ignore[method-assign]  # its price
    return Agent(name, model=model, tools=[look], limits=limits)


async def asking(path: Path, notes: Notes) -> dict[str, object]:
    """A run that asks twice at its ceiling, and gets what it asks for."""
    agent = spender("clerk", notes, 3, Limits(cost_usd=0.15, at_limit="ask"))
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look.", key="run")
        async for _ in run.events():
            for approval in await run.pending():
                await approval.approve(by="mia")
        return {"result": await run.result(), "cost": (await run.status()).cost_usd}


async def tree(path: Path, notes: Notes) -> dict[str, object]:
    """A run that waits for a person while its sub-run works and both are paused; what they leave is too little for
    another one on the same ledger."""
    agent, under = payer(notes), spender("under", notes, 1, Limits())
    ledgers = [Ledger("acme", cost_usd=0.5, per="ever")]
    async with Runtime(path, agents=[agent, under], ledgers=ledgers) as runtime:
        first = await runtime.start(agent, "Pay.", key="first", ledgers=["acme"])
        results = [await _worked(runtime, first, under), await _paid(first, notes)]
        second = await runtime.start(under, "Look.", key="second", ledgers=["acme"])
        results.append(await _end(second))
        (account,) = await runtime.ledgers()
        return {"results": results, "spent": account.cost_usd, "set aside": account.reserved_usd}


def payer(notes: Notes) -> Agent:
    """An agent that pays, each of its answers for 10 cents."""

    @tool(risk="irreversible")
    async def pay(*, context: ToolContext) -> str:
        """Pay."""
        notes.note(f"paid for {context.run}")
        return "paid"

    return attrs.evolve(spender("payer", notes, 1, Limits(cost_usd=0.45)), tools=[pay], delegates=["look"])


async def _worked(runtime: Runtime, first: Run, under: Agent) -> str:
    """The sub-run's result; it is paused, with the run above, and gone on with."""
    id = run_id(under.name, f"{first.id}/child")
    async for event in first.events():
        if event.kind == "approval.requested":
            break
    if not (await first.status()).status.is_final:
        await first.pause(by="mia")
        await runtime.start(under, "Look.", key="child", parent=first)
        await first.resume(by="mia")
    return str(await (await runtime.run(id)).result())


async def _paid(first: Run, notes: Notes) -> str:
    async for _ in first.events():
        for approval in await first.pending():
            await approval.approve(by="mia")
        for unknown in await first.unknown():
            happened = notes.count(f"paid for {first.id}") > 0
            await first.settle(unknown.call, "happened" if happened else "not", by="mia", result='"paid"' * happened)
    return await first.result()


async def _end(run: Run) -> str:
    try:
        return await run.result()
    except LimitReached:
        return "limit"
