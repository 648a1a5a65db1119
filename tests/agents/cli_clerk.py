"""The agent of the command line's tests, and a process that runs it: `python -m tests.agents.cli_clerk FILE`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import anyio
from anyio import to_thread

from choragus.agents.agent import Agent
from choragus.agents.cli import main
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.model import ModelReply, Price, ToolCall
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.tool import ToolContext, tool

NASTY = "A-17\x1b[2J\u202egnp\napproved by mia"
"""An invoice that clears the screen, turns the text around and begins a line of its own."""

GOAL = "Pay what is due, and do not forget the rent."
RUN = "e0f00c5f0276"
"""The id that follows from the agent and the key."""

HANG = "CLERK_HANGS"
"""Names a file: the first payment writes it, and then never ends."""


@tool(risk="read")
def list_invoices(week: str) -> list[str]:
    """What is due."""
    return ["A-17", "A-18"]


@tool(risk="reversible")
def note(text: str) -> str:
    """Write a note."""
    raise OSError("out of paper")


@tool(risk="irreversible")
async def pay(invoice: str, amount: str, *, context: ToolContext) -> str:
    """Pay one invoice."""
    begun = Path(os.environ[HANG]) if HANG in os.environ else None
    if begun is not None and not begun.exists():
        begun.write_text(context.idempotency_key)
        await asyncio.Event().wait()
    return f"paid {amount}"


async def command(*argv: str) -> int:
    """Run a command as another thread would, with an event loop and a connection of its own."""
    return await to_thread.run_sync(main, argv)


def clerk() -> Agent:
    """An agent that looks, writes a note in vain, calls what is not there, pays, and says so."""
    looks = (
        ToolCall("a", "list_invoices", {"week": "2026-W47"}),
        ToolCall("b", "note", {"text": "rent"}),
        ToolCall("c", "nothing", {}),
    )
    pays = (ToolCall("d", "pay", {"invoice": NASTY, "amount": "120.00"}),)
    script: list[Answer] = [
        ModelReply(text="Let me look.", calls=looks),
        ModelReply(calls=pays),
        "All is paid.\nNothing is left.",
    ]
    price = Price(input_per_million=1.0, output_per_million=4.0)
    return Agent("clerk", model=ScriptedModel(script, price=price), tools=[list_invoices, note, pay])


async def start(runtime: Runtime, agent: Agent) -> Run:
    """The clerk's run in this runtime, once a payment waits for approval."""
    run = await runtime.start(agent, GOAL, key="W47")
    async for event in run.events():
        if isinstance(event, ApprovalRequested):
            break
    return run


async def complete(path: Path) -> None:
    """Make a file with one run that has completed."""
    agent = clerk()
    async with Runtime(path, agents=[agent]) as runtime:
        run = await start(runtime, agent)
        (approval,) = await run.pending()
        await run.approve(approval, by="mia", reason="as agreed")
        await run.result()


async def leave_waiting(path: Path) -> None:
    """Make a file with one run that waits for approval, and that nobody owns."""
    agent = clerk()
    async with Runtime(path, agents=[agent]) as runtime:
        await start(runtime, agent)


async def work(path: str, *, approve: bool) -> None:
    """Run the agent to its end, whoever approves; prints a line once it waits for that."""
    agent = clerk()
    async with Runtime(path, agents=[agent]) as runtime:
        run = await start(runtime, agent)
        print("waits", flush=True)
        for approval in await run.pending() if approve else ():
            await run.approve(approval, by="host")
        print(await run.result(), flush=True)


if __name__ == "__main__":
    anyio.run(lambda: work(sys.argv[1], approve="--approve" in sys.argv))
