"""What the tests of servers are played with: servers in memory and as processes, and agents that call them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from tests.agents.play import soon

from choragus.agents.agent import Agent
from choragus.agents.mcp.declaration import McpServer
from choragus.agents.model import ModelReply, ModelRequest, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.mailbox.memory import MemoryStore

ROGUE = Path(__file__).with_name("rogue.py")


def calculator(
    says: str = "Add two numbers.", *, more: bool = False, read_only: bool | None = None
) -> MCPServer[object]:
    """A server in memory that adds; with `more` it also multiplies."""
    server: MCPServer[object] = MCPServer("calculator")
    hints = None if read_only is None else ToolAnnotations(read_only_hint=read_only)

    def add(a: int, b: int) -> int:
        return a + b

    def multiply(a: int, b: int) -> int:
        return a * b

    server.add_tool(add, description=says, annotations=hints)
    if more:
        server.add_tool(multiply, description="Multiply two numbers.")
    return server


def serving(*functions: Callable[..., object]) -> MCPServer[object]:
    """A server in memory with these tools."""
    server: MCPServer[object] = MCPServer("functions")
    for function in functions:
        server.add_tool(function)
    return server


def calls(tool: str, **arguments: object) -> FunctionModel:
    """A model that calls the tool once, and answers with what it reads."""

    def answer(request: ModelRequest) -> ModelReply:
        read = [message.text for message in request.messages if message.role == "tool"]
        return ModelReply(text=read[-1]) if read else ModelReply(calls=(ToolCall("1", tool, arguments),))

    return FunctionModel(answer)


def adding(server: object, name: str = "calc", *, tool: str = "", **options: object) -> Agent:
    """An agent that adds 1 and 2 by a server in memory, whose tools read unless it is said otherwise."""
    options = {"risks": {"*": "read"}, **options}
    made = McpServer(name, server=server, **options)  # type: ignore[arg-type]  # as McpServer checks them
    return Agent("clerk", model=calls(tool or f"{name}__add", a=1, b=2), servers=[made])


def rogue(mode: str, *arguments: str, **options: object) -> McpServer:
    """A server in a process that misbehaves so."""
    options = {"risks": {"*": "read"}, "timeout": 0.4, "start_timeout": 5.0, **options}
    return McpServer("rogue", command=[sys.executable, "-S", str(ROGUE), mode, *arguments], **options)  # type: ignore[arg-type]  # as McpServer checks them


def asking(server: McpServer, text: str = "hi") -> Agent:
    """An agent that has the rogue say something."""
    return Agent("clerk", model=calls("rogue__say", text=text), servers=[server])


async def result(store: MemoryStore, agent: Agent, key: str = "") -> str:
    """What a run of the agent gives, in an opening of its own."""
    async with Runtime(store=store, agents=[agent]) as runtime:
        return await (await runtime.start(agent, "Go.", key=key)).result()


async def eventually_listed(runtime: Runtime, name: str) -> None:
    """Wait until the server runs."""
    await soon(lambda: given(any(one.name == name and one.state == "running" for one in runtime.servers())))


async def given(value: bool) -> bool:
    """The value, for those who wait for it."""
    return value
