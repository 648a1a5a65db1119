"""Agents as tools of a server: others start runs, and learn nothing but what became of them."""

from __future__ import annotations

import json
import logging

import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from mcp import Client
from mcp_types import CallToolResult
from tests.agents.mcp.calculator import calls
from tests.agents.play import Ledger, eventually, tools

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.mcp.declaration import McpServer
from choragus.agents.mcp.serving import serve_mcp
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel


def text(result: CallToolResult) -> str:
    """What a call gave back."""
    told: str = json.loads(json.dumps(result.model_dump(mode="json")["content"][0]["text"]))
    return told


async def test_a_call_starts_a_run_and_gives_back_its_result() -> None:
    helper = Agent("helper", model=ScriptedModel(["Take one."]))

    async with Runtime(agents=[helper]) as runtime, Client(serve_mcp(runtime, [helper])) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        first = await client.call_tool("helper", {"goal": "Umbrella?", "key": "k"})
        again = await client.call_tool("helper", {"goal": "Umbrella?", "key": "k"})

        assert names == ["helper", "run_status"]
        assert (text(first), text(again)) == ("Take one.", "Take one.")
        assert len(await runtime.runs()) == 1


async def test_a_run_that_waits_for_a_person_says_so_and_the_client_decides_nothing() -> None:
    payer = Agent("payer", model=calls("pay", amount=5), tools=tools(Ledger()))

    async with Runtime(agents=[payer]) as runtime, Client(serve_mcp(runtime, [payer], wait=0.1)) as client:
        told = text(await client.call_tool("payer", {"goal": "Pay."}))
        (run,) = await runtime.runs()
        one = await runtime.run(run.run)
        await eventually(one, "approval.requested")
        (approval,) = await one.pending()
        waits = text(await client.call_tool("run_status", {"run": run.run}))
        await approval.approve(by="mia")
        await one.result()

        assert told.startswith(f"run {run.run} has no result yet: ")
        assert waits == f"run {run.run} has no result yet: it waits for a person's decision; ask again with run_status"
        assert text(await client.call_tool("run_status", {"run": run.run})) == '"paid 5"'


async def test_a_client_sees_only_runs_of_the_agents_that_are_served_and_only_by_their_whole_id() -> None:
    shown, hidden = (Agent(name, model=ScriptedModel(["x", "y"])) for name in ("shown", "hidden"))

    async with Runtime(agents=[shown, hidden]) as runtime, Client(serve_mcp(runtime, [shown])) as client:
        secret = await runtime.start(hidden, "Go.")
        own = await runtime.start(shown, "Go.")
        for run in (secret.id, own.id[:4], "nothing"):
            refused = await client.call_tool("run_status", {"run": run})

            assert refused.is_error
            assert f"there is no run '{run}'" in text(refused)


async def test_an_agent_of_one_runtime_is_a_tool_of_another() -> None:
    helper = Agent("helper", model=ScriptedModel(["Take one."]))

    async with Runtime(agents=[helper]) as inner:
        server = McpServer("team", server=serve_mcp(inner, [helper]), allow=["helper"], risks={"*": "read"})
        boss = Agent("boss", model=calls("team__helper", goal="Umbrella?"), servers=[server])
        async with Runtime(agents=[boss]) as outer:
            run = await outer.start(boss, "Go.")

            assert await run.result() == '{"result":"Take one."}'


def test_serving_leaves_the_logging_of_the_process_alone() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers = []
    try:
        serve_mcp(Runtime(agents=[]), [])

        assert (root.handlers, root.level) == ([], level)
    finally:
        root.handlers = before


def test_an_agent_named_as_the_status_tool_is_refused() -> None:
    with pytest.raises(AgentFault, match=r"^an agent is named 'run_status'"):
        serve_mcp(Runtime(agents=[]), [Agent("run_status", model=ScriptedModel(["x"]))])
