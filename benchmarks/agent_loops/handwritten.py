"""The loop as one writes it by hand: a list of messages, a model, a dictionary of tools. Nothing is kept or limited."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agent_loop import STEPS, Once


@dataclass(slots=True)
class Message:
    """One line of the conversation."""

    role: str
    text: str
    call: str = ""
    tool: str = ""


async def model(messages: list[Message]) -> Message:
    """Calls the tool ten times, then answers."""
    said = sum(message.role == "assistant" for message in messages)
    if said == STEPS:
        return Message("assistant", "done")
    return Message("assistant", json.dumps({"a": said, "b": 1}), f"call-{said}", "add")


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


TOOLS = {"add": add}


async def once() -> int:
    """One run."""
    messages, calls = [Message("user", "Add.")], 0
    while True:
        reply = await model(messages)
        messages.append(reply)
        if not reply.tool:
            return calls
        result = await TOOLS[reply.tool](**json.loads(reply.text))
        messages.append(Message("tool", json.dumps(result), reply.call))
        calls += 1


@asynccontextmanager
async def loop(folder: Path) -> AsyncIterator[Once]:
    """Nothing to make ready."""
    yield once
