"""A disk that fails: one clear error or none, and after plain restarts all as undisturbed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from .family import Extent, processors
from .interposer import Kind, Mode, Shot
from .io_error import ERRORS, IoError, errors, failed_then_killed, plans
from .kills import row_of
from .stand import Stand
from .trial import Plan

SAMPLED = [error for error in ERRORS if error.lasting == 1 and error.mode is not Mode.EDQUOT]
SAMPLED += [error for error in ERRORS if error.lasting != 1 and error.mode is Mode.ENOSPC]
"""A disk that fails for a while takes as long: two of them are enough here."""


@pytest.mark.parametrize("error", SAMPLED, ids=lambda error: error.fault)
def test_an_error_of_the_disk_loses_and_doubles_nothing(actors: Stand, error: IoError) -> None:
    row = row_of(actors, error.fault, plans(error, actors.count(error.kinds), 1))

    assert row.broken == ()
    assert row.points == 1


def test_a_kill_after_a_failed_commit_loses_and_doubles_nothing(agent: Stand) -> None:
    row = row_of(agent, "failed, then killed", failed_then_killed(agent.count(Kind.WRITE), 2, Mode.ENOSPC))

    assert row.broken == ()


def test_a_file_that_cannot_be_made_is_one_error_that_names_it(actors: Stand) -> None:
    seen = actors.run(Plan(lives=((Shot(1, Mode.ENOSPC),),), kinds=Kind.NAME))

    assert [one.type for one in seen.raised] == ["choragus.mailbox.errors.StoreError"]
    assert f"scenario.db cannot be opened: {os.strerror(errno.ENOSPC)}" in seen.raised[0].text
    assert actors.broken(seen) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_errors_at_storage_calls(library: Path, tmp_path: Path) -> None:
    rows = list(errors(Extent(points=2600, library=library, folder=tmp_path, servers=processors())))

    assert [one for row in rows for one in row.broken] == []
    assert sum(row.points for row in rows) > 2000
