"""A process that books and takes back, to be killed: `python -m tests.agents.unwound FILE LEDGER [unwind]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import anyio

from choragus.agents.agent import Agent
from choragus.agents.keeping import Unwound
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import ToolContext, tool

PARTS = ("flight", "hotel", "car")


def _note(ledger: Path, line: str) -> None:
    with ledger.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@tool(risk="reversible", idempotent=True)
async def cancel(what: str, result: str, *, context: ToolContext[Path]) -> None:
    """Cancel, slowly."""
    key = context.idempotency_key.partition("/")[2]
    _note(context.resources, f"begins {what} {key}")
    await asyncio.sleep(0.1)
    _note(context.resources, f"ends {what} {key}")


@tool(risk="reversible", calls_per_run=3, undo=cancel)
async def book(what: str, *, context: ToolContext[Path]) -> str:
    """Book."""
    _note(context.resources, f"books {what}")
    return f"#{what}"


async def work(path: str, ledger: str) -> Unwound:
    """Book once, come to the limit, and take everything back."""
    step = ModelReply(calls=tuple(ToolCall(what, "book", {"what": what}) for what in PARTS))
    agent = Agent("clerk", model=ScriptedModel([step]), tools=[book], limits=Limits(steps=1))
    async with Runtime(path, agents=[agent], resources=Path(ledger)) as runtime:
        run = await runtime.start(agent, "Book.", key="k")
        async for _ in run.events():
            pass
        return await run.unwind(by="mia")


if __name__ == "__main__":
    print(anyio.run(work, sys.argv[1], sys.argv[2]).done)
