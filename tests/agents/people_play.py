"""What the tests of people's decisions start from: an agent that pays, and a wait for its question."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.approver import Approvals
from choragus.agents.checkpoint import Checkpoint
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.policy import Policy
from choragus.agents.question import ask_person
from choragus.agents.run import Run
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.tool import ToolContext, tool

from .play import Ledger, calls, soon, tools
from .play import call as called

T = TypeVar("T")

Paid = list[tuple[str, Decimal]]


def payer(
    paid: Paid,
    *lines: Answer,
    approvals: Approvals | None = None,
    policies: tuple[Policy, ...] = (),
    checkpoints: tuple[Checkpoint, ...] = (),
) -> Agent:
    """An agent that pays by a typed tool, A-17 and 150.00 by default, and then repeats what it has read last."""

    @tool(risk="irreversible")
    async def pay(invoice: str, amount: Decimal, *, context: ToolContext) -> str:
        """Pay one invoice."""
        paid.append((invoice, amount))
        return f"paid {amount}"

    asked = lines or (ModelReply("It is due.", calls=(called("pay", invoice="A-17", amount="150.00"),)),)

    def model(request: ModelRequest) -> Answer:
        said = sum(message.role == "assistant" for message in request.messages)
        return asked[said] if said < len(asked) else request.messages[-1].text

    return Agent(
        "clerk",
        model=FunctionModel(model),
        tools=[pay, *tools(Ledger())[:3], ask_person],
        approvals=approvals or Approvals(),
        policies=policies,
        checkpoints=checkpoints,
    )


def asker(*options: str, approvals: Approvals | None = None) -> Agent:
    """An agent that asks a person one question, and repeats the answer."""

    def model(request: ModelRequest) -> Answer:
        if len(request.messages) == 1:
            return calls(called("ask_person", question="Which week?", options=list(options)))
        return request.messages[-1].text

    return Agent("asker", model=FunctionModel(model), tools=[ask_person], approvals=approvals or Approvals())


def scripted_with(*lines: Answer, **options: object) -> Agent:
    """An agent with the tools of the play, and these options."""
    return Agent("clerk", model=ScriptedModel(lines), tools=tools(Ledger()), **options)  # type: ignore[arg-type]  # as Agent checks


async def question(run: Run, count: int = 1) -> Approval:
    """The first thing that the run waits for, once there are so many."""

    async def waits() -> bool:
        return len(await run.pending()) >= count

    await soon(waits)
    return (await run.pending())[0]
