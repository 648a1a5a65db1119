"""The lock beside the database file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from choragus.mailbox import lock
from choragus.mailbox.errors import StoreError
from choragus.mailbox.lock import FileLock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db.lock"


def test_one_holds_the_lock_at_a_time(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)

    assert [first.acquire(), second.acquire(), first.acquire()] == [True, False, True]
    assert [first.is_held, second.is_held] == [True, False]


def test_a_released_lock_is_free(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    first.acquire()

    first.release()
    first.release()

    assert second.acquire()
    assert path.exists()


def test_the_file_names_the_last_holder(path: Path) -> None:
    path.write_text("a much longer text that was here before")

    FileLock(path).acquire()

    assert FileLock(path).holder() == os.getpid()


@pytest.mark.parametrize("content", [None, "", "x"], ids=["missing", "empty", "text"])
def test_without_a_number_nobody_is_named(path: Path, content: str | None) -> None:
    if content is not None:
        path.write_text(content)

    assert FileLock(path).holder() is None


def test_a_lock_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^the lock file .*/no/x\.lock cannot be opened: No such file or directory$"):
        FileLock(tmp_path / "no" / "x.lock").acquire()


def test_a_platform_without_flock_is_told_when_it_claims(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)

    with pytest.raises(StoreError, match=r"this platform has no flock, so nobody can own the file; use Linux"):
        FileLock(path).acquire()
