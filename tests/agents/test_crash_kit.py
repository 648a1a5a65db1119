"""An agent is crashed wherever it can be, with no more than the agent and its goal."""

from __future__ import annotations

import pytest

from choragus.agents.testing import crash_everywhere

from .crashing import Bank, clerk, forgetful


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
