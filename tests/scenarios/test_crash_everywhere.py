"""`crash_everywhere` on a bank and on the audit example, and on scenarios that a crash breaks."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from choragus.supervision.testing import CrashReport, Ledger, ScenarioFault, crash_everywhere

from . import broken
from .bank import INTERRUPTED, transfers


async def test_a_bank_survives_crashes() -> None:
    report = await crash_everywhere(transfers, sample=12, pairs=3, allowed=INTERRUPTED)

    assert report.trials == report.kills - sum(1 for _ in range(report.kills - report.trials))
    assert set(report.points) == {"before commit", "after commit", "before effect", "after note"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_full_a_bank_survives_every_crash_and_a_second_one() -> None:
    report = crash_everywhere(transfers, pairs=100, allowed=INTERRUPTED).check()

    print(report)


def of(report: CrashReport, point: str) -> str:
    """What was said of the crash at that point."""
    return next(str(fault) for fault in report.faults if fault.where.startswith(point))


def test_an_effect_in_a_handler_is_found() -> None:
    report = crash_everywhere(broken.impatient).run()
    print(report)
    assert 0


def test_state_in_a_global_is_found() -> None:
    report = crash_everywhere(broken.forgetful).run()
    print(report)
    assert 0


def test_a_rerunnable_effect_that_is_not_idempotent_is_found() -> None:
    report = crash_everywhere(broken.careless).run()
    print(report)
    assert 0


@pytest.mark.parametrize(
    "s",
    [
        broken.chatty,
        broken.stuck,
        broken.unloved,
        broken.another_each_time,
        broken.fails,
        broken.leaves_no_file,
        broken.no_json,
        lambda path, ledger: None,
    ],
)
def test_x(s):
    report = crash_everywhere(s, timeout=2, sample=5).run()
    print(report)
    assert 0
