"""Agents that are crashed everywhere: one that survives, and one that does not."""

from __future__ import annotations

import itertools

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.question import ask_person
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.tool import ToolContext, tool

from .play import call, calls


class Bank:
    """What the tools work with."""

    name = "the bank"


@tool(risk="read")
async def look(at: str) -> str:
    """Look at something."""
    return f"seen {at}"


@tool(risk="reversible", idempotent=True)
async def reserve(what: str, *, context: ToolContext[Bank]) -> str:
    """Reserve something."""
    return f"reserved {what} at {context.resources.name}"


@tool(risk="irreversible")
async def pay(amount: int) -> dict[str, int]:
    """Pay an amount."""
    return {"paid": amount}


def clerk() -> Agent:
    """Looks, reserves, pays the same twice, asks and tells."""
    model = ScriptedModel(
        [
            calls(call("look", at="here"), call("reserve", what="a table")),
            calls(call("pay", "p1", amount=5), call("pay", "p2", amount=5)),
            calls(call("ask_person", question="Which one?", options=["red", "blue"])),
            "All is done.",
        ]
    )
    return Agent("clerk", model=model, tools=[look, reserve, pay, ask_person])


def forgetful() -> Agent:
    """Its model goes by what its own process remembers, and not by the request alone."""
    said = itertools.count(1)

    def answer(request: ModelRequest) -> ModelReply:
        number = next(said)
        if len(request.messages) == 1:
            return calls(call("look", at="here"))
        return ModelReply(f"This is the answer number {number}.")

    return Agent("clerk", model=FunctionModel(answer), tools=[look])
