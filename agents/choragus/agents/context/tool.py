"""The tools by which an agent edits its blocks. What they change is the run's own state, so they run in its memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeAlias

from msgspec import Meta

from choragus.agents.flow.declaration import Labels
from choragus.agents.tool import Tool, tool

from .errand import BlockAnswer, EditBlock

Editor: TypeAlias = Callable[[str, EditBlock], Awaitable[BlockAnswer]]
"""Has the memory of a run change a block."""

Label = Annotated[str, Meta(max_length=64, description="Which block.")]


@tool(risk="read", idempotent=True, labels=Labels(trusted=["$"]))
def edit_block(
    label: Label,
    old: Annotated[str, Meta(description="A piece of the block's text that stands in it exactly once.")],
    new: Annotated[str, Meta(description="What stands in its place then.")],
) -> str:
    """Change a piece of one of your blocks, which always stand before you."""
    raise AssertionError("a block is edited by the run's memory")


@tool(risk="read", idempotent=True, labels=Labels(trusted=["$"]))
def append_to_block(
    label: Label, text: Annotated[str, Meta(min_length=1, description="The line that is added.")]
) -> str:
    """Add a line to one of your blocks, which always stand before you."""
    raise AssertionError("a block is edited by the run's memory")


BLOCK_TOOLS: tuple[Tool, ...] = (edit_block, append_to_block)


def with_block_tools(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """These tools, and behind them those for blocks."""
    return (*tools, *(each for each in BLOCK_TOOLS if each not in tools))


def asked_edit(made: Tool, agent: str, call: str, arguments: Mapping[str, object]) -> EditBlock | None:
    """The edit that a call is, if its tool is one of these."""
    if made not in BLOCK_TOOLS:
        return None
    old = str(arguments["old"]) if made is edit_block else None
    new = str(arguments["new" if made is edit_block else "text"])
    step = int(call.partition(".")[0])
    return EditBlock(agent=agent, step=step, call=call, label=str(arguments["label"]), new=new, old=old)
