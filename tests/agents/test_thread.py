"""Tools that nothing can stop keep neither the caller nor the process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

STUBBORN = '''
import asyncio, time
from choragus.agents import Agent, ModelReply, ScriptedModel, ToolCall, run_sync, tool

@tool(risk="read", timeout=0.2)
async def swallows() -> str:
    """Swallow every cancellation."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@tool(risk="read", timeout=0.2)
def sleeps() -> str:
    """Sleep for a minute."""
    time.sleep(60)

model = ScriptedModel([ModelReply(calls=(ToolCall("1", "{name}", {{}}),)), "done"])
print(run_sync(Agent("a", model=model, tools=[swallows, sleeps]), "Go."))
'''


@pytest.mark.parametrize("name", ["swallows", "sleeps"])
def test_run_sync_comes_back_from_a_tool_that_nothing_can_stop(name: str, tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN.format(name=name), encoding="utf-8")

    began = time.monotonic()
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, check=False)

    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr
    assert time.monotonic() - began < 20
