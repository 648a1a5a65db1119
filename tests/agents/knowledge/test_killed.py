"""A process that is killed while it puts and forgets texts: what it said stands, and the index says the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.agents.play import scripted

from choragus.agents.runtime import Runtime


def said_before_kill(path: Path, lines: int) -> list[list[str]]:
    """What the process has said, killed behind so many lines."""
    command = [sys.executable, str(Path(__file__).with_name("putting.py")), str(path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as told:
        said = [told.readline().split() for _ in range(lines)]
        child.kill()
        child.wait()
        return [*said, *(line.split() for line in told.read().splitlines() if line.count(" ") == 1)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("lines", [1, 4, 7, 16, 33, 60])
async def test_what_was_put_and_forgotten_before_a_kill_stands(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "runs.db"
    said = said_before_kill(path, lines)

    async with Runtime(path, agents=[scripted("done")]) as runtime:
        kept = [str(record["id"]) async for record in runtime.library("facts").export()]
        assert (await runtime.store.verify()).problems == ()
        forgotten = {number for what, number in said if what == "forgot"}
        assert len(kept) == len(set(kept))
        assert {f"n{number}" for what, number in said if what == "put" and int(number) % 3 < 2} <= set(kept)
        assert not {f"n{number}" for number in forgotten} & set(kept)
        for id in kept:
            assert {one.id for one in await runtime.library("facts").search(f"number{id[1:]}")} == {id}
        for number in forgotten:
            assert await runtime.library("facts").search(f"number{number}") == []
