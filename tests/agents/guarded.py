"""A run with all that guards it, and one below it, left waiting for a person: what a golden file is made of."""

from __future__ import annotations

from pathlib import Path

from choragus.agents.agent import Agent
from choragus.agents.ledger import Ledger
from choragus.agents.limits import Limits
from choragus.agents.model import Price
from choragus.agents.policy import LoopPolicy, Policy, RatePolicy, unexpected
from choragus.agents.question import ask_person
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import tool

from .play import call, calls, soon

LEDGER = Ledger("acme", cost_usd=100.0, per="ever")
PRICE = Price(input_per_million=100.0, output_per_million=100.0)


def cancel(what: str, result: str) -> str:
    """Take a booking back."""
    return f"{what} is free again"


@tool(risk="reversible", undo=cancel, calls_per_run=3)
def book(what: str) -> str:
    """Book something."""
    return f"booked {what}"


@tool(risk="irreversible", cost_usd=0.01)
def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


def guards() -> list[Policy]:
    """Those that look back, or at what earlier runs did."""
    return [LoopPolicy(), RatePolicy(calls=20, within=60), *unexpected()]


def agents() -> list[Agent]:
    """One that books, pays by a standing rule, and asks before it pays more; and one below it that asks a question."""
    boss = Agent(
        "boss",
        model=ScriptedModel(
            [
                calls(call("book", what="room")),
                calls(call("pay", amount=9)),
                calls(call("pay", amount=50)),
                "All is done.",
            ],
            price=PRICE,
        ),
        tools=[book, pay],
        delegates=["ask_person"],
        limits=Limits(cost_usd=5.0, at_limit="ask"),
        policies=guards(),
    )
    question = calls(call("ask_person", question="Which room?", options=["red", "blue"]))
    helper = Agent("helper", model=ScriptedModel([question, "It is settled."], price=PRICE), tools=[ask_person])
    return [boss, helper]


async def leave_guarded(path: Path) -> None:
    """Both wait; the one below is paused besides."""
    boss, helper = agents()
    async with Runtime(path, agents=[boss, helper], ledgers=[LEDGER]) as runtime:
        await runtime.rules.add("pay", {"amount": 9}, by="mia", uses=2)
        run = await runtime.start(boss, "Do it.", key="golden", ledgers=["acme"])
        await soon(run.pending)
        below = await runtime.start(helper, "Find out.", parent=run, key="below")
        await soon(below.pending)
        await below.pause(by="mia", reason="lunch")
