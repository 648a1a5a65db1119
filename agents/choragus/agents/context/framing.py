"""What stands around an agent's conversation, and whether that alone fits into the budget. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from choragus.agents.errors import AgentFault
from choragus.agents.model import CHARACTERS_PER_TOKEN, OutputSchema, ToolSchema, weight_beside
from choragus.agents.prompt import Prompt

from .assembly import assemble
from .block import Block
from .decision import BlockFrame, Framed
from .option import Context
from .working import Working


def frame(
    context: Context,
    prompt: Prompt,
    tools: Sequence[ToolSchema],
    output: OutputSchema | None = None,
    *,
    step: int = 0,
    upto: int = 0,
) -> Framed:
    """The frame of a context as its agent is now."""
    return Framed(
        step=step,
        upto=upto,
        budget_tokens=context.budget_tokens,
        order=context.order,
        instructions=prompt.text,
        prompt=prompt.name,
        prompt_version=prompt.version,
        prompt_hash=prompt.digest,
        tools=tuple(tool.name for tool in tools),
        fixed=weight_beside(tuple(tools), output),
        blocks=tuple(BlockFrame(**attrs.asdict(block)) for block in context.blocks),
    )


def is_same(one: Framed | None, other: Framed) -> bool:
    """Whether nothing has changed since."""
    return one is not None and attrs.evolve(one, step=other.step, upto=other.upto) == other


def check_context(
    agent: str, context: object, prompt: Prompt, tools: Sequence[ToolSchema], output: OutputSchema | None = None
) -> None:
    """Refuse a context whose budget leaves no room for a conversation.

    Raises:
        AgentFault: it is none, or instructions, tools and full blocks are too much by themselves.
    """
    if not isinstance(context, Context):
        raise AgentFault(f"the context of agent {agent!r} is {context!r}: give Context(budget_tokens=...)")
    full = attrs.evolve(context, blocks=[_full(each) for each in context.blocks])
    least = assemble(Working(frame=frame(full, prompt, tools, output))).weight
    looked_up = sum(each.most_tokens for each in context.retrieve)
    needed = math.ceil(least / CHARACTERS_PER_TOKEN) + looked_up
    if needed >= context.budget_tokens:
        raise AgentFault(
            f"the context of agent {agent!r} has a budget of {context.budget_tokens:,} tokens, and instructions, "
            f"tools, full blocks and what is retrieved may take {needed:,}: raise Context(budget_tokens=...), or give "
            "less of them"
        )


def _full(block: Block) -> Block:
    return attrs.evolve(block, text="x" * block.limit) if block.editable else block
