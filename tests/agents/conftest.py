"""What the tests of the command line start from."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from choragus.agents import visit

from .cli_clerk import leave_waiting
from .many_runs import fill


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Where the runs of a test live."""
    return str(tmp_path / "runs.db")


@pytest.fixture
async def waiting(file: str) -> str:
    """A file with a run that waits for approval, owned by nobody; commands do not wait for an owner."""
    await leave_waiting(Path(file))
    return file


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 70 runs to be read: 64 have ended, 10 of them failed, a minute after one another."""
    path = tmp_path_factory.mktemp("many") / "runs.db"
    anyio.run(fill, path, 70)
    return path


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make visitors impatient."""
    monkeypatch.setattr(visit, "PATIENCE", 0.05)
