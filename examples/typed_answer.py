"""An agent whose answers are of a type: a wrong one goes back to the model, and the host gets an object.

The model here is a script. Its first answer has an amount in words, its second is in order. Nothing needs a key or a
network.
"""

from __future__ import annotations

import sys
from typing import Annotated

import anyio
from attrs import frozen
from msgspec import Meta

from choragus.agents import Agent, Failed, FunctionModel, ModelRequest, Runtime, ScriptedModel


@frozen
class Line:
    """One item of an invoice."""

    item: str
    amount: Annotated[int, Meta(ge=0, description="In cents.")]


@frozen
class Invoice:
    """What the agent reads out of a letter."""

    customer: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """In cents."""
        return sum(line.amount for line in self.lines)


WRONG = '{"customer": "Ada", "lines": [{"item": "pen", "amount": "two euros"}]}'
RIGHT = '```json\n{"customer": "Ada", "lines": [{"item": "pen", "amount": 200}, {"item": "ink", "amount": 350}]}\n```'

reader = Agent(
    "reader", model=ScriptedModel([WRONG, RIGHT]), prompt="Read the invoice out of the letter.", output=Invoice
)


def babble(request: ModelRequest) -> str:
    """Never JSON."""
    return "It is from Ada, I think."


babbler = Agent("babbler", model=FunctionModel(babble), output=Invoice, repairs=1)


async def main() -> None:
    """One run that is mended, and one that is not."""
    async with Runtime(agents=[reader, babbler]) as runtime:
        run = await runtime.start(reader, "Dear Sir, I owe you two euros for a pen, and 3.50 for ink. Ada")
        invoice = await run.result()  # to a type checker too it is an Invoice
        async for event in run.past():
            if event.kind == "reply.refused":
                print(f"sent back: {str(event.data['reason']).partition('. ')[0]}")
        print(f"{invoice.customer} owes {invoice.total} cents for {len(invoice.lines)} items")

        failed = await runtime.start(babbler, "The same letter.")
        try:
            await failed.result()
        except Failed as error:
            print(f"failed:    {error.reason}")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
