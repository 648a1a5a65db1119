"""The client that the MCP conformance suite drives: an agent of ours, given the address of the suite's server.

conformance client --command "python tests/agents/mcp/conformance_client.py" --scenario tools_call
"""

from __future__ import annotations

import os
import sys

import anyio

from choragus.agents import Agent, FunctionModel, McpServer, ModelReply, ModelRequest, Runtime, ToolCall

SERVER = "suite"
ARGUMENTS: dict[str, dict[str, object]] = {"add_numbers": {"a": 5, "b": 3}}
"""What the suite's tools want; all others take nothing."""


def answer(request: ModelRequest) -> ModelReply:
    """Call each tool once, then tell what they said."""
    read = [message.text for message in request.messages if message.role == "tool"]
    names = [tool.name for tool in request.tools]
    if len(read) < len(names):
        name = names[len(read)]
        given = ARGUMENTS.get(name.removeprefix(f"{SERVER}__"), {})
        return ModelReply(calls=(ToolCall(f"call-{len(read)}", name, given),))
    return ModelReply(text="\n".join(read) or "it has no tools")


async def main(url: str) -> None:
    """Open, run, close."""
    server = McpServer(SERVER, url=url, risks={"*": "read"}, questions="defaults")
    agent = Agent("client", model=FunctionModel(answer), servers=[server])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, os.environ.get("MCP_CONFORMANCE_SCENARIO", "Call everything."))
        print(await run.result(timeout=25))


if __name__ == "__main__":
    anyio.run(main, sys.argv[-1])
