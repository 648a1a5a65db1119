"""An open SQLite file: visitors, callers that go away, commits that fail, and the one hop into its thread."""

# ruff: noqa: ASYNC240  # the tests put small files in place themselves

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import attrs
import pytest
from anyio import to_thread

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import CommitUnknown, FileBusy, FileInUse, NotStorable, StoreError
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Effect, Entry, Envelope, OnInterrupt, Turn

ALICE = actor_id("bank.account", "alice")
ADD = Record("bank.deposit", 1, b"{}")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=ADD)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, state=ADD)
BATCH = Batch(node="a", fence=1, at=10.0, turns=(TURN,))


class Frail(sqlite3.Connection):
    """A connection that breaks behind the first statement that begins with a word."""

    breaks_behind = ""
    is_broken = False

    def __init__(self, like: sqlite3.Connection) -> None:
        (_, _, file), *_ = like.execute("PRAGMA database_list")
        super().__init__(file, isolation_level=None, check_same_thread=False)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        return self._checked(args[0], lambda: super(Frail, self).execute(*args))

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        return self._checked(args[0], lambda: super(Frail, self).executemany(*args))

    def _checked(self, sql: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        cursor = None if self.is_broken else run()
        if cursor is None or (self.breaks_behind and sql.startswith(self.breaks_behind)):
            self.is_broken = True
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    yield store
    await store.close()


async def test_the_owner_notices_what_a_visitor_wrote(path: Path, store: SqliteStore) -> None:
    visitor = await SqliteStore.open(path, visitor=True)
    assert not await store.changed()

    await visitor.append([MAIL])

    assert [await store.changed(), await store.changed()] == [True, False]
    assert [mail.id for mail in await store.fetch(ALICE, 9, 0.0)] == ["m1"]
    await visitor.close()


async def test_a_visitor_neither_locks_nor_ends_the_owner(path: Path, store: SqliteStore) -> None:
    visitor = await SqliteStore.open(path, visitor=True)
    await visitor.close()

    assert isinstance(await store.commit(BATCH), Committed)
    assert await store.renew("a", 30.0, 1.0)


async def test_closing_twice_is_fine_and_a_closed_store_says_so(path: Path, store: SqliteStore) -> None:
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match=r"^.*runs\.db is closed: open it again$"):
        await store.load(ALICE)


async def test_a_caller_cancelled_while_its_commit_waits_leaves_the_whole_commit(store: SqliteStore) -> None:
    gate = threading.Event()
    blocker = asyncio.ensure_future(store._hop(lambda _: gate.wait(10)))
    caller = asyncio.ensure_future(store.commit(attrs.evolve(BATCH, appends=(MAIL,))))
    await asyncio.sleep(0)

    caller.cancel()
    await asyncio.wait([caller])
    gate.set()
    await blocker

    assert caller.cancelled()
    assert (await store.load(ALICE)).revision == 1
    assert [mail.id for mail in await store.fetch(ALICE, 9, 0.0)] == ["m1"]
    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=())), Committed)


async def test_a_caller_cancelled_in_mid_commit_leaves_the_whole_commit(store: SqliteStore) -> None:
    reached, gate = threading.Event(), threading.Event()

    def pause(statement: str) -> None:
        if statement.startswith("INSERT INTO actor"):
            reached.set()
            gate.wait(10)

    await store._hop(lambda connection: connection.set_trace_callback(pause))
    caller = asyncio.ensure_future(store.commit(attrs.evolve(BATCH, appends=(MAIL,))))
    assert await to_thread.run_sync(reached.wait, 10)

    caller.cancel()
    await asyncio.wait([caller])
    gate.set()

    assert caller.cancelled()
    assert ((await store.load(ALICE)).revision, len(await store.fetch(ALICE, 9, 0.0))) == (1, 1)


async def test_a_writer_that_holds_the_file_too_long_makes_the_commit_fail_and_the_next_succeeds(
    path: Path, store: SqliteStore
) -> None:
    await store._hop(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            FileBusy, match=r"^another process has kept .* locked for 30 s, and nothing was written: wait"
        ):
            await store.commit(BATCH)
        other.execute("ROLLBACK")

    assert (await store.load(ALICE)).revision == 0
    assert isinstance(await store.commit(BATCH), Committed)


