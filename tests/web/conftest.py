"""What the tests of the page start from: files that are only read, and one that is written to."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio
import pytest
from tests.agents.cli_clerk import complete, leave_waiting

from choragus.agents import visit


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
    return path


@pytest.fixture(scope="session")
def _waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("waiting") / "runs.db"
    anyio.run(leave_waiting, path)
    return path


@pytest.fixture
def waiting(_waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a run that waits for approval, owned by nobody; nobody waits for an owner."""
    monkeypatch.setattr(visit, "PATIENCE", 0.01)
    return Path(shutil.copy(_waiting, tmp_path / "runs.db"))
