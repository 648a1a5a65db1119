"""An agent's run in a tenth of a second: it looks, reserves and pays with a person's approval, beside an older run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from choragus.agents import Agent, ModelReply, Run, Runtime, ScriptedModel, Tool, ToolCall, ToolContext, tool
from choragus.agents.testing import INTERRUPTIONS
from choragus.supervision.testing.ledger import Ledger

from .person import Person, is_told_of

TOLD = INTERRUPTIONS
OLD = "old"


def _tools(ledger: Ledger) -> tuple[Tool, ...]:
    @tool(risk="read")
    async def look(at: str) -> str:
        """Look at something."""
        return f"seen {at}"

    @tool(risk="reversible", idempotent=True)
    async def reserve(what: str, *, context: ToolContext) -> str:
        """Reserve something."""
        ledger.note(f"reserved {what}", key=context.idempotency_key)
        return f"reserved {what}"

    @tool(risk="irreversible")
    async def pay(amount: int) -> str:
        """Pay an amount."""
        ledger.note(f"paid {amount}")
        return f"paid {amount}"

    return look, reserve, pay


def _clerk(ledger: Ledger) -> Agent:
    model = ScriptedModel(
        [
            ModelReply(calls=(ToolCall("l", "look", {"at": "x"}), ToolCall("r", "reserve", {"what": "room"}))),
            ModelReply(calls=(ToolCall("p", "pay", {"amount": 5}),)),
            "Reserved and paid.",
        ]
    )
    return Agent("clerk", model=model, tools=_tools(ledger))


async def errand(path: Path, ledger: Ledger) -> dict[str, object]:
    """Prune an older run, and let the clerk come to its result; a person approves, and looks up what is unknown."""
    agent, older = _clerk(ledger), Agent("older", model=ScriptedModel(["Long ago."]))
    async with Runtime(path, agents=[agent, older]) as runtime:
        is_told_of(runtime.events, path)
        if not await runtime.store.tombstones():  # else it is pruned, or half: its key stays taken
            before = await runtime.start(older, "Be old.", key=OLD)
            await before.result(timeout=10)
        while any(one.agent == "older" for one in await runtime.runs()):
            await runtime.prune(older_than=0)  # it is kept as long as one of its parts has mail
            await asyncio.sleep(0.01)
        run = await runtime.start(agent, "Reserve the room and pay.", key="errand")
        await _attended(run, Person(path, ledger))
        return {"status": (await run.status()).status.value, "result": await run.result(timeout=10)}


async def _attended(run: Run, person: Person) -> None:
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="reviewer")
        for unknown in await run.unknown():
            happened = person.looks_up("paid 5")
            outcome, result = ("happened", "paid 5") if happened else ("not", "")
            await run.settle(unknown.call, outcome, by="reviewer", result=result)
