"""docs/mcp.md names all that a server can be declared with, and its example prints what its user should see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields

from choragus.agents.mcp.declaration import McpServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [each.name for each in fields(McpServer) if each.kw_only])
def test_the_page_names_every_option(option: str) -> None:
    assert f"`{option}=`" in PAGE


@pytest.mark.slow
def test_the_example_of_a_server_that_changes(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")
    script = ROOT / "examples" / "mcp_tools.py"

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=True
    )

    assert "  to a person: server rates offers what nobody has accepted (rate)\n" in done.stdout
    assert "  | -description: The rate of a currency in euros.\n" in done.stdout
    assert '  accepted by mia; the model reads: {"result":0.086}\n  served: clerk, run_status\n' in done.stdout
