"""Opening an SQLite file: made, migrated, or refused with every byte in its place."""

# ruff: noqa: ASYNC240  # the tests put small files in place themselves

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from choragus.mailbox import query
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import FileInUse, NewerSchema, NotChoragusFile, StoreError
from choragus.mailbox.schema import APPLICATION_ID, MIGRATIONS
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Turn

ALICE = actor_id("bank.account", "alice")
ADD = Record("bank.deposit", 1, b"{}")
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, state=ADD)
BATCH = Batch(node="a", fence=1, at=10.0, turns=(TURN,))
KNOWN = len(MIGRATIONS)
NEXT = "ALTER TABLE meta ADD COLUMN note TEXT"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    yield store
    await store.close()


def run_sql(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def threads_end() -> bool:
    """Whether every thread of aiosqlite comes to its end; a connection that nobody closed keeps its own for ever."""
    workers = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for thread in workers:
        thread.join(5)
    return not any(thread.is_alive() for thread in workers)


async def test_a_missing_file_is_created_for_its_owner_only(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    await store.close()

    assert modes == dict.fromkeys(("runs.db", "runs.db-wal", "runs.db-shm", "runs.db.lock"), 0o600)


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_every_table_is_strict_and_the_log_is_written_ahead(path: Path, synchronous: str) -> None:
    store = await SqliteStore.open(path, synchronous="FULL" if synchronous == "FULL" else "NORMAL")

    def ask(connection: sqlite3.Connection, pragma: str) -> object:
        return connection.execute(f"PRAGMA {pragma}").fetchone()[0]

    found = [await store._hop(ask, name) for name in ("journal_mode", "synchronous", "user_version", "application_id")]
    await store.close()

    assert found == ["wal", 2 if synchronous == "FULL" else 1, len(MIGRATIONS), APPLICATION_ID]
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite%'")
        assert all(strict for _, strict in tables)


@pytest.mark.parametrize("blank", ["", "PRAGMA page_size = 4096; VACUUM;"], ids=["empty", "unused-database"])
async def test_a_file_that_nobody_has_used_is_taken(path: Path, blank: str) -> None:
    path.touch()
    run_sql(path, blank)

    store = await SqliteStore.open(path)

    assert await store.waiting(0.0) == []
    await store.close()


FOREIGN = {
    "text": b"dear diary, " * 50,
    "short": b"SQLite format 3",
    "encrypted": bytes(range(256)) * 16,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("visitor", [False, True], ids=["owner", "visitor"])
async def test_s25_a_file_that_is_no_database_is_refused_untouched(path: Path, content: bytes, visitor: bool) -> None:
    path.write_bytes(content)

    with pytest.raises(NotChoragusFile, match=r"^.*runs\.db is no SQLite database"):
        await SqliteStore.open(path, visitor=visitor)

    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE message (id TEXT);",
        "PRAGMA application_id = 42;",
        "PRAGMA user_version = 1;",
        "PRAGMA journal_mode = WAL; CREATE TABLE x (y);",
    ],
    ids=["table", "application", "version", "wal"],
)
async def test_a_database_of_another_program_is_refused_untouched(path: Path, script: str) -> None:
    run_sql(path, script)
    before = path.read_bytes()

    with pytest.raises(NotChoragusFile, match=r"^.*runs\.db is a database of another program"):
        await SqliteStore.open(path)

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


async def test_s25_a_newer_schema_is_refused_untouched(path: Path) -> None:
    await (await SqliteStore.open(path)).close()
    run_sql(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()

    with pytest.raises(
        NewerSchema, match=rf"^.*runs\.db has schema {KNOWN + 1}, this choragus knows {KNOWN}: upgrade choragus$"
    ):
        await SqliteStore.open(path)

    assert path.read_bytes() == before


async def test_a_newer_schema_that_only_the_log_knows_is_refused_untouched(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer program crashed before its log was copied back into the file."""
    await (await SqliteStore.open(path)).close()
    with monkeypatch.context() as newer:
        newer.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, NEXT))
        store = await SqliteStore.open(path)
        crashed = tmp_path / "crashed.db"
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{crashed}{suffix}")
        await store.close()
    before = [Path(f"{crashed}{suffix}").read_bytes() for suffix in ("", "-wal")]

    with pytest.raises(NewerSchema):
        await SqliteStore.open(crashed)

    assert [Path(f"{crashed}{suffix}").read_bytes() for suffix in ("", "-wal")] == before


async def test_an_older_schema_is_migrated_and_keeps_its_records(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(BATCH)
    await store.close()
    monkeypatch.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, NEXT))

    again = await SqliteStore.open(path)

    assert (await again.load(ALICE)).state == ADD
    await again.close()
    assert int.from_bytes(path.read_bytes()[60:64], "big") == KNOWN + 1


@pytest.mark.parametrize(
    ("visitor", "text"),
    [(True, "open it once with a choragus system"), (False, f"process {os.getpid()} uses it: stop it first")],
    ids=["visitor", "beside-an-owner"],
)
@pytest.mark.usefixtures("store")
async def test_an_older_schema_is_not_migrated_by_a_visitor_or_under_an_owner(
    path: Path, monkeypatch: pytest.MonkeyPatch, visitor: bool, text: str
) -> None:
    monkeypatch.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, NEXT))

    with pytest.raises(StoreError, match=rf"^.*runs\.db has the older schema {KNOWN}.*{text}$"):
        await SqliteStore.open(path, visitor=visitor)


async def test_a_failed_migration_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await SqliteStore.open(path)).close()
    monkeypatch.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, f"{NEXT}; DROP TABLE absent"))

    with pytest.raises(StoreError, match="no such table: absent"):
        await SqliteStore.open(path)

    monkeypatch.undo()
    await (await SqliteStore.open(path)).close()


async def test_two_that_open_a_missing_file_at_once_both_get_it(path: Path) -> None:
    stores = await asyncio.gather(*(SqliteStore.open(path) for _ in range(4)))

    assert [await store.waiting(0.0) for store in stores] == [[]] * 4
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    ("place", "text"),
    [(".", "Is a directory"), ("no/such/folder.db", "No such file or directory"), ("file/runs.db", "Not a directory")],
    ids=["directory", "missing-folder", "below-a-file"],
)
async def test_a_path_that_cannot_be_a_file_is_named(tmp_path: Path, place: str, text: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=rf"^{tmp_path / place} cannot be opened: {text}$"):
        await SqliteStore.open(tmp_path / place)


async def test_a_name_with_marks_of_a_link_is_just_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#c%20.db"

    await (await SqliteStore.open(path)).close()

    assert path in tmp_path.iterdir()


async def test_a_file_has_one_owner_by_whatever_link_it_is_reached(
    path: Path, tmp_path: Path, store: SqliteStore
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    other = await SqliteStore.open(link)

    with pytest.raises(FileInUse):
        await other.claim("b", 30.0, 1.0)

    await other.close()
    assert isinstance(await store.commit(BATCH), Committed)


async def test_a_visitor_needs_a_file(path: Path) -> None:
    with pytest.raises(StoreError, match=r"^.*runs\.db does not exist: name a file"):
        await SqliteStore.open(path, visitor=True)
    assert not path.exists()

    path.touch()
    with pytest.raises(StoreError, match=r"^.*runs\.db is empty: name a file"):
        await SqliteStore.open(path, visitor=True)
    assert path.read_bytes() == b""


async def test_an_old_sqlite_is_refused_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choragus.mailbox.file.SQLITE_FLOOR", (99, 1, 0))

    with pytest.raises(StoreError, match=r"^Python's SQLite is .*, choragus needs 99\.1\.0: install a newer one$"):
        await SqliteStore.open(path)


async def test_a_failed_opening_leaves_no_thread(path: Path) -> None:
    path.write_bytes(b"no database")

    with pytest.raises(NotChoragusFile):
        await SqliteStore.open(path)

    assert threads_end()


async def test_a_cancelled_opening_leaves_no_thread(path: Path) -> None:
    opening = asyncio.ensure_future(SqliteStore.open(path))
    await asyncio.sleep(0)

    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    assert threads_end()


async def test_a_first_read_that_fails_is_told_as_ours_and_leaves_no_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when there is no descriptor left for the -shm, which only the first read opens."""
    before = set(threading.enumerate())

    def fails(connection: sqlite3.Connection) -> int:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(query, "data_version", fails)

    with pytest.raises(StoreError, match=r"runs\.db cannot be used: unable to open database file"):
        await SqliteStore.open(path)

    left = [thread for thread in set(threading.enumerate()) - before if "_connection_worker" in thread.name]
    for thread in left:
        thread.join(10)  # it is told to end, and may need a moment
    assert not any(thread.is_alive() for thread in left)


def begin_and_lose_power(path: Path, tmp_path: Path) -> None:
    """Leave of a database's first transaction what may be left: the journal, and some of the pages."""
    made = tmp_path / "made.db"
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE blob (body)")
        connection.executemany("INSERT INTO blob VALUES (zeroblob(3000))", [()] * 50)
        pages = made.read_bytes()
        path.with_name(f"{path.name}-journal").write_bytes(made.with_name("made.db-journal").read_bytes())
    assert len(pages) > 4096
    path.write_bytes(bytes(512) + pages[512:])


async def test_a_file_whose_making_was_cut_short_by_a_loss_of_power_is_made_anew(path: Path, tmp_path: Path) -> None:
    begin_and_lose_power(path, tmp_path)
    with pytest.raises(NotChoragusFile):
        await SqliteStore.open(path, visitor=True)

    store = await SqliteStore.open(path)

    assert (await store.verify()).problems == ()
    await store.close()


async def test_a_file_of_somebody_else_beside_a_journal_keeps_every_byte(path: Path, tmp_path: Path) -> None:
    begin_and_lose_power(path, tmp_path)
    path.write_bytes(b"precious" * 1000)

    with pytest.raises(NotChoragusFile):
        await SqliteStore.open(path)

    assert path.read_bytes() == b"precious" * 1000
