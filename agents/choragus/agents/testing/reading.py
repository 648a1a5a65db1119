"""A tool that is declared to read must change nothing; a test run shows whether that is so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from choragus.agents.tool import Risk, Tool, ToolContext


class NotReadOnly(AssertionError):
    """Raised when a tool that is declared to read has changed something."""


async def check_reads(tool: Tool, arguments: Mapping[str, object], *, world: Callable[[], object]) -> None:
    """Run a tool with risk "read" twice, as after a crash, and see that the world is as it was.

    Args:
        arguments: what it is called with; they must fit its schema.
        world: all that the tool might change, as a value that can be compared. It must be a new value each time, not
            the object that the tool may change in place.

    Raises:
        ValueError: the tool is not declared to read.
        BadArguments: the arguments do not fit.
        NotReadOnly: the world is another afterwards, also when the tool raised.
    """
    if tool.risk is not Risk.READ:
        raise ValueError(f"tool {tool.name!r} is declared {tool.risk.value!r}: only tools that read are checked here")
    before = world()
    context = ToolContext(run="check", call="1.1", idempotency_key="check/1.1")
    try:
        for _ in range(2):
            await tool.call(tool.parse(arguments), context)
    finally:
        after = world()
        if after != before:
            raise NotReadOnly(
                f"tool {tool.name!r} is declared to read, and changed {before!r} to {after!r}: declare it "
                "@tool(risk='reversible') or @tool(risk='irreversible')"
            )
