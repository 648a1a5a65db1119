"""What a step of a conversation costs on disk, early and late."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from choragus.agents.agent import Agent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.tool import tool
from choragus.mailbox.sqlite import SqliteStore

CEILING = 2800
"""Bytes for a step with one model call and one tool call: 16 entries, 3 batches, and their index."""


def script(steps: int) -> list[Answer]:
    looks = (ToolCall(f"c{number:04d}", "look", {"number": 1000 + number}) for number in range(steps))
    return [*(ModelReply(text="I look on.", calls=(look,)) for look in looks), "Done."]


@pytest.mark.parametrize(
    ("early", "late", "over"),
    [(20, 100, 50), pytest.param(100, 1000, 250, marks=[pytest.mark.slow, pytest.mark.timeout(300)])],
    ids=["step-100", "step-1000"],
)
async def test_a_late_step_takes_as_much_room_as_an_early_one(tmp_path: Path, early: int, late: int, over: int) -> None:
    """Sizes are pages of the file as committed, taken by the tool itself, over so many steps."""
    path = tmp_path / "runs.db"
    sizes: dict[int, int] = {}

    @tool(risk="read")
    def look(number: int) -> str:
        """What stands there."""
        with closing(sqlite3.connect(path)) as connection:
            pages, page = (connection.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
        sizes[number - 1000] = pages * page
        return f"at {number} stands nothing of interest"

    agent = Agent(
        "walker",
        model=ScriptedModel(script(late + over)),
        tools=[look],
        limits=Limits(steps=late + over + 1, tokens=10**9),
    )
    async with Runtime(agents=[agent], store=await SqliteStore.open(path, synchronous="NORMAL")) as runtime:
        await (await runtime.start(agent, "Walk.", key="walk")).result()

    first, last = ((sizes[step + over - 1] - sizes[step - 1]) / over for step in (early, late))
    assert abs(last - first) <= 0.1 * first
    assert max(first, last) <= CEILING
