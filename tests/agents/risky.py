"""Tools at the top of a module, where a process of its own finds them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from attrs import frozen

from choragus.agents.errors import ToolError
from choragus.agents.tool import ToolContext, tool


@frozen
class Place:
    """A nested value."""

    process: int
    key: str


@tool(risk="read", isolation="process", timeout=60.0)
def where(name: str, *, context: ToolContext) -> Place:
    """Say where it runs, and say it aloud too."""
    print("this is no answer")
    return Place(os.getpid(), f"{name} {context.idempotency_key} {context.attempt}")


@tool(risk="read", isolation="process", timeout=60.0)
async def fails(how: str) -> int:
    """Fail."""
    match how:
        case "raise":
            raise ValueError("out of paper")
        case "word":
            raise ToolError("try later", retryable=True)
        case "object":
            return object()  # type: ignore[return-value]  # the mistake under test
        case "type":
            return "five"  # type: ignore[return-value]  # the mistake under test
        case "exit":
            sys.exit(3)
        case _:
            os._exit(3)


def _sleep_with_a_child(note: str) -> str:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(note).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)
    return "never"


@tool(risk="irreversible", isolation="process", timeout=10.0)
def hang(note: str) -> str:
    """Hang, beside a process of its own that hangs."""
    return _sleep_with_a_child(note)


@tool(risk="read", isolation="process", timeout=60.0)
def look_long(note: str) -> str:
    """Hang for long."""
    return _sleep_with_a_child(note)


@tool(risk="read", isolation="process", timeout=60.0, secrets=("bank",))
def tells(*, context: ToolContext) -> str:
    """Give a secret back."""
    return context.secret("bank") if "sesame" not in str(os.environ) else "it is in the environment"
