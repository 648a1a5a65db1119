"""An agent is crashed wherever it can be, with no more than the agent and its goal."""

from __future__ import annotations

from pathlib import Path

import pytest

from choragus.agents.testing import crash_everywhere
from choragus.agents.testing.crash import Play
from choragus.supervision.testing import Ledger

from .crashing import Bank, clerk, forgetful


async def test_the_scenario_plays_the_person_and_notes_every_call(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")

    play = Play(func=clerk, goal="Go.", resources=Bank)

    assert await play(tmp_path / "runs.db", ledger) == {"status": "completed", "outcome": "All is done."}
    assert sorted(line.what for line in ledger.changes()) == [
        'call 1.1: look {"at":"here"}',
        'call 1.2: reserve {"what":"a table"}',
        'call 2.1: pay {"amount":5}',
        'call 2.2: pay {"amount":5}',
    ]
    assert sorted(line.what[:8] for line in ledger.changes() if line.key) == ["call 1.1", "call 1.2"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_agent_survives_a_crash_behind_a_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third change to the world: one of two calls of the same payment, whose result is not on disk."""
    monkeypatch.setenv("CHORAGUS_CRASH", "after note 3")

    report = await crash_everywhere(clerk, "Go.", resources=Bank)

    assert (report.scenario, report.kills) == ("clerk", 1)
    assert report.points["after note"] == 4


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_agent_that_goes_by_the_memory_of_its_process_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after note 1")

    with pytest.raises(AssertionError, match=r"another outcome: .*number 1.* in place of .*number 2"):
        await crash_everywhere(forgetful, "Go.")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_agent_survives_every_crash_and_a_second_one() -> None:
    report = crash_everywhere(clerk, "Go.", resources=Bank, pairs=20).check()

    print(report)
    assert set(report.points) == {"before commit", "after commit", "before effect", "after note"}
