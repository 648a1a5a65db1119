"""`choragus accept`: what waits is shown line by line, and a word is bound to what was shown."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from tests.agents.mcp.calculator import adding, calculator, eventually_listed

from choragus.agents import visit
from choragus.agents.agent import Agent
from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.runtime import Runtime
from choragus.mailbox.sqlite import SqliteStore


async def opened(file: str, agent: Agent) -> str:
    """What a run of the agent gives; the server has been seen by then."""
    async with Runtime(file, agents=[agent]) as runtime:
        await eventually_listed(runtime, "calc")
        return await (await runtime.start(agent, "Go.")).result()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with a server that has changed; nobody owns it, and commands do not wait."""
    monkeypatch.setattr(visit, "PATIENCE", 0.05)
    path = str(tmp_path / "runs.db")
    anyio.run(opened, path, adding(calculator()))
    anyio.run(opened, path, adding(calculator("Add numbers.\x1b[2J")))
    return path


def test_s15_what_waits_is_shown_and_accepted_by_name(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = main(["accept", file])
    told = capsys.readouterr().out
    mark = told.partition("--seen ")[2].split()[0]
    taken = main(["accept", file, "calc", "add", "--seen", mark, "--by", "mia"])
    recorded = capsys.readouterr().out
    said = anyio.run(opened, file, adding(calculator("Add numbers.\x1b[2J")))

    assert (shown, taken) == (Exit.OK, Exit.OK)
    assert "  add: changed\n" in told
    assert "  | -description: Add two numbers.\n  | +description: Add numbers.\\u001b[2J\n" in told
    assert recorded.startswith("recorded: it takes effect when")
    assert said == '{"result":3}'
    assert main(["accept", file]) == Exit.OK
    assert capsys.readouterr().out == f"nothing waits to be accepted in {file}\n"


def test_s15_a_word_about_something_else_is_refused(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["accept", file, "calc", "--seen", "0" * 12, "--by", "mia"])

    said = anyio.run(opened, file, adding(calculator("Add numbers.\x1b[2J")))

    assert said.startswith("add of server calc is not what was accepted")
    assert "mcp.refused" in anyio.run(kinds, file)
    capsys.readouterr()


def test_a_server_that_is_not_there_and_a_word_about_none_are_refused(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accept", file, "other"]) == Exit.USAGE
    assert main(["accept", file, "--by", "mia"]) == Exit.USAGE
    assert main(["accept", file, "calc", "divide", "--by", "mia"]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "which server? Name one" in told
    assert "server 'calc' offers no tool 'divide': it has add" in told


async def kinds(file: str) -> list[str]:
    """The kinds of all that stands in the file's logbook."""
    store = await SqliteStore.open(file, visitor=True)
    try:
        return [entry.kind for entry in await store.log(after=0, limit=1_000)]
    finally:
        await store.close()
