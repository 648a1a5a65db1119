"""The server of the SDK's that offers agents as tools."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from choragus.agents.errors import AgentError

from .reception import STATUS, Reception

__all__ = ["MCPServer", "server"]


def server(name: str, reception: Reception) -> MCPServer[object]:
    """The server, ready to be served."""
    made = _quietly(name)
    for agent in reception.agents:
        description = (
            f"Give the agent {agent!r} a goal. The same key again gives the same run. The result may take longer than "
            f"this call: then ask again with {STATUS}."
        )
        made.add_tool(_starter(reception, agent), name=agent, description=description)
    looks = "What became of a run, by the id that starting it gave."
    made.add_tool(_looker(reception), name=STATUS, description=looks)
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
        return await _or_why_not(reception.start(agent, goal, key))

    return start


def _looker(reception: Reception) -> Callable[[str], Awaitable[str]]:
    async def status(run: str) -> str:
        return await _or_why_not(reception.status(run))

    return status


async def _or_why_not(work: Awaitable[str]) -> str:
    """The client is told our errors in our words; of any other it learns nothing."""
    try:
        return await work
    except AgentError as error:
        raise ToolError(str(error)) from error
