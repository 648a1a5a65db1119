"""A payment that a person changes before it runs, in a process that is gone while the person thinks.

The agent wants to pay 150.00. The first process asks, and ends. A hook in the second one hears that somebody is
needed; the person looks, approves 120.00 instead, and the tool gets exactly that. A second payment is covered by a
standing rule, so nobody is asked. Nothing here needs a key or a network.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from choragus.agents import (
    Agent,
    Approvals,
    Attention,
    DecisionRefused,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Runtime,
    ToolCall,
    tool,
)

GOAL = "Pay what is due."


@tool(risk="irreversible")
def pay(invoice: str, amount: Decimal) -> str:
    """Pay one invoice."""
    print(f"  paid {amount} for {invoice}")
    return f"paid {amount}"


def answer(request: ModelRequest) -> ModelReply:
    """Ask for two payments, one after the other, and then tell what the tool said."""
    read = [message.text for message in request.messages if message.role == "tool"]
    if len(read) == 2:
        return ModelReply(text="; ".join(read))
    invoice, amount = (("A-17", "150.00"), ("A-18", "9.50"))[len(read)]
    arguments: dict[str, object] = {"invoice": invoice, "amount": amount}
    return ModelReply(text="It is due today.", calls=(ToolCall(f"call-{len(read)}", "pay", arguments),))


clerk = Agent(
    "clerk",
    model=FunctionModel(answer),
    tools=[pay],
    approvals=Approvals(within=86_400, default="escalate", chain=["mia", ("boss", "cfo")]),
)


async def first_day(path: Path) -> None:
    """The run comes to its question; the process ends."""
    async with Runtime(path, agents=[clerk]) as runtime:
        run = await runtime.start(clerk, GOAL, key="2026-W47")
        while not await run.pending():  # noqa: ASYNC110  # a service would go on with its work
            await anyio.sleep(0.01)
        print("monday: the agent asks, and the process ends")


async def second_day(path: Path) -> None:
    """Somebody is told, looks, and decides."""
    needed = anyio.Event()

    async def hook(item: Attention) -> None:
        needed.set()
        print(f"tuesday: {item.what.partition(':')[0]}")

    async with Runtime(path, agents=[clerk], attention=hook) as runtime:
        await needed.wait()
        await runtime.rules.add("pay", {"invoice": "A-18", "amount": "9.50"}, by="mia", uses=1)
        (approval,) = await runtime.pending()
        print(f"  it wants {approval.tool} with {approval.arguments}, and says: {approval.said}")
        for answer, then in approval.answers().items():
            print(f"  {answer}: {then}")
        try:
            await approval.approve(by="mia", arguments={"amount": "a lot"})
        except DecisionRefused as error:
            print(f"  refused: {error.reason.partition(';')[0]}")
        await approval.approve(by="mia", arguments={"amount": "120.00"}, reason="30.00 was credited")
        run = await runtime.start(clerk, GOAL, key="2026-W47")  # the same key: the same run
        print(f"the model reads:\n{await run.result()}")
        async for event in run.past():
            if event.kind in ("approval.decided", "approval.ruled"):
                print(f"{event.kind}: by {event.data['by']}, with {event.data['arguments']}")


def main() -> None:
    """Two processes, one after the other."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        anyio.run(first_day, path)
        anyio.run(second_day, path)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
