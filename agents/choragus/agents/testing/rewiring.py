"""A tool with another function in its place, and the same identity: what the model is told of it does not change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from attrs import evolve

from choragus.agents.context.tool import BLOCK_TOOLS
from choragus.agents.question import ask_person
from choragus.agents.tool import Tool, ToolContext
from choragus.agents.toolbelt.signature import CONTEXT

Around: TypeAlias = "Callable[[Tool, dict[str, object], ToolContext], Awaitable[object]]"
"""Is given the tool as it was, the arguments and the context; gives what the tool is to give back."""


def rewired(tool: Tool, around: Around, *, detached: bool = False) -> Tool:
    """The tool, and what stands in for it, undoes and checks it, with every call through `around`.

    It runs in this process, also where the tool would run in one of its own. What puts questions to people, or edits
    blocks, stays as it is, for it calls nothing.

    Args:
        detached: nothing of it is called, so that it needs no resources and no secrets.
    """
    if tool is ask_person or tool in BLOCK_TOOLS:
        return tool

    async def function(**given: object) -> object:
        context = cast("ToolContext", given.pop(CONTEXT))
        return await around(tool, given, context)

    def inner(companion: Tool) -> Tool:
        return rewired(companion, around, detached=detached)

    options = evolve(tool.options, isolation=None, secrets=() if detached else tool.options.secrets)
    return evolve(
        tool,
        function=function,
        wants_context=True,
        resources=None if detached else tool.resources,
        options=options,
        fallback=inner(tool.fallback) if isinstance(tool.fallback, Tool) else tool.fallback,
        undo=None if tool.undo is None else inner(tool.undo),
        check=inner(tool.check) if isinstance(tool.check, Tool) else tool.check,
    )
