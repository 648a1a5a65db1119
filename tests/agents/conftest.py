"""What the tests of the command line start from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from choragus.actors.draft import Draft
from choragus.agents import visit
from choragus.agents.logbook.checking import complaints
from choragus.agents.logbook.table import KINDS

from .cli_clerk import leave_waiting
from .many_runs import fill


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test has the runtime write is of a declared kind, with its fields."""
    found: set[str] = set()
    write = Draft.entry

    def checked(self: Draft, stream: str, kind: str, body: bytes) -> None:
        data = json.loads(body)
        if kind in KINDS or str(data.get("actor", "")).startswith("choragus."):
            found.update(complaints(kind, data))
        write(self, stream, kind, body)

    monkeypatch.setattr(Draft, "entry", checked)
    yield
    assert not found


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