async def test_a_failed_statement_rolls_everything_back(store: SqliteStore) -> None:
    """The second effect of the same id breaks the table's rule, after messages and states were written."""
    effect = Effect(id="e", actor=ALICE, runner="r", record=ADD, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0)
    await store.commit(attrs.evolve(BATCH, turns=(attrs.evolve(TURN, effects=(effect,)),)))
    again = attrs.evolve(TURN, id="t2", revision=1, effects=(effect,))

    with pytest.raises(StoreError, match=r"cannot be used: UNIQUE constraint failed: effect\.id$"):
        await store.commit(attrs.evolve(BATCH, turns=(again,), appends=(MAIL,)))

    assert (await store.load(ALICE)).revision == 1
    assert await store.fetch(ALICE, 9, 0.0) == []
    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=(), appends=(MAIL,))), Committed)


@pytest.mark.parametrize(("statement", "revision"), [("COMMIT", 1), ("INSERT", 0)], ids=["on disk", "not on disk"])
async def test_a_reopening_shows_what_became_of_an_unknown_commit(
    store: SqliteStore, statement: str, revision: int
) -> None:
    """The connection breaks right behind the commit, of which its caller then hears nothing, or half-way."""
    frail = await store._hop(Frail)
    frail.breaks_behind = statement
    store._handle.connection.close()
    store._handle.connection = frail
    with pytest.raises(CommitUnknown):
        await store.commit(BATCH)
    with pytest.raises(StoreError, match=r"^.*runs\.db cannot be used: disk I/O error$"):
        await store.load(ALICE)

    await store.reopen()

    snapshot = await store.load(ALICE)
    assert (snapshot.revision, snapshot.last_turn) == (revision, "t1" if revision else "")
    aborted = attrs.evolve(BATCH, turns=(), entries=(Entry("system", "system.aborted", 11.0, b'{"turns":["t1"]}'),))
    assert isinstance(await store.commit(aborted), Committed)


async def test_the_file_stays_locked_while_it_is_reopened(path: Path, store: SqliteStore) -> None:
    visitor = await SqliteStore.open(path, visitor=True)

    reopening = asyncio.ensure_future(store.reopen())
    while not reopening.done():
        with pytest.raises(FileInUse):
            await visitor.claim("b", 30.0, 1.0)

    assert await store.renew("a", 30.0, 2.0)
    await visitor.close()


async def test_whoever_calls_during_a_reopening_waits_for_it(store: SqliteStore) -> None:
    results = await asyncio.gather(store.reopen(), store.commit(BATCH), store.load(ALICE))

    assert isinstance(results[1], Committed)
    assert results[2].revision == 1


async def test_a_file_that_is_away_is_reopened_once_it_is_back(path: Path, store: SqliteStore) -> None:
    await store.commit(BATCH)
    await store._hop(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    away = path.rename(path.with_name("away.db"))

    with pytest.raises(StoreError, match=r"^.*runs\.db does not exist: name a file"):
        await store.reopen()
    away.rename(path)
    await store.reopen()

    assert (await store.load(ALICE)).revision == 1
    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=())), Committed)


async def test_text_that_sqlite_cannot_keep_is_refused_with_its_batch(store: SqliteStore) -> None:
    half = attrs.evolve(MAIL, sender="\ud800")

    with pytest.raises(
        NotStorable, match=r"^SQLite cannot keep a value of this transaction, nothing was written: .*surrogates"
    ):
        await store.commit(attrs.evolve(BATCH, appends=(half,)))

    assert (await store.load(ALICE)).revision == 0


async def test_an_entry_with_text_beyond_ascii_is_whole(store: SqliteStore) -> None:
    await store.commit(attrs.evolve(BATCH, turns=(), entries=(Entry("läufe/☂", "küche", 1.0, '"ß"'.encode()),)))

    assert [line.kind for line in await store.read("läufe/☂")] == ["küche"]
    assert (await store.verify()).problems == ()


async def test_aiosqlite_still_runs_a_function_whole_in_its_thread() -> None:
    """The private call that the store stands on: one function, its arguments, its result or exception, in order."""
    assert inspect.iscoroutinefunction(aiosqlite.Connection._execute)
    assert list(inspect.signature(aiosqlite.Connection._execute).parameters) == ["self", "fn", "args", "kwargs"]
    database = await aiosqlite.Connection(lambda: sqlite3.connect(":memory:", check_same_thread=False), 64)
    seen: list[int] = []

    def note(number: int) -> threading.Thread:
        seen.append(number)
        if number == 2:
            raise LookupError("two")
        return threading.current_thread()

    results = await asyncio.gather(*(database._execute(note, n) for n in (1, 2, 3)), return_exceptions=True)  # type: ignore[no-untyped-call]  # its signature is checked above
    await database.close()

    assert seen == [1, 2, 3]
    assert results[0] is results[2] is not threading.current_thread()
    assert isinstance(results[1], LookupError)
