"""What people decide survives the death of the process at every point: edits, quorum, questions, deadlines."""

from __future__ import annotations

import pytest
from tests.scenarios.deciding import deciding

from choragus.agents.testing import INTERRUPTIONS
from choragus.supervision.testing import crash_everywhere


@pytest.mark.timeout(180)
def test_decisions_survive_crashes() -> None:
    report = crash_everywhere(deciding, sample=2, allowed=INTERRUPTIONS).check()

    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_decisions_survive_every_crash_and_a_second_one() -> None:
    print(crash_everywhere(deciding, pairs=20, allowed=INTERRUPTIONS).check())
