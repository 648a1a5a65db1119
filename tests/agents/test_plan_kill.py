"""A long planned run whose process is killed again and again ends on plan."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from choragus.agents.plan.book import StepState
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status

from .plan_child import walker

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("steps", "kills"),
    [(8, 1), pytest.param(500, 10, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
    ids=["8 steps, a kill", "500 steps, 10 kills"],
)
async def test_a_planned_run_that_is_killed_ends_on_plan(tmp_path: Path, steps: int, kills: int) -> None:
    file, journal = tmp_path / "runs.db", tmp_path / "journal"

    for kill in range(kills):
        _lives(file, journal, steps, until=(kill + 1) * steps // (kills + 1))
    _lives(file, journal, steps, until=steps + 1)

    names = [f"s{number:03d}" for number in range(steps)]
    marked = Counter(journal.read_text().splitlines())
    assert [line.split()[0] for line in marked] == names, "each step once, in its order"
    assert set(marked.values()) == {1}
    agent = walker(journal, steps)
    async with Runtime(file, agents=[agent]) as runtime:
        (summary,) = await runtime.runs()
        plan = await (await runtime.run(summary.run)).plan()
        assert plan is not None
        assert (summary.status, summary.outcome, summary.degraded) == (Status.COMPLETED, "all is marked", False)
        assert [(one.step.id, one.state, one.attempts) for one in plan.steps] == [
            (name, StepState.SUCCEEDED, 1) for name in names
        ]
        assert len(plan.revisions) == 1
        assert (await runtime.store.verify()).problems == ()


def _lives(file: Path, journal: Path, steps: int, until: int) -> None:
    """One life of the process, killed when so many steps are marked; to its end when there are not as many."""
    command = [sys.executable, "-m", "tests.agents.plan_child", str(file), str(journal), str(steps)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while child.poll() is None:
            if journal.exists() and journal.read_text().count("\n") >= until:
                child.kill()
            time.sleep(0.002)
    finally:
        child.kill()
        out, err = child.communicate()
    if until > steps:
        assert (child.returncode, out) == (0, b"all is marked\n"), err.decode()
    else:
        assert child.returncode == -9, err.decode()
