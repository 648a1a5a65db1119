"""People decide: a question, an edit that two approve, a denial, a deadline that nobody keeps; as a scenario."""

from __future__ import annotations

from pathlib import Path

from choragus.agents import (
    Agent,
    Approval,
    Approvals,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Run,
    Runtime,
    ToolCall,
    ToolContext,
    ask_person,
    tool,
)
from choragus.supervision.testing.ledger import Ledger

ASKS = ModelReply(calls=(ToolCall("q", "ask_person", {"question": "When?", "options": ["Monday", "Tuesday"]}),))
PAYS = ModelReply(calls=(ToolCall("a", "pay", {"amount": 5}), ToolCall("b", "pay", {"amount": 9})))


def clerk(ledger: Ledger, name: str, approvals: Approvals, *lines: ModelReply) -> Agent:
    """An agent that says these lines, and then all that it was told."""

    @tool(risk="irreversible")
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay."""
        ledger.note(f"paid {amount} for {context.run}")
        return f"paid {amount}"

    def answer(request: ModelRequest) -> ModelReply:
        said = sum(message.role == "assistant" for message in request.messages)
        read = [message.text for message in request.messages if message.role == "tool"]
        return lines[said] if said < len(lines) else ModelReply(text=" | ".join(read))

    return Agent(name, model=FunctionModel(answer), tools=[pay, ask_person], approvals=approvals)


async def deciding(path: Path, ledger: Ledger) -> dict[str, object]:
    """A run that two people decide about, and one that nobody does."""
    two = Approvals(chain=[("ann", "bob")], quorum=2)
    nobody = Approvals(within=0.05, default="escalate", chain=["ann", "bob"])
    asked, left = clerk(ledger, "asked", two, ASKS, PAYS), clerk(ledger, "left", nobody, PAYS)
    async with Runtime(path, agents=[asked, left]) as runtime:
        run = await runtime.start(asked, "Pay.", key="asked")
        alone = await runtime.start(left, "Pay.", key="left")
        await _finish(run, ledger)
        outcome = await alone.result()
        kinds = [event.kind async for event in alone.past()]
        return {
            "asked": await run.result(),
            "left": outcome,
            "escalated": kinds.count("approval.escalated"),
            "waits": [one.id for one in await runtime.pending()],
            "problems": (await runtime.store.verify()).problems,
        }


async def _finish(run: Run, ledger: Ledger) -> None:
    async for _ in run.events():
        for approval in await run.pending():
            await _decide(approval)
        for unknown in await run.unknown():
            happened = ledger.count(f"paid {unknown.arguments['amount']} for {run.id}") > 0
            await run.settle(unknown.call, "happened" if happened else "not", by="ann", result='"paid 7"')


async def _decide(approval: Approval) -> None:
    """Ann changes 5 to 7 and Bob agrees; Bob is against 9; Ann wants Tuesday."""
    if approval.kind == "question":
        await approval.answer("Tuesday", by="ann")
    elif approval.arguments["amount"] == 9:
        await approval.deny(by="bob", reason="too much")
    elif "ann" in approval.given:
        await approval.approve(by="bob")
    else:
        await approval.approve(by="ann", arguments={"amount": 7})
