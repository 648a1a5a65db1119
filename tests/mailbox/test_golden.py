"""Files that earlier versions wrote, byte for byte: each opens, holds what it held, and goes on.

`golden/store-N.db.xz` is what the code of schema N made of `test_sqlite_damage.batches()`. A new migration brings the
file that the code before it makes: see `make_golden.py`.
"""

# ruff: noqa: ASYNC240  # the tests put small files in place themselves

from __future__ import annotations

import lzma
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from choragus.mailbox.errors import NewerSchema, StoreError
from choragus.mailbox.schema import MIGRATIONS
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Committed, Pruning, Turn

from .test_sqlite_damage import ALICE, BATCH, EFFECT, STATE, VIEW, batches, entry

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = list(range(1, len(MIGRATIONS) + 1))


@pytest.fixture(params=SCHEMAS, ids=[f"schema-{number}" for number in SCHEMAS])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden file of every schema."""
    path = tmp_path / "runs.db"
    path.write_bytes(lzma.decompress((GOLDEN / f"store-{request.param}.db.xz").read_bytes()))
    return path


@pytest.fixture
def long(path: Path) -> Path:
    """A golden file whose entries name their streams: up to schema 4."""
    if schema(path) > 4:
        pytest.skip("its entries are in short forms")
    return path


def schema(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return int(version)


def test_there_is_a_golden_file_of_every_schema() -> None:
    made = {int(file.name.split("-")[1].split(".")[0]) for file in GOLDEN.iterdir()}

    assert made == set(SCHEMAS), "make the missing ones: python -m tests.mailbox.make_golden"


async def test_a_file_of_an_earlier_version_holds_what_it_held(path: Path) -> None:
    store = await SqliteStore.open(path)

    assert (await store.verify()).problems == ()
    assert (await store.load(ALICE)).state == STATE
    assert [(mail.id, mail.attempts) for mail in await store.fetch(ALICE, 10, 99.0)] == [("m1", 0), ("m2", 1)]
    assert [one.reason for one in await store.parked()] == ["bad"]
    assert (await store.effects(), await store.views("run")) == ([EFFECT], [VIEW])
    asked = attrs.evolve(batches()[0].appends[0], id="again")
    (known,) = (await store.append([asked])).known.values()
    assert known.reply is not None
    assert known.reply.body == b'"the reply"'
    lines = [line.body for line in await store.read("run/1")]
    assert lines == [entry("run/1", number).body for number in (1, 3, 5, 7)[-len(lines) :]]
    await store.close()


async def test_a_file_of_an_earlier_version_goes_on(path: Path) -> None:
    store = await SqliteStore.open(path)
    claim = await store.claim("z", 30.0, 0.0)
    turn = Turn(id="t9", actor=ALICE, fence=claim.fence, revision=1, entries=(entry("run/1", 8),))

    result = await store.commit(attrs.evolve(BATCH, node="z", fence=claim.fence, turns=(turn,), cursors={"export": 9}))
    pruned = await store.prune(Pruning(at=30.0, streams={"run/1": 4, "run/2": 1, "system": 2}))

    assert (isinstance(result, Committed), pruned.done) == (True, True)
    found = await store.verify()
    assert (found.entries, found.batches, found.problems) == (1, 2, ())
    assert schema(path) == len(MIGRATIONS)
    await store.close()


async def test_a_migration_that_fails_leaves_every_earlier_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, content = schema(path), path.read_bytes()
    broken = "CREATE TABLE later (id TEXT); INSERT INTO absent VALUES (1)"
    monkeypatch.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, broken))

    with pytest.raises(StoreError, match="no such table: absent"):
        await SqliteStore.open(path)

    assert (schema(path), path.read_bytes()) == (before, content)
    monkeypatch.undo()
    await (await SqliteStore.open(path)).close()


async def test_every_earlier_file_takes_the_migrations_that_are_to_come(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ("ALTER TABLE meta ADD COLUMN note TEXT", "CREATE TABLE later (id TEXT) STRICT")
    with monkeypatch.context() as future:
        future.setattr("choragus.mailbox.file.MIGRATIONS", (*MIGRATIONS, *later))
        store = await SqliteStore.open(path)
        assert (await store.verify()).problems == ()
        await store.close()
    assert schema(path) == len(MIGRATIONS) + 2

    with pytest.raises(NewerSchema, match="upgrade choragus"):
        await SqliteStore.open(path)
    with pytest.raises(NewerSchema, match="upgrade choragus"):
        await SqliteStore.open(path, visitor=True)


async def test_a_visitor_leaves_the_schema_alone(path: Path) -> None:
    before = schema(path)
    if before == len(MIGRATIONS):
        await (await SqliteStore.open(path, visitor=True)).close()
    else:
        with pytest.raises(StoreError, match=f"has the older schema {before}: open it once with a choragus system"):
            await SqliteStore.open(path, visitor=True)

    assert schema(path) == before


async def test_a_migration_keeps_every_entry_with_its_hash(long: Path) -> None:
    with closing(sqlite3.connect(long)) as connection:
        before = connection.execute("SELECT seq, stream, position, kind, at, body, batch, hash FROM entry").fetchall()
        highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchall()

    store = await SqliteStore.open(long)

    assert [attrs.astuple(line) for line in await store.log()] == before
    await store.close()
    with closing(sqlite3.connect(long)) as connection:
        assert connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchall() == highest


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE entry SET kind = 'other' WHERE seq = 7", " does not match its digest"),
        ("UPDATE entry SET body = x'00' WHERE seq = 7", " does not match its digest"),
        ("UPDATE entry SET stream = CAST(x'ff' AS TEXT) WHERE seq = 7", " does not match its digest"),
        ("UPDATE head SET hash = x'00' WHERE stream = 'run/1'", "head with stream 'run/1' does not match its digest"),
        ("UPDATE head SET stream = CAST(x'ff' AS TEXT) WHERE stream = 'run/1'", "does not match its digest"),
        ("UPDATE batch SET hash = x'00' WHERE number = 3", "batch with number 3 does not match its digest"),
    ],
    ids=["kind", "body", "stream", "head", "name", "batch"],
)
async def test_a_migration_does_not_heal_what_was_damaged(long: Path, damage: str, problem: str) -> None:
    with closing(sqlite3.connect(long)) as connection:
        connection.execute(damage)
        connection.commit()

    store = await SqliteStore.open(long)

    assert problem in "\n".join((await store.verify()).problems)
    await store.close()


async def test_a_migration_takes_away_effects_that_are_finished(long: Path) -> None:
    with closing(sqlite3.connect(long)) as connection:
        row = connection.execute("SELECT * FROM effect").fetchone()
        for state in ("done", "failed", "settled", "cancelled", "unknown"):
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO effect VALUES ({marks})", (state, row[1], state, *row[3:]))
        connection.commit()

    await (await SqliteStore.open(long)).close()

    with closing(sqlite3.connect(long)) as connection:
        assert {state for (state,) in connection.execute("SELECT state FROM effect")} == {"open", "unknown"}
