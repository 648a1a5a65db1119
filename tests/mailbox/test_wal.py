"""A log of which a part is out of reach is refused; what a crash leaves is not."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.wal import FRAME, HEADER, Log, check_wal, read

from .test_sqlite_damage import batches

PAGE = 4096


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The log of eight commits of one or more frames each, as a kill leaves it."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE line (text TEXT)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(8):
            connection.execute("INSERT INTO line VALUES (?)", ("x" * 3000 * number,))
        yield Path(shutil.copyfile(f"{path}-wal", tmp_path / "killed-wal"))


def frames(log: bytes) -> range:
    return range(HEADER, len(log), FRAME + PAGE)


def test_a_log_that_a_kill_left_is_whole(log: Path) -> None:
    content = log.read_bytes()

    assert read(content) == Log(len(frames(content)), 0)
    check_wal(log)


def test_what_a_kill_may_leave_of_the_last_transaction_is_no_damage(log: Path) -> None:
    content = log.read_bytes()
    last = frames(content)[-1]

    for end in (0, 10, HEADER, HEADER + 100, last, last + 30, len(content) - 1):
        assert not read(content[:end]).is_damaged
    assert not read(content[:last] + bytes(100) + content[last + 100 :]).is_damaged


def test_a_bit_that_changed_before_the_last_two_commits_is_a_damage(log: Path) -> None:
    content = log.read_bytes()
    commits = [begin for begin in frames(content) if content[begin + 4 : begin + 8] != bytes(4)]
    chance = random.Random(1)

    for _ in range(200):
        place, bit = chance.randrange(commits[-3]), chance.randrange(8)
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        assert read(bytes(damaged)).is_damaged, place


def test_frames_of_an_older_log_behind_a_newer_one_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE line (text TEXT)")
        for _ in range(8):
            connection.execute("INSERT INTO line VALUES ('x')")
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO line VALUES ('y')")
        content = (tmp_path / "a.db-wal").read_bytes()

    found = read(content)

    assert found.whole < len(frames(content))
    assert found.behind == 0


async def test_a_store_does_not_open_upon_a_log_that_has_lost_commits(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    for batch in batches():
        await store.commit(batch)
    for name in ("runs.db", "runs.db-wal"):
        shutil.copyfile(tmp_path / name, tmp_path / f"killed-{name}")
    await store.close()
    damaged = bytearray((tmp_path / "killed-runs.db-wal").read_bytes())
    damaged[HEADER + FRAME + 7] ^= 1
    (tmp_path / "killed-runs.db-wal").write_bytes(damaged)

    for visitor in (False, True):
        with pytest.raises(
            CorruptRecord, match=r"killed-runs\.db-wal is damaged behind frame 0, and \d+ commits are out"
        ):
            await SqliteStore.open(tmp_path / "killed-runs.db", visitor=visitor)
    assert (tmp_path / "killed-runs.db-wal").read_bytes() == damaged


async def test_what_a_kill_left_in_the_log_is_in_the_database_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    await store.commit(batches()[0])
    for name in ("runs.db", "runs.db-wal"):
        shutil.copyfile(tmp_path / name, tmp_path / f"killed-{name}")
    await store.close()

    again = await SqliteStore.open(tmp_path / "killed-runs.db")

    assert (tmp_path / "killed-runs.db-wal").stat().st_size == 0
    assert len(await again.fetch(batches()[0].appends[0].receiver, 9, 1e12)) == 4
    await again.close()
