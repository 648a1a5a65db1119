"""A file read by the standard library alone says what the store says of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choragus.mailbox import reader, schema
from choragus.mailbox.address import actor_id
from choragus.mailbox.digest import digest
from choragus.mailbox.errors import CorruptRecord, NewerSchema, NotChoragusFile, StoreError
from choragus.mailbox.reader import Reader
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry, Turn, View

HEAVY = ("_hashlib", "attrs", "attr", "msgspec", "cattrs", "anyio", "asyncio", "aiosqlite", "opentelemetry")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with 1,200 entries of a run and one of the system, and three runs."""
    path = tmp_path / "runs é.db"
    anyio.run(_fill, path)
    return path


async def _fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.claim("a", 1e12, 0.0)
    lines = tuple(Entry("run/1", "line", float(n), b'{"step":%d,"actor":"choragus.memory"}' % n) for n in range(1200))
    views = tuple(
        View(kind="run", key=key, scope=scope, sort=sort, body=b'{"goal": "%b"}' % key.encode())
        for key, scope, sort in (("5f2c", "", 2.0), ("5f", "x", 1.0), ("7a", "", 3.0))
    )
    turn = Turn(id="t", actor=actor_id("bank.account", "alice"), fence=1, revision=0, entries=lines, views=views)
    await store.commit(Batch(node="a", fence=1, at=1.0, turns=(turn,), entries=(Entry("system", "up", 0.5, b"{}"),)))
    await store.close()


async def test_entries_and_views_are_those_of_the_store(path: Path) -> None:
    store = await SqliteStore.open(path, visitor=True)
    entries, views = await store.log(limit=5000), await store.views("run")
    await store.close()

    with Reader(path) as found:
        assert [tuple(one) for one in found.log()] == [
            (one.seq, one.stream, one.position, one.kind, one.at, one.body, one.batch, one.hash) for one in entries
        ]
        assert [one.position for one in found.read("run/1", after=400, limit=700)] == list(range(401, 1101))
        assert [(one.key, one.scope, one.sort, one.body) for one in found.views("run")] == [
            (one.key, one.scope, one.sort, one.body) for one in views
        ]


def test_views_come_newest_first_and_by_what_their_keys_begin_with(path: Path) -> None:
    with Reader(path) as found:
        assert [one.key for one in found.views("run", newest=True, limit=2)] == ["7a", "5f2c"]
        assert [one.key for one in found.views("run", "x")] == ["5f"]
        assert found.keys("run", "5f") == ["5f", "5f2c"]
        assert (found.count("run"), found.last("run/1"), found.last("run/2")) == (3, 1200, 0)
        assert found.view("run", "none") is None


@pytest.mark.parametrize("page", [1, 2, 500])
@pytest.mark.parametrize("limit", [-1, 0, 1, 2, 3, 9])
@pytest.mark.parametrize("newest", [False, True])
def test_views_of_a_scope_are_the_same_however_many_are_read_at_a_time(
    newest: bool, limit: int, page: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Reader(path) as found:
        every = [one.key for one in found.views("run", "", newest=newest)]
        monkeypatch.setattr(reader, "_PAGE", page)

        read = [one.key for one in found.views("run", "", newest=newest, limit=limit)]

    assert read == (every if limit < 0 else every[:limit])
    assert every == (["7a", "5f2c"] if newest else ["5f2c", "7a"])


@pytest.mark.parametrize("name", ["odd ?#%&.db", "käse\udcff.db", "a\nb.db", "%41.db"])
def test_a_file_of_any_name_is_opened(name: str, path: Path) -> None:
    other = path.with_name(name)
    path.rename(other)

    with Reader(other) as found:
        assert found.count("run") == 3


async def test_what_an_owner_commits_meanwhile_is_seen(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.claim("b", 1e12, 2e12)
    with Reader(path) as found:
        before = found.changed()

        await store.commit(Batch(node="b", fence=2, at=1.0, entries=(Entry("system", "more", 2.0, b"{}"),)))

        assert (before, found.changed(), found.changed()) == (False, True, False)
        assert [one.kind for one in found.read("system")][-1] == "more"
    await store.close()


@pytest.mark.parametrize("damage", ["UPDATE entry SET kind = 'fine' WHERE seq = 7", "DELETE FROM head"])
def test_a_changed_entry_is_an_error(path: Path, damage: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()

    with Reader(path) as found, pytest.raises(CorruptRecord):
        list(found.log())


@pytest.mark.parametrize("damage", ["body = x'ff'", "sort = 9.0", "key = CAST(x'ff' AS TEXT)"])
def test_a_changed_row_hides_no_other(path: Path, damage: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE view SET {damage} WHERE key = '5f2c'")
    connection.close()

    with Reader(path) as found:
        assert [one.key for one in found.views("run")] == ["5f", "7a"]


def test_what_is_no_such_file_is_refused_in_words(tmp_path: Path, path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    (tmp_path / "empty").touch()
    sqlite3.connect(tmp_path / "foreign").execute("CREATE TABLE x (y)")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")

    for name, error, words in (
        ("none", StoreError, "does not exist"),
        ("empty", StoreError, "is empty"),
        ("text", NotChoragusFile, "no SQLite database"),
        ("foreign", NotChoragusFile, "another program"),
        (path.name, NewerSchema, "upgrade choragus"),
    ):
        with pytest.raises(error, match=words):
            Reader(tmp_path / name)


def test_nothing_is_written(path: Path) -> None:
    before = path.read_bytes()

    with Reader(path) as found:
        list(found.log())

        with pytest.raises(StoreError, match="readonly"):
            found.rows("DELETE FROM entry")
    assert path.read_bytes() == before
    assert {one.name for one in path.parent.iterdir()} <= {
        path.name,
        f"{path.name}.lock",
        f"{path.name}-wal",
        f"{path.name}-shm",
    }


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary() | st.none(), max_size=20))
def test_digests_are_those_of_the_store(fields: list[int | float | str | bytes | None]) -> None:
    assert reader.digest(*fields) == digest(*fields)


@pytest.mark.parametrize("size", [31, 32, 255, 256, 65535, 65536])
def test_digests_of_long_fields_are_those_of_the_store(size: int) -> None:
    assert reader.digest("x" * size, b"x" * size) == digest("x" * size, b"x" * size)


def test_the_reader_knows_the_schema_by_heart() -> None:
    assert (schema.APPLICATION_ID, len(schema.MIGRATIONS)) == (reader.APPLICATION_ID, reader.SCHEMA)
    assert ", ".join((*schema.VIEW.sealed, "digest")) == reader._VIEW
    assert [one.rpartition(".")[2] for one in reader._ENTRY.split(", ")] == [*schema.ENTRY.sealed, "digest"]
    assert schema.ENTRY.size == reader._ENTRY_DIGEST


def test_a_file_is_read_where_nothing_can_be_put_beside_it(path: Path) -> None:
    Path(f"{path}-shm").mkdir()  # as on a full disk, or in a folder that is only for reading

    with Reader(path) as file:
        assert [one.key for one in file.views("run", newest=True, limit=2)] == ["7a", "5f2c"]


def test_where_a_log_lies_beside_it_too_that_is_refused_with_its_remedy(path: Path) -> None:
    Path(f"{path}-shm").mkdir()
    Path(f"{path}-wal").mkdir()

    with pytest.raises(StoreError, match=r"cannot be read: .*: see to its disk, which may be full"):
        Reader(path)


def test_nothing_but_the_standard_library_is_imported() -> None:
    script = "import sys, choragus.mailbox.reader; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert not set(HEAVY) & set(loaded)
