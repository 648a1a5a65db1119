"""A call in a process of its own: what it gives back, and that it is gone when it is not wanted any more."""

# ruff: noqa: ASYNC240  # the tests look at small files themselves

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from choragus.agents.errors import Cancelled, ToolFault
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.execution import Fate, Toolbelt
from choragus.agents.toolbelt.secret import Vault

from . import risky
from .play import once, until

WHERE: ToolContext[object] = ToolContext(run="r", call="1.1", idempotency_key="r/1.1", attempt=2)


def is_gone(process: int) -> bool:
    """Whether no such process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def in_time(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the check holds; a process takes its time to begin."""
    async with asyncio.timeout(50):
        while not await check():  # noqa: ASYNC110  # processes tell nobody
            await asyncio.sleep(0.01)


async def gone(*processes: int) -> bool:
    """Whether none of them runs."""
    return all(map(is_gone, processes))


async def reaped(process: int) -> bool:
    """Whether somebody has asked what became of it."""
    return not Path(f"/proc/{process}").exists()


async def written(note: Path) -> bool:
    """Whether the tool has begun, and said so."""
    return note.exists() and bool(note.read_text())


async def both_gone(note: Path) -> None:
    """Wait until the process and its child are gone."""
    worker, child = map(int, note.read_text().split())
    await in_time(lambda: gone(worker, child))
    await in_time(lambda: reaped(worker))
    await asyncio.sleep(0.1)  # whoever waited for it in a thread tells the event loop


async def test_it_runs_elsewhere_and_gives_its_result_back() -> None:
    outcome = await Toolbelt().attempt(risky.where, {"name": "x"}, WHERE)

    assert (outcome.is_error, outcome.fate) == (False, Fate.DONE)
    place = json.loads(outcome.text)
    assert place["key"] == "x r/1.1 2"
    assert place["process"] != os.getpid()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "text", "fate"),
    [
        ("raise", "fails failed: ValueError: out of paper", Fate.NOT),
        ("word", "try later", Fate.NOT),
        ("object", "fails has run, but tool 'fails' gave back a object that cannot be written as JSON", Fate.DONE),
        ("type", "fails has run, but the result of tool 'fails' does not fit its return type: Expected", Fate.DONE),
        ("exit", "fails failed: SystemExit: 3", Fate.NOT),
        ("die", "the process of fails ended without an answer (exit code 3)", Fate.MAYBE),
    ],
)
async def test_whatever_becomes_of_it_is_told(how: str, text: str, fate: Fate) -> None:
    outcome = await Toolbelt().attempt(risky.fails, {"how": how}, WHERE)

    assert outcome.text.startswith(text)
    assert (outcome.is_error, outcome.fate) == (True, fate)


@pytest.mark.slow
async def test_at_its_timeout_it_is_killed_and_its_outcome_unknown(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    agent = once(risky.hang, note=str(note))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        await run.approve((await run.pending())[0], by="me")

        await until(run, "call.unknown")

        (unknown,) = await run.unknown()
        assert unknown.reason == "hang took longer than 10 s and its process was killed"
        await both_gone(note)


async def test_cancelled_it_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    agent = once(risky.look_long, note=str(note))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        await in_time(lambda: written(note))
        await run.cancel(by="me")

        with pytest.raises(Cancelled):
            await run.result()
        await both_gone(note)


@pytest.mark.slow
async def test_a_secret_reaches_it_by_no_argument_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_URL", "https://clerk:open-sesame@bank.example")
    vault = Vault({"bank": "open-sesame"})
    vault.check(["bank"])

    outcome = await Toolbelt(vault=vault).attempt(risky.tells, {}, WHERE)

    assert outcome.text == '"[secret bank]"'


SCRIPT = """
import os
import anyio
from choragus.agents import Agent, ModelReply, Runtime, ScriptedModel, ToolCall, tool

@tool(risk="read", isolation="process")
def where() -> int:
    "Say where it runs."
    return os.getpid()

async def main():
    model = ScriptedModel([ModelReply(calls=(ToolCall("a", "where", {}),)), "done"])
    agent = Agent("clerk", model=model, tools=[where])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(30)
        print(await run.result_of("1.1") != str(os.getpid()), await run.result_of("1.1"))

GUARDanyio.run(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guard", "printed"),
    [
        ("if __name__ == '__main__':\n    ", "True "),
        ("", "True where failed: RuntimeError: tool 'where' was called by"),
    ],
    ids=["guarded", "not guarded"],
)
def test_a_tool_of_a_script_is_found(guard: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("GUARD", guard))

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=50, check=False)

    assert printed in done.stdout + done.stderr


def test_what_no_process_finds_is_refused() -> None:
    def inner() -> str:
        """Be inside."""
        return ""

    with pytest.raises(ToolFault, match=r"^tool 'inner' cannot run in a process of its own: .*inner is not at the top"):
        tool(risk="read", isolation="process")(inner)


def test_resources_are_refused_there() -> None:
    def top(*, context: ToolContext[Tool]) -> str:
        """Want resources."""
        return ""

    top.__qualname__ = "top"

    with pytest.raises(ToolFault, match=r"^tool 'top' runs in a process of its own, where there are no resources: "):
        tool(risk="read", isolation="process")(top)


LEFT = """
import asyncio, os, sys, time
from pathlib import Path
from choragus.agents.tool import ToolContext, tool
from choragus.agents.toolbelt.execution import Toolbelt

@tool(risk="read", isolation="process")
def look_long(note: str) -> str:
    "Hang."
    Path(note).write_text(str(os.getpid()))
    time.sleep(600)
    return ""

if __name__ == "__main__":
    context = ToolContext(run="r", call="1.1", idempotency_key="k")
    asyncio.run(Toolbelt().attempt(look_long, {"note": sys.argv[1]}, context))
"""


@pytest.mark.slow
async def test_a_worker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    script, note = tmp_path / "script.py", tmp_path / "pid"
    script.write_text(LEFT)
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), str(note))
    await in_time(lambda: written(note))

    process.kill()
    await process.wait()

    worker = int(note.read_text())
    await in_time(lambda: gone(worker))
