"""A process with a traced run, to be killed: `python -m tests.agents.telemetry.traced_child FILE STEPS [approve]`.

It reads, asks a person, and reads again. It prints a line for each step, then waits to be killed while a person is
asked; with `approve` it goes on to the end.
"""

from __future__ import annotations

import sys

import anyio

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.telemetry import Telemetry
from choragus.agents.tool import tool

KEY = "traced"


@tool(risk="read")
async def look(at: int) -> str:
    """Look at something."""
    print(f"looked {at}", flush=True)
    await anyio.sleep(0.02)
    return f"seen {at}"


@tool(risk="irreversible")
async def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


def clerk(steps: int) -> Agent:
    """Looks so many times, and pays in the middle."""

    def model(request: ModelRequest) -> ModelReply:
        done = sum(message.role == "tool" for message in request.messages)
        if done == steps:
            return ModelReply(text="done", usage=Usage(input_tokens=1, output_tokens=1))
        asked = ToolCall("", "pay", {"amount": 1}) if done == steps // 2 else ToolCall("", "look", {"at": done})
        return ModelReply(calls=(asked,), usage=Usage(input_tokens=10, output_tokens=5, cost_usd=0.01))

    return Agent("clerk", model=FunctionModel(model), tools=[look, pay])


async def main(path: str, steps: int, *, approves: bool) -> None:
    """One life."""
    agent = clerk(steps)
    async with Runtime(path, agents=[agent], telemetry=Telemetry(), on_change="warn") as runtime:
        run = await runtime.start(agent, "Go.", key=KEY)
        async for event in run.events():
            if event.kind == "approval.requested":
                print("asked", flush=True)
            if approves and (waiting := await run.pending()):
                await waiting[0].approve(by="mia")
        print(await run.result(), run.id, flush=True)


if __name__ == "__main__":
    anyio.run(lambda: main(sys.argv[1], int(sys.argv[2]), approves="approve" in sys.argv))
