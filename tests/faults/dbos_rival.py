"""DBOS at the plan: one workflow, whose steps are recorded in SQLite."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,untyped-decorator"
from __future__ import annotations

from pathlib import Path

from dbos import DBOS, SetWorkflowID

from .rival import World

WORKFLOW = "plan"
POLL = 0.05
"""Seconds between two looks at the result; a second by default, which would only make the table slower."""

_worlds: list[World] = []
"""The one of this process: a recovered workflow begins by itself, so it finds the world here."""


@DBOS.step()
def step(number: int) -> str:
    """One effect."""
    return _worlds[-1].change(number, key=f"{DBOS.workflow_id}:{number}")


@DBOS.workflow()
def steps_of(amount: int) -> int:
    """All of them."""
    return len([step(number) for number in range(1, amount + 1)])


async def plan(path: Path, world: World, steps: int) -> None:
    """Begin the workflow, or wait for the one that `launch` goes on with."""
    _worlds.append(world)
    DBOS(
        config={
            "name": "rivals",
            "system_database_url": f"sqlite:///{path}",
            "application_version": "1",
            "log_level": "CRITICAL",
        }
    )
    DBOS.launch()
    try:
        with SetWorkflowID(WORKFLOW):
            handle = DBOS.start_workflow(steps_of, steps)
        done = handle.get_result(polling_interval_sec=POLL)
        assert done == steps, f"the plan has {steps} steps, and ended after {done}"
    finally:
        DBOS.destroy()
