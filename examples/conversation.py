"""A conversation that goes on: more is said while the agent works, and again on the next day.

The first process asks a question, asks for more while the agent is at work, and ends. The second one goes on under the
same name: a new run, with a budget of its own, that knows what was said. Nothing here needs a key or a network.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from choragus.agents import Agent, FunctionModel, ModelReply, ModelRequest, Runtime, ToolCall, tool

STOCK = {"bolts": 40, "nuts": 7, "washers": 0}
looking = anyio.Event()


@tool(risk="read")
async def stock(part: str) -> int:
    """How many of a part are there."""
    looking.set()
    await anyio.sleep(0.2)  # a slow shelf
    return STOCK[part]


def answer(request: ModelRequest) -> ModelReply:
    """Look up the next part that was asked for, or say what is known by now."""
    asked = " ".join(message.text for message in request.messages if message.role == "user")
    known = {message.call_id: message.text for message in request.messages if message.role == "tool"}
    for part in STOCK:
        if part in asked and part not in known:
            return ModelReply(calls=(ToolCall(part, "stock", {"part": part}),))
    return ModelReply(text=", ".join(f"{many} {part}" for part, many in known.items()))


clerk = Agent("clerk", model=FunctionModel(answer, name="shelf-1"), tools=[stock])


async def monday(path: Path) -> None:
    """Ask, and ask for more while the agent is at work."""
    async with Runtime(path, agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "How many bolts are there?", thread="alice")
        await looking.wait()
        print(f"monday: {await run.doing()}")
        same = await run.send("And nuts?", by="alice", key="monday-2")
        again = await run.send("And nuts?", by="alice", key="monday-2")  # a reply was lost, say: it is said once
        print(f"  all in one run: {run.id == same.id == again.id}")
        print(f"  {await run.result()}")


async def tuesday(path: Path) -> None:
    """Go on where Monday ended."""
    async with Runtime(path, agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "And washers?", thread="alice")
        print(f"tuesday: {await run.result()}")
        thread = await runtime.thread("alice")
        print(f"the conversation, over {len(await thread.runs())} runs:")
        async for line in thread.history():
            if line.text:
                print(f"  {line.role}: {line.text}")


def main() -> None:
    """Two processes, one after the other."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        anyio.run(monday, path)
        anyio.run(tuesday, path)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
