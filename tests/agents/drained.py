"""A process that pays slowly and ends in order on SIGTERM: `python -m tests.agents.drained FILE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import anyio
from anyio import to_thread

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import ToolContext, tool


@tool(risk="irreversible")
async def pay(begun: str, *, context: ToolContext) -> str:
    """Pay; it takes half a second, and leaves a line in a file at its beginning and at its end."""
    await to_thread.run_sync(_note, begun, f"begins {context.call}\n")
    await asyncio.sleep(0.5)
    await to_thread.run_sync(_note, begun, f"ends {context.call}\n")
    return "paid"


def _note(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line)


def payer(begun: Path) -> Agent:
    """An agent that pays twice, one after the other."""
    script = [ModelReply(calls=(ToolCall(id, "pay", {"begun": str(begun)}),)) for id in "ab"]
    return Agent("payer", model=ScriptedModel([*script, "All is paid."]), tools=[pay])


async def main(path: Path) -> None:
    """Approve all, until the end."""
    agent = payer(path.with_suffix(".begun"))
    async with Runtime(path, agents=[agent], signals=True) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        async for _ in run.events():
            for approval in await run.pending():
                await approval.approve(by="mia")
        print(await run.result())


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
