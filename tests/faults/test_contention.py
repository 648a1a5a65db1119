"""Whoever else is at the file: callers wait or are told in our words, and turns go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from .contention import asked_while_locked, opened_while_locked, patience, rows, written_beside_a_reader

SMALL = 8_000_000
"""Twice what the log takes before it is copied into the file."""


async def test_a_caller_waits_out_a_write_lock(tmp_path: Path) -> None:
    outcome = await asked_while_locked(tmp_path / "a.db", 0.3)

    assert (outcome.told, outcome.ended, outcome.total) == ("reply", "", 2)


async def test_a_write_lock_for_longer_than_anybody_waits_is_no_end(tmp_path: Path) -> None:
    with patience(0.2):
        outcome = await asked_while_locked(tmp_path / "a.db", 0.6)

    assert outcome.total in (1, 2)
    assert outcome.ended == ""
    assert "database is locked" not in outcome.told


async def test_opening_a_file_that_is_locked_for_long_names_whoever_has_it(tmp_path: Path) -> None:
    with patience(0.2):
        text = await opened_while_locked(tmp_path / "a.db", 5.0)

    assert "database is locked" not in text
    assert not text.startswith("CommitUnknown")


async def test_a_visitor_that_reads_without_end_does_not_let_the_log_grow(tmp_path: Path) -> None:
    growth = await written_beside_a_reader(tmp_path / "a.db", 0.4, holds=False)

    assert growth.turns > 0
    assert growth.largest < SMALL


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table_of_contention_can_be_made() -> None:
    assert len(rows(quick=False)) == 5
