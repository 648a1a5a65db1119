"""`choragus explain`: what the model was given, from the file alone."""

from __future__ import annotations

import json

import pytest

from choragus.agents.agent import Agent
from choragus.agents.cli import explaining
from choragus.agents.cli.exit import Exit
from choragus.agents.context.block import Block
from choragus.agents.context.option import Context
from choragus.agents.context.strategy import Summarise, Window
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel

from .cli_clerk import RUN, command
from .context_play import GOAL, Heard, walker

Printed = pytest.CaptureFixture[str]


async def _file(path: str, heard: Heard) -> str:
    """A file with a run that has ended; its id."""
    small = FunctionModel(heard.summarise, name="small")
    context = Context(
        budget_tokens=1_000,
        compaction=[Summarise(model=small, keep_tokens=300), Window()],
        blocks=[Block("notes", "Nothing yet.")],
    )
    agent = walker(context, heard, steps=9)
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        return run.id


async def test_json_does_not_move_the_cursor(file: str, capsys: Printed) -> None:
    agent = walker(None, Heard(), steps=0)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "go \x9b2J\u202e")
        await run.result()

    await command("explain", file, run.id, "--json")

    printed = capsys.readouterr().out
    assert "go \x9b2J\u202e" in str(json.loads(printed)["pieces"][-1]["text"])
    assert printed.removesuffix("\n").isprintable()


async def test_a_step_is_printed_with_what_was_left_out(
    file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "page", lambda: 80)
    heard = Heard()
    run = await _file(file, heard)

    code = await command("explain", file, run[:6], "9")

    lines = capsys.readouterr().out.splitlines()
    assert code == Exit.OK
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"run      {run}, step 9, agent walker"
    assert lines[3] == "tools    look, edit_block, append_to_block"
    assert "  pinned line 1, user: pinned: the first line of the user" in "\n".join(lines)
    assert any("(calls look {" in line for line in lines)
    assert any(", tool look: " in line for line in lines)
    assert "" not in (line.strip() for line in lines[8:] if line.startswith(" "))
    assert any("summary, user: summary 1, written by small" in line for line in lines)
    assert any(line.startswith("  lines 2 to ") and "in summary 1, by summarise 1" in line for line in lines)


async def test_json_has_the_texts_that_the_model_got(file: str, capsys: Printed) -> None:
    heard = Heard()
    run = await _file(file, heard)

    code = await command("explain", file, run, "--json")

    told = json.loads(capsys.readouterr().out)
    texts = [one["text"] for one in told["pieces"] if one["role"]]
    assert code == Exit.OK
    assert texts == [message.text for message in heard.requests[-1].messages]
    assert told["budget_tokens"] == 1_000


async def test_a_step_that_is_not_there_is_refused(waiting: str, capsys: Printed) -> None:
    assert await command("explain", waiting, RUN, "7") == Exit.USAGE
    assert "has assembled no context for step 7: it has steps 1 to" in capsys.readouterr().err


async def test_a_run_without_a_context_is_explained_as_far_as_its_file_goes(waiting: str, capsys: Printed) -> None:
    assert await command("explain", waiting, RUN) == Exit.OK
    said = capsys.readouterr().out
    assert "no budget" in said
    assert "the whole conversation is sent" in said


async def test_an_agent_without_a_prompt_is_told_apart_from_one_whose_prompt_stands_in_the_code(
    file: str, capsys: Printed
) -> None:
    agents = [Agent(name, model=ScriptedModel(["yes"]), prompt=prompt) for name, prompt in (("a", ""), ("b", "Hi."))]
    async with Runtime(file, agents=agents) as runtime:
        for agent in agents:
            run = await runtime.start(agent, "Go.")
            await run.result()
            await command("explain", file, run.id)

    told = [line.partition(",")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("prompt ")]
    assert told == ["prompt   none", "prompt   inline"]
