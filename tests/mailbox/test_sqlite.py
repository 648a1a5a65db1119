"""An open SQLite file: visitors, callers that go away, commits that fail, and the one hop into its thread."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import attrs
import pytest
from anyio import to_thread

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import CommitUnknown, NotStorable, StoreError
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Effect, Entry, Envelope, OnInterrupt, Turn

ALICE = actor_id("bank.account", "alice")
ADD = Record("bank.deposit", 1, b"{}")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=ADD)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, state=ADD)
BATCH = Batch(node="a", fence=1, at=10.0, turns=(TURN,))


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
        with pytest.raises(CommitUnknown, match=r"^the transaction failed, .*: database is locked$"):
            await store.commit(BATCH)
        other.execute("ROLLBACK")

    assert (await store.load(ALICE)).revision == 0
    assert isinstance(await store.commit(BATCH), Committed)


async def test_a_failed_statement_rolls_everything_back(store: SqliteStore) -> None:
    """The second effect of the same id breaks the table's rule, after messages and states were written."""
    effect = Effect(id="e", actor=ALICE, runner="r", record=ADD, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0)
    await store.commit(attrs.evolve(BATCH, turns=(attrs.evolve(TURN, effects=(effect,)),)))
    again = attrs.evolve(TURN, id="t2", revision=1, effects=(effect,))

    with pytest.raises(CommitUnknown, match=r"^the transaction failed, .*: UNIQUE constraint failed: effect\.id$"):
        await store.commit(attrs.evolve(BATCH, turns=(again,), appends=(MAIL,)))

    assert (await store.load(ALICE)).revision == 1
    assert await store.fetch(ALICE, 9, 0.0) == []
    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=(), appends=(MAIL,))), Committed)


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
