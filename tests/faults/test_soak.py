"""The soak runs, and leaves whole files; `python -m tests.faults.soak` is the hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from .soak import JUDGED, soak, whole


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read as on Linux")
@pytest.mark.timeout(180)
async def test_a_minute_of_a_soak_works_and_leaves_whole_files(tmp_path: Path) -> None:
    done = await soak(tmp_path, 1, share=0.5)

    assert done.bank.turns > 1_000
    assert done.ended > 10
    assert await whole(done.bank.path)
    assert await whole(done.agents.path)
    assert {figure: len(row) for figure, row in done.samples.second_half().items()} == dict.fromkeys(JUDGED, 30)
