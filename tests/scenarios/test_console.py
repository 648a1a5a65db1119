"""What the example's console must not miss, at moments that its user meets once in a thousand runs."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from choragus.agents import (
    Agent,
    Approval,
    ApprovalRequested,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Prompt,
    Run,
    Runtime,
    ToolCall,
    tool,
)
from choragus.agents.inspection import RunSummary
from environment_audit.console import Console
from environment_audit.terminal import plain


class LateRun(Run):
    """A run in which an approval begins to wait just after somebody looked what waits."""

    def __init__(self, run: Run, looked: anyio.Event) -> None:
        super().__init__(run.id, run._desk)
        self._looked = looked

    async def pending(self) -> list[Approval]:
        found = await super().pending()
        if not self._looked.is_set():
            self._looked.set()
            async for event in self.events():
                if isinstance(event, ApprovalRequested):
                    break
        return found


def filer(looked: anyio.Event) -> Agent:
    """An agent that files at once, but not before somebody looked."""

    @tool(risk="irreversible")
    def file_report() -> str:
        """File it."""
        return "filed"

    async def decide(request: ModelRequest) -> str | ModelReply:
        await looked.wait()
        if request.messages[-1].role == "tool":
            return "done"
        return ModelReply(calls=(ToolCall(id="1", name="file_report", arguments={}),), stop="tool_calls")

    return Agent("filer", model=FunctionModel(decide), prompt=Prompt("File it.", name="filer"), tools=[file_report])


async def test_an_approval_that_is_asked_for_while_the_console_looks_is_not_missed(tmp_path: Path) -> None:
    looked = anyio.Event()
    agent = filer(looked)
    async with Runtime(agents=[agent]) as runtime:
        run = LateRun(await runtime.start(agent, "File it."), looked)
        known: RunSummary = await run.status()

        with anyio.fail_after(5):
            code = await Console(runtime, run, tmp_path, yes=True).follow(known)

    assert code == 0


def test_names_of_packages_cannot_play_with_the_terminal() -> None:
    assert plain("evil\x1b[2J\nrow\u202e") == "evil\\x1b[2J\\nrow\\u202e"


@pytest.mark.parametrize("yes", [True, False], ids=["with --yes", "without a terminal"])
async def test_a_run_without_questions_needs_nobody(tmp_path: Path, yes: bool) -> None:
    agent = Agent("quick", model=FunctionModel(lambda _: "done"), prompt=Prompt("Say done.", name="quick"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Say done.")

        assert await Console(runtime, run, tmp_path, yes=yes).follow(None) == 0
