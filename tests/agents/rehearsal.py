"""An agent with everything that a recording has to keep, and what really happened outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply, ModelRequest, Price, ToolCall, Usage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.testing import recorded
from choragus.agents.tool import ToolContext, tool

GOAL = "Refund order 7."


@define
class Shop:
    """The world: what the tools did."""

    done: list[str] = field(factory=list)


@tool(risk="read")
async def find(order: int, *, context: ToolContext[Shop]) -> dict[str, object]:
    """Find an order."""
    context.resources.done.append(f"found {order}")
    return {"order": order, "name": "Ada", "amounts": [1.5, 2], "at": "noon"}


@tool(risk="read")
async def rate(currency: str, *, context: ToolContext[Shop]) -> float:
    """The rate of a currency."""
    context.resources.done.append(f"rate {currency}")
    if currency == "XXX":
        raise LookupError("no such currency")
    return 1.25


@tool(risk="irreversible")
async def refund(order: int, amount: float, *, context: ToolContext[Shop]) -> str:
    """Refund an order."""
    context.resources.done.append(f"refunded {order}")
    return f"refunded {amount}"


def answer(request: ModelRequest) -> ModelReply:
    """Look, then refund, then say so: by what it has read."""
    read = [one for one in request.messages if one.role == "tool"]
    used = Usage(input_tokens=100 + len(read), output_tokens=7, cost_usd=0.001)
    if not read:
        calls = (ToolCall("a", "find", {"order": 7}), ToolCall("b", "rate", {"currency": "XXX"}))
        return ModelReply(text="I look.", calls=calls, usage=used)
    if len(read) == 2:
        return ModelReply(calls=(ToolCall("c", "refund", {"order": 7, "amount": 3.5}),), usage=used)
    return ModelReply(text=f"Done: {read[-1].text}", usage=used, model="function-2026")


class Real(FunctionModel):
    """A model that counts its calls, and is taken for a real one."""

    is_real = True

    def __init__(self, function: Callable[[ModelRequest], ModelReply] = answer, name: str = "function") -> None:
        super().__init__(function, name=name, price=Price(output_per_million=1.0))
        self.calls = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `Model.complete`."""
        self.calls += 1
        return await super().complete(request)


def clerk(function: Callable[[ModelRequest], ModelReply] = answer, **options: Any) -> Agent:
    """The agent that refunds."""
    given: dict[str, Any] = {"tools": [find, rate, refund], "prompt": "Be brief.", **options}
    return Agent("clerk", model=Real(function), **given)


async def result(agent: Agent, shop: Shop | None, goal: str = GOAL, **options: Any) -> str:
    """One run to its end; a person approves."""
    async with Runtime(agents=[agent], resources=shop, **options) as runtime:
        run = await runtime.start(agent, goal)
        async for event in run.events():
            if event.kind == "approval.requested":
                (approval,) = await run.pending()
                await run.approve(approval, by="mia")
        return await run.result()


async def record(path: Path, agent: Agent | None = None, goal: str = GOAL, **options: Any) -> Shop:
    """Record the agent's run."""
    shop = Shop()
    with recorded(agent or clerk(), path, mode="record", **options) as taped:
        await result(taped, shop, goal)
    return shop


async def replay(path: Path, agent: Agent | None = None, goal: str = GOAL, **options: Any) -> str:
    """Replay it, with nothing that a tool could work with."""
    with recorded(agent or clerk(), path, mode="replay", **options) as taped:
        return await result(taped, None, goal)
