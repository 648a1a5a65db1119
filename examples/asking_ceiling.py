"""A run that comes to its ceiling asks a person whether to go on, and holds it to the cent until they say so.

Each look costs a cent of a run that may spend three. What the next call may cost is set aside before it is made, so the
run stops before the ceiling and not behind it. It waits, takes nothing, and would wait for days and over restarts. Mia
raises the ceiling to six cents, and the run goes on where it stood.
"""

from __future__ import annotations

import sys

import anyio

from choragus.agents import (
    Agent,
    ApprovalRequested,
    FunctionModel,
    Limits,
    ModelReply,
    ModelRequest,
    Runtime,
    ToolCall,
    Usage,
    tool,
)

PLACES = ("the attic", "the cellar", "the garden", "the shed")


@tool(risk="read")
def look(place: str) -> str:
    """Look for the keys in a place."""
    return "the keys!" if place == PLACES[-1] else "dust"


def answer(request: ModelRequest) -> ModelReply:
    """Look into one place after the other; every answer costs a cent."""
    seen = [message.text for message in request.messages if message.role == "tool"]
    cent = Usage(input_tokens=100, output_tokens=20, cost_usd=0.01)
    if seen and "keys" in seen[-1]:
        return ModelReply(text=f"They were in {PLACES[len(seen) - 1]}.", usage=cent)
    place = PLACES[len(seen)]
    return ModelReply(text=f"I look in {place}.", calls=(ToolCall("", "look", {"place": place}),), usage=cent)


class CentModel(FunctionModel):
    """A model that can say beforehand what a call costs at most: a cent."""

    def estimate(self, request: ModelRequest) -> Usage:
        """The bound that is set aside."""
        return Usage(input_tokens=100, output_tokens=20, cost_usd=0.01)


async def main() -> None:
    """Start the run, be Mia, and see what it has cost."""
    finder = Agent("finder", model=CentModel(answer), tools=[look], limits=Limits(cost_usd=0.03, at_limit="ask"))
    async with Runtime(agents=[finder]) as runtime:
        run = await runtime.start(finder, "Find my keys.")
        async for event in run.events():
            if event.kind == "model.replied":
                print(f"the model: {event.data['text']}")
            if event.kind == "limit.reached":
                print(f"ceiling:   {event.data['reason']}")
            if event.kind == "limit.raised":
                print(f"raised:    by {event.data['by']} to {event.data['limits']}")
            if isinstance(event, ApprovalRequested):
                print(f"question:  {event.approval.tool} to {event.approval.arguments}?")
                await event.approval.approve(by="mia", arguments={"cost_usd": 0.06})
        print(f"result:    {await run.result()}")
        print(f"spent:     {(await run.status()).cost_usd} of 0.06 dollars")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
