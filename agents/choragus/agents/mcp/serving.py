"""Agents as tools of an MCP server: others start runs, and look what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from choragus.agents.agent import Agent

from .reception import Host, Reception
from .session import load

if TYPE_CHECKING:
    from .host import MCPServer

PATIENCE = 20.0
"""Seconds that a call waits for the run's result, unless it is said otherwise; then it is told the run's id."""


def serve_mcp(
    runtime: Host, agents: Iterable[Agent[object]], *, name: str = "choragus", wait: float = PATIENCE
) -> MCPServer[object]:
    """An MCP server whose tools start runs of these agents: one tool for each, by the agent's name, and `run_status`.

    The tool takes `goal`, and `key`: the same key again gives the same run, so a client may repeat its call. It gives
    back the result, or after `wait` seconds, and when the run waits for a person, a text with the run's id. Serve what
    this gives as the SDK says, `await server.run_stdio_async()` for one, while the runtime is open.

    Args:
        agents: those of the runtime that may be started so; each with its own limits.
        wait: seconds that a call waits for the result.

    Raises:
        ImportError: when the extra is missing.
        AgentFault: when one is no agent.
    """
    host = load("choragus.agents.mcp.host")
    made: MCPServer[object] = host.server(name, Reception(runtime, agents, wait))
    return made
