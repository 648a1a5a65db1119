"""Ceilings, ledgers, sub-runs and pauses under kills at every commit and effect."""

from __future__ import annotations

import pytest

from choragus.agents.testing import INTERRUPTIONS
from choragus.supervision.testing import crash_everywhere

from .ceilings import asking, tree

pytestmark = pytest.mark.timeout(180)

MONEY = {"budget.reserved", "budget.spent", "ledger.reserved", "ledger.spent"}

PAUSED = INTERRUPTIONS | MONEY | {"run.paused", "run.resumed"}
"""The host pauses and resumes anew, and a paused run gives back what it has set aside, to set it aside again."""


async def test_a_ceiling_that_asks_survives_crashes() -> None:
    report = await crash_everywhere(asking, sample=2)

    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
async def test_a_tree_on_a_ledger_survives_crashes() -> None:
    report = await crash_everywhere(tree, sample=2, allowed=PAUSED)

    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", [asking, tree])
def test_full_ceilings_survive_every_crash_and_a_second_one(scenario: object) -> None:
    allowed = PAUSED if scenario is tree else ()
    print(crash_everywhere(scenario, pairs=30, allowed=allowed).check())  # type: ignore[arg-type]  # one of the two
