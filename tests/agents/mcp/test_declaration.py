"""A server is declared as one that can be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from choragus.agents.agent import Agent
from choragus.agents.approver import Approvals
from choragus.agents.checkpoint import Before
from choragus.agents.errors import AgentFault, ServerFault
from choragus.agents.mcp.declaration import FromVault, McpServer
from choragus.agents.mcp.session import load
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.sync import run_sync


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"name": "a__b", "command": ["x"]}, r"^'a__b' is no name for a server"),
        ({"name": "a_", "command": ["x"]}, r"^'a_' is no name for a server"),
        ({"name": "\uff41", "command": ["x"]}, r"is no name for a server"),
        ({}, r"^server 's' is reached in one way"),
        ({"command": ["x"], "url": "http://x"}, r"^server 's' is reached in one way"),
        ({"command": "x -v"}, r"^server 's' has command='x -v'"),
        ({"url": "ftp://x"}, r"^server 's' has url='ftp://x'"),
        ({"url": "http://x", "env": {"A": "1"}}, r"^server 's' has env= or cwd="),
        ({"command": ["x"], "headers": {"A": "1"}}, r"^server 's' has headers= or auth="),
        ({"command": 5}, r"^server 's' has command=5"),
        ({"command": ["x\0"]}, r"^server 's' has command="),
        ({"command": ["x"], "cwd": 5}, r"^server 's' has cwd=5"),
        ({"url": "http://"}, r"^server 's' has url='http://'"),
        ({"url": "http://x:99999999"}, r"^server 's' has url='http://x:99999999'"),
        ({"command": ["x"], "env": {"A=B": "1"}}, r"^server 's' has env\['A=B'\] with characters"),
        ({"command": ["x"], "env": {"A": "1\0"}}, r"^server 's' has env\['A'\] with characters"),
        ({"url": "http://x", "headers": {"A": "1\nB: 2"}}, r"^server 's' has headers\['A'\] with characters"),
        ({"url": "http://x", "headers": {"A B": "1"}}, r"^server 's' has headers\['A B'\] with characters"),
        ({"command": ["x"], "allow": 5}, r"^server 's' has allow=5"),
        ({"command": ["x"], "risks": ["*"]}, r"^server 's' has risks=\['\*'\]"),
        ({"command": ["x"], "trust_annotations": "no"}, r"^server 's' has trust_annotations='no'"),
        ({"command": ["x"], "env": {"A": 1}}, r"^server 's' has env\['A'\] of a wrong type"),
        ({"command": ["x"], "allow": "read_*"}, r"^server 's' has allow='read_\*'"),
        ({"command": ["x"], "risks": {"*": "safe"}}, r"^server 's' has risks\['\*'\] = 'safe'"),
        ({"command": ["x"], "timeout": 0}, r"^server 's' has timeout=0"),
        ({"command": ["x"], "max_message": 1.5}, r"^server 's' has max_message=1.5"),
        ({"command": ["x"], "pin": "never"}, r"^server 's' has pin='never'"),
        ({"command": ["x"], "restarts": 3}, r"^server 's' has restarts=3"),
        ({"command": ["x"], "questions": "ask"}, r"^server 's' has questions='ask'"),
    ],
)
def test_a_server_that_cannot_be_is_refused(options: dict[str, object], fault: str) -> None:
    with pytest.raises(ServerFault, match=fault):
        McpServer(**{"name": "s", **options})  # type: ignore[arg-type]  # wrong on purpose


def test_a_secret_of_a_server_has_a_name_and_a_place() -> None:
    with pytest.raises(ServerFault, match=r"^FromVault\(''\) names no secret"):
        FromVault("")
    with pytest.raises(ServerFault, match=r"^form='Bearer' of FromVault\('x'\)"):
        FromVault("x", form="Bearer")


def test_nothing_that_may_be_irreversible_is_allowed_by_lapse_of_time() -> None:
    lapse, model = Approvals(within=1, default="allow"), ScriptedModel(["x"])

    with pytest.raises(AgentFault, match=r"^agent 'a' has the server 's', whose tools may be irreversible"):
        Agent("a", model=model, servers=[McpServer("s", command=["x"])], approvals=lapse)
    Agent("a", model=model, servers=[McpServer("s", command=["x"], risks={"*": "read"})], approvals=lapse)


def test_in_memory_without_anybody_to_ask_a_server_has_to_be_harmless() -> None:
    clerk = Agent("a", model=ScriptedModel(["x"]), servers=[McpServer("git", command=["x"], risks={"git_log": "read"})])

    with pytest.raises(AgentFault, match=r"has the irreversible tool 'git__\*', and in memory nobody can approve"):
        run_sync(clerk, "Go.")
    assert McpServer("git", command=["x"], risks={"git_log": "read"}, allow=["git_log"]).is_always_reversible


def test_a_checkpoint_may_lie_at_a_tool_of_a_server() -> None:
    model, servers = ScriptedModel(["x"]), [McpServer("git", command=["x"])]

    Agent("a", model=model, servers=servers, checkpoints=[Before("git__git_log")])
    with pytest.raises(AgentFault, match=r"is about none of its tools"):
        Agent("a", model=model, servers=servers, checkpoints=[Before("gitt__git_log")])


async def test_a_secret_that_is_missing_is_found_before_anything_starts() -> None:
    clerk = Agent(
        "a", model=ScriptedModel(["x"]), servers=[McpServer("s", url="http://x", headers={"A": FromVault("k")})]
    )

    assert Runtime(agents=[clerk]) is not None
    assert clerk.servers[0].secrets == ("k",)


def test_a_missing_extra_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "choragus.agents.mcp.sdk", raising=False)

    with pytest.raises(ImportError, match=r"^MCP servers need mcp: pip install 'choragus\[mcp\]'$"):
        load("choragus.agents.mcp.sdk")


@pytest.mark.slow
def test_the_sdk_is_not_imported_before_a_server_is_there() -> None:
    look = "import sys, choragus.agents; print([it for it in ('mcp', 'jsonschema', 'pydantic') if it in sys.modules])"

    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
