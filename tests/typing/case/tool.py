"""What a tool may be declared with, and what it is given."""

from __future__ import annotations

from typing import assert_type

from attrs import frozen

from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Rate, Retry


@frozen
class Bank:
    """A resource."""

    name: str


@tool(risk="read", retries=Retry(times=2), rate=Rate(3, per=1.0), secrets=("bank",))
async def balance(account: str, *, context: ToolContext[Bank]) -> str:
    """Look at the balance."""
    print(context.resources.nme)  # error: attr-defined
    return context.resources.name + context.secret("bank")


@tool(risk="read")
async def anything(*, context: ToolContext) -> str:
    """A context without a type has resources that are any object."""
    print(context.resources.name)  # error: attr-defined
    return context.idempotency_key


async def called() -> None:
    context: ToolContext[Bank] = ToolContext(run="r", call="1.1", idempotency_key="k", resources=Bank("Nordbank"))
    other: ToolContext[Bank] = ToolContext(run="r", call="1.1", idempotency_key="k", resources="x")  # error: arg-type
    made: Tool = balance
    assert_type(await balance("A-17", context=context), str)
    await balance(5, context=context)  # error: arg-type
    del other, made
