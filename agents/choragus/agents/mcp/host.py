"""The server of the SDK's that offers agents as tools."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp.server import MCPServer

from .reception import STATUS, Reception

__all__ = ["MCPServer", "server"]


def server(name: str, reception: Reception) -> MCPServer[object]:
    """The server, ready to be served."""
    made = _quietly(name)
    for agent in reception.agents:
        made.add_tool(
            _starter(reception, agent),
            name=agent,
            description=(
                f"Give the agent {agent!r} a goal. The same key again gives the same run. The result may take longer "
                f"than this call: then ask again with {STATUS}."
            ),
        )
    made.add_tool(reception.status, name=STATUS, description="What became of a run, by the id that starting it gave.")
    return made


def _quietly(name: str) -> MCPServer[object]:
    """The SDK sets up the logging of the whole process when nobody has yet: that is not for a library to do."""
    root = logging.getLogger()
    nobody = logging.NullHandler()
    root.addHandler(nobody)
    try:
        return MCPServer(name)
    finally:
        root.removeHandler(nobody)


def _starter(reception: Reception, agent: str) -> Callable[[str, str], Awaitable[str]]:
    async def start(goal: str, key: str = "") -> str:
        return await reception.start(agent, goal, key)

    return start
