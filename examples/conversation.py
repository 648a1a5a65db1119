"""A conversation that goes on: more is said while the agent works, and on the next day.

The first process asks a question, adds something while the agent is at work, and ends. The second one goes on under the
same name: a new run, with a budget of its own, that knows what was said. Nothing here needs a key or a network.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from choragus.agents import Agent, Check, Deny, FunctionModel, ModelReply, ModelRequest, Runtime, TextRefused, ToolCall, tool

STOCK = {"bolts": 40, "nuts": 7}
looked = anyio.Event()


@tool(risk="read")
async def stock(part: str) -> int:
    """How many of a part are there."""
    looked.set()
    await anyio.sleep(0.2)  # a slow shelf
    return STOCK[part]


def answer(request: ModelRequest) -> ModelReply:
    """Look up the first part that was asked for and not looked up yet, or sum up."""
    said = [message.text for message in request.messages if message.role == "user"]
    known = {message.call_id: message.text for message in request.messages if message.role == "tool"}
    for part in STOCK:
        if any(part in text for text in said) and part not in known:
            return ModelReply(calls=(ToolCall(part, "stock", {"part": part}),))
    return ModelReply(text=", ".join(f"{known[part]} {part}" for part in known) + f"; asked {len(said)} times")
