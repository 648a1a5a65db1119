"""What a step of a plan costs on disk, in a short plan and in a long one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.plan_play import follows
from tests.agents.play import call, calls

from choragus.agents.agent import Agent
from choragus.agents.errors import LimitReached
from choragus.agents.limits import Limits
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.step import Plan, PlanStep
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.mailbox.address import actor_id
from choragus.mailbox.sqlite import SqliteStore

TAKEN = 30
"""Steps of each plan that are carried out."""

STATE = 2_500
"""Bytes of the orchestrator's state, however long its plan is."""


async def _carried_out(path: Path, length: int) -> tuple[float, int]:
    """Bytes of the file for each step of a plan of that length, and bytes of the state in its middle."""
    sizes: list[int] = []

    @tool(risk="read")
    def look(at: str) -> str:
        """What stands there."""
        with closing(sqlite3.connect(path)) as connection:
            pages, page = (connection.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
        sizes.append(pages * page)
        return "nothing of interest"

    names = [f"s{number:03d}" for number in range(length)]
    plan = Plan([PlanStep(name, f"Look at {name}. " * 20, tools=["look"]) for name in names])
    model = FunctionModel(follows({name: (calls(call("look", "", at=name)), "seen") for name in names}))
    limits = Limits(steps=2 * TAKEN, tokens=10**9)
    agent = Agent("walker", model=model, tools=[look], limits=limits, planning=Planning())
    async with Runtime(agents=[agent], store=await SqliteStore.open(path, synchronous="NORMAL")) as runtime:
        run = await runtime.start(agent, "Walk.", plan=plan)
        with pytest.raises(LimitReached):
            await run.result(30)
        state = (await runtime.store.load(actor_id(ORCHESTRATOR, run.id))).state
        assert state is not None
        return (sizes[-1] - sizes[4]) / (len(sizes) - 5), len(state.body)


async def test_a_step_of_a_long_plan_takes_as_much_room_as_one_of_a_short_plan(tmp_path: Path) -> None:
    short, _ = await _carried_out(tmp_path / "short.db", TAKEN + 5)
    long, state = await _carried_out(tmp_path / "long.db", 600)

    assert abs(long - short) <= 0.1 * short
    assert state <= STATE
