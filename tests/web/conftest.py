"""What the tests of the page start from: files that are only read, and one that is written to."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from tests.agents.cli_clerk import complete, leave_waiting

from choragus.agents import visit


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
    return path


@pytest.fixture
async def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a run that waits for approval, owned by nobody; nobody waits for an owner."""
    monkeypatch.setattr(visit, "PATIENCE", 0.05)
    path = tmp_path / "runs.db"
    await leave_waiting(path)
    return path
