"""Without memory, files or room, whoever asks is told so in our words, and what was told is on disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from choragus.mailbox import StoreError
from choragus.supervision import System

from .starvation import LIMITS, Ending, filled, opened_with, rows, small_disk, starved
from .till import REGION, Add, Till

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits are set as on Linux")


def check(ending: Ending) -> None:
    assert ending.broken == ()
    assert ending.told > 0


@pytest.mark.parametrize(
    "limit",
    [pytest.param(one, marks=[pytest.mark.slow] * name.startswith("file size")) for name, one in LIMITS.items()],
    ids=["memory", "files", "size"],
)
def test_a_limit_of_the_process_loses_nothing(limit: tuple[str, str], tmp_path: Path) -> None:
    check(starved(tmp_path / "a.db", *limit, lines=40))


def test_a_disk_that_gets_full_loses_nothing() -> None:
    with small_disk() as folder:
        if folder is None:
            pytest.skip("nobody may mount a file system here")
        ending = filled(folder)

    check(ending)


@pytest.mark.parametrize("left", [0, 32_768], ids=["no room", "room to begin"])
async def test_an_opening_on_a_full_disk_names_the_file_and_what_to_do(left: int) -> None:
    with small_disk() as folder:
        if folder is None:
            pytest.skip("nobody may mount a file system here")
        path = folder / "a.db"
        async with System(path, actors=[REGION]) as system:
            await system.ref(Till, "a").ask(Add(1))
        room = os.statvfs(folder)
        (folder / "ballast").write_bytes(bytes(room.f_bavail * room.f_bsize - left))

        with pytest.raises(StoreError, match=rf"^{re.escape(str(path))}.*(disk I/O error|full): .*disk"):
            async with System(path, actors=[REGION]):
                pass

        (folder / "ballast").unlink()
        async with System(path, actors=[REGION]) as system:
            assert await system.ref(Till, "a").ask(Add(1)) == 2


@pytest.mark.parametrize(
    "files",
    [0, 1, 2],
)
def test_opening_with_too_few_files_is_refused_in_our_words(files: int, tmp_path: Path) -> None:
    """Each number that fails, fails at another place."""
    said = opened_with(tmp_path / "a.db", files)

    assert said.startswith("choragus.") or said == "open"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table_of_starvation_can_be_made() -> None:
    assert all(row.broken == () for row in rows(quick=False))
