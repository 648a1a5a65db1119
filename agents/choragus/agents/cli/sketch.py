"""What `choragus draw --app` draws: the tree of a runtime that is not opened for it."""

from __future__ import annotations

from argparse import Namespace
from contextlib import AsyncExitStack

from choragus.agents.agent import Agent
from choragus.agents.runtime import Runtime

from .app import unopened
from .drawing import PARTS, Node, show
from .exit import Exit


async def draw(asked: Namespace) -> Exit:
    """Draw the runtime."""
    async with AsyncExitStack() as stack:
        runtime = await unopened(asked.app, stack)
    show(_of_runtime(runtime, asked.app), asked.mermaid, asked.json)
    return Exit.OK


def _of_runtime(runtime: Runtime, app: str) -> Node:
    parts = tuple(Node(f"choragus.{name}", "one for each run") for name in PARTS)
    agents = tuple(_agent(one) for one in runtime.agents.values())
    below = (Node("agents", "what runs are made of", agents), Node("runs", "each part restarted by itself", parts))
    return Node(app, f"a runtime on {runtime.place}", below)


def _agent(one: Agent[object]) -> Node:
    tools = tuple(Node(tool.name, tool.risk.value) for tool in one.tools)
    servers = tuple(Node(server.name, "MCP server") for server in one.servers)
    models = ", ".join(model.name for model in one.models)
    return Node(one.name, models, (*tools, *servers))
