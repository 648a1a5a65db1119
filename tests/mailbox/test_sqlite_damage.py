"""Whatever is changed in a file behind the store's back is noticed: by `verify` always, by a read when it matters."""

# ruff: noqa: ASYNC240  # the tests damage small files themselves

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from random import Random

import anyio
import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.document import Document
from choragus.mailbox.errors import ChoragusError, CorruptRecord, StoreError
from choragus.mailbox.schema import TABLES
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import (
    Attempt,
    Batch,
    Committed,
    Effect,
    Entry,
    Envelope,
    OnInterrupt,
    Parking,
    Pruned,
    Pruning,
    Step,
    Turn,
    View,
)

ALICE = actor_id("bank.account", "alice")
STATE = Record("bank.balance", 1, b'{"mark": "the state of alice"}')
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=Record("bank.add", 1, b'{"mark": "a message"}'))
EFFECT = Effect(
    id="effect-1",
    actor=ALICE,
    runner="bank",
    record=Record("bank.pay", 1, b'{"mark": "an effect"}'),
    then="paid",
    on_interrupt=OnInterrupt.UNKNOWN,
    created=1.0,
)
DOCUMENT = Document(
    collection="facts", id="f1", text="the mark of a document", fields=b'{"a": 1}', subject="alice", vector=b"1234"
)
VIEW = View(kind="run", key="run-1", scope="open", sort=2.0, body=b'{"mark": "a view"}')
BATCH = Batch(node="a", fence=1, at=10.0)


def entry(stream: str, number: int) -> Entry:
    return Entry(stream, "test.line", float(number), b'{"mark": "line %d"}' % number)


STEP = Step(actor=ALICE, message="m2", name="pay", number=1, result=Record("json", 1, b'"the receipt"'))


def batches() -> list[Batch]:
    """Every kind of record: messages waiting, tried, parked and replied to, a step, and three batches of entries."""
    first = Turn(
        id="t1",
        actor=ALICE,
        fence=1,
        revision=0,
        state=STATE,
        consumed=("m0",),
        replies=(("m0", Record("json", 1, b'"the reply"')),),
        effects=(EFFECT,),
        views=(VIEW,),
        documents=(DOCUMENT,),
        attempts=(Attempt(message="m2", attempts=1, error="boom", not_before=0.0),),
        parked=(Parking(message="m3", reason="bad"),),
        entries=(entry("run/1", 1), entry("system", 2)),
    )
    mail = [
        attrs.evolve(
            MAIL,
            id=f"m{number}",
            sender=f"host-{number}",
            record=Record("bank.add", 1, b'{"mark": "message m%d"}' % number),
            key="k" if number == 0 else "",
            timer="tick" if number == 1 else "",
        )
        for number in range(4)
    ]
    return [
        attrs.evolve(BATCH, appends=tuple(mail)),
        attrs.evolve(BATCH, turns=(first,), steps=(STEP,), cursors={"export": 2}),
        attrs.evolve(BATCH, entries=(entry("run/1", 3), entry("run/2", 4))),
        attrs.evolve(BATCH, entries=(entry("run/1", 5), entry("system", 6), entry("run/1", 7))),
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled file that is only ever copied."""
    path = tmp_path_factory.mktemp("filled") / "runs.db"
    anyio.run(_fill, path)
    return path


@pytest.fixture(scope="module")
def beginnings_gone(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without the beginnings of its streams: batch 1 has lost all its entries, batch 2 those of run/2."""
    path = tmp_path_factory.mktemp("pruned") / "runs.db"
    shutil.copy(filled, path)
    anyio.run(_prune, path)
    return path


@pytest.fixture
def path(filled: Path, tmp_path: Path) -> Path:
    """A filled file that nobody has open."""
    return Path(shutil.copy(filled, tmp_path / "runs.db"))


@pytest.fixture
def pruned(beginnings_gone: Path, tmp_path: Path) -> Path:
    """That without the beginnings of its streams."""
    return Path(shutil.copy(beginnings_gone, tmp_path / "runs.db"))


async def _fill(path: Path) -> None:
    store = await SqliteStore.open(path, synchronous="NORMAL")
    await store.claim("a", 30.0, 0.0)
    for batch in batches():
        assert isinstance(await store.commit(batch), Committed)
    await store.release("a")
    await store.close()


async def _prune(path: Path) -> None:
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("b", 30.0, 0.0)
    await store.commit(attrs.evolve(BATCH, node="b", fence=claim.fence, cursors={"export": 7}))
    pruning = Pruning(at=20.0, streams={"run/2": 1, "system": 1, "run/1": 1})
    assert await store.prune(pruning) == Pruned(entries=3, done=True)
    await store.release("b")
    await store.close()


async def problems(path: Path) -> str:
    store = await SqliteStore.open(path)
    try:
        return "\n".join((await store.verify()).problems)
    finally:
        await store.close()


def run_sql(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def flip(path: Path, mark: bytes, bit: int) -> None:
    """Flip one bit of the text, wherever it stands in the file."""
    content = bytearray(path.read_bytes())
    where = content.index(mark)
    content[where + bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


async def test_a_whole_file_has_no_problem(path: Path) -> None:
    store = await SqliteStore.open(path)

    found = await store.verify()

    assert (found.entries, found.streams, found.batches, found.problems) == (7, 3, 3, ())
    assert found.records == sum(
        [
            1,
            1,
            2,
            1,
            1,
            1,
            1,
            7,
            3,
            3,
            1,
            1,
            1,
            1,
            1,
        ]  # meta, lease, message, parked, actor, effect, step, entry, head, ...
    )
    await store.close()


COLUMNS = [(table.name, column) for table in TABLES for column in (*table.sealed, *table.content[1:], "digest")]
CHANGES = {
    "integer": "{0} + 1",
    "real": "{0} + 0.5",
    "text": "{0} || 'x'",
    "blob": "CAST({0} || x'01' AS BLOB)",
}


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column}" for table, column in COLUMNS])
async def test_a_change_of_any_column_of_any_table_is_found(pruned: Path, table: str, column: str) -> None:
    with closing(sqlite3.connect(pruned, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        kind, last = connection.execute(f"SELECT typeof({column}), max({column}) FROM {table}").fetchone()
        change = f"UPDATE {table} SET {column} = {CHANGES[kind].format(column)} WHERE {column} = ?"
        connection.execute(change, (last,))

    try:
        found = await problems(pruned)
    except CorruptRecord as error:
        found = str(error)

    assert "does not match its digest" in found


TAMPERING = {
    "changed": (
        """UPDATE entry SET body = CAST('{"mark": "line 9"}' AS BLOB) WHERE seq = 3""",
        "entry 2 of stream 'run/1' (test.line) does not match its hash: it was changed",
    ),
    "removed": (
        "DELETE FROM entry WHERE seq = 3",
        "entry 2 of stream 'run/1' is missing: the next one is at position 3",
    ),
    "first-removed": ("DELETE FROM entry WHERE seq = 1", "entry 1 of stream 'run/1' is missing"),
    "swapped-within-a-stream": (
        "UPDATE entry SET position = -position WHERE seq IN (5, 7);"
        "UPDATE entry SET position = CASE seq WHEN 5 THEN 4 ELSE 3 END WHERE seq IN (5, 7)",
        "entry 3 of stream 'run/1' (test.line) is out of order: it follows position 4",
    ),
    "swapped-between-streams": (
        "UPDATE entry SET seq = 100 WHERE seq = 5; UPDATE entry SET seq = 5 WHERE seq = 6;"
        "UPDATE entry SET seq = 6 WHERE seq = 100",
        "entry 3 of stream 'run/1' (test.line) does not match its digest",
    ),
    "moved-to-another-batch": ("UPDATE entry SET batch = 2 WHERE seq = 5", "batch 2 does not match its hash"),
    "tail-removed": (
        "DELETE FROM entry WHERE seq = 7",
        "stream 'run/1' ends at position 3, its head says 4",
    ),
    "stream-removed": (
        "DELETE FROM entry WHERE stream = (SELECT number FROM head WHERE stream = 'run/2')",
        "stream 'run/2' ends at position 0, its head says 1",
    ),
    "batch-removed": ("DELETE FROM batch WHERE number = 2", "batch 2 is missing"),
    "last-batch-removed": ("DELETE FROM batch WHERE number = 3", "batch 3 is missing"),
    "last-batch-emptied": ("DELETE FROM entry WHERE batch = 3", "batch 3 has lost its entries"),
    "head-removed": ("DELETE FROM head WHERE stream = 'run/2'", "entries of stream number 3 have no head"),
    "heads-exchanged": (
        "UPDATE head SET number = number + 10; UPDATE head SET number = CASE number WHEN 11 THEN 2 ELSE 1 END "
        "WHERE number IN (11, 12); UPDATE head SET number = 3 WHERE number > 10",
        "entry 1 of stream 'system' (test.line) does not match its hash: it was written as entry 1 of stream 'run/1'",
    ),
    "batch-changed": ("UPDATE batch SET at = 11.0 WHERE number = 1", "batch 1 does not match its hash"),
}


@pytest.mark.parametrize(("script", "problem"), TAMPERING.values(), ids=TAMPERING.keys())
async def test_a_tampered_logbook_is_found(path: Path, script: str, problem: str) -> None:
    run_sql(path, script)

    assert problem in await problems(path)


async def test_a_tail_removed_with_its_batch_and_head_is_found(path: Path) -> None:
    """Everything that names the last batch is put back to how it was before; only the count of entries remembers."""
    run_sql(
        path,
        "DELETE FROM entry WHERE batch = 3; DELETE FROM batch WHERE number = 3;"
        "UPDATE head SET (position, hash) = (SELECT max(position), hash FROM entry WHERE stream = number)",
    )

    assert "the entries of the file behind number 4 are missing" in await problems(path)


WRONG_INDEX = """
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = 'CREATE INDEX message_mail ON message (id)' WHERE name = 'message_mail';
"""


async def test_an_index_that_disagrees_with_its_table_is_found(path: Path) -> None:
    run_sql(path, WRONG_INDEX)

    assert "the file is damaged: " in await problems(path)


MARKS = {
    "state": STATE.body,
    "message": b"message m1",
    "sender": b"host-1",
    "effect": EFFECT.record.body,
    "view": b'{"mark": "a view"}',
    "entry": b'{"mark": "line 5"}',
    "reply": b'"the reply"',
    "actor-id": ALICE.encode(),
    "effect-id": EFFECT.id.encode(),
    "tag": b"bank.pay",
    "document": b"the mark of a document",
    "collection": b"facts",
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS.keys())
@pytest.mark.parametrize("bit", [0, 6, 7, 12, 37, 63])
async def test_s24_a_flipped_bit_of_any_record_is_found(path: Path, mark: bytes, bit: int) -> None:
    flip(path, mark, bit)

    assert await problems(path) != ""


@pytest.mark.parametrize("bit", [0, 7, 100])
async def test_s24_a_flipped_bit_in_a_state_stops_whoever_loads_it(path: Path, bit: int) -> None:
    flip(path, STATE.body, bit)
    store = await SqliteStore.open(path)

    with pytest.raises(CorruptRecord, match=f"^the state of actor '{ALICE}' does not match its digest"):
        await store.load(ALICE)

    await store.close()


@pytest.mark.parametrize("mark", [EFFECT.record.body, b"paid"], ids=["body", "then"])
async def test_a_flipped_bit_in_an_effect_is_named(path: Path, mark: bytes) -> None:
    flip(path, mark, 2)
    store = await SqliteStore.open(path)

    with pytest.raises(CorruptRecord, match=r"^effect '.*' does not match its digest"):
        await store.effects()

    await store.close()


@pytest.mark.parametrize(
    ("mark", "read"),
    [
        (b'{"mark": "line 5"}', lambda store: store.read("run/1")),
        (b'{"mark": "line 5"}', lambda store: store.log()),
        (b'{"mark": "a view"}', lambda store: store.view("run", "run-1")),
    ],
    ids=["read", "log", "view"],
)
async def test_a_flipped_bit_is_never_read_as_if_it_were_whole(
    path: Path, mark: bytes, read: Callable[[SqliteStore], Awaitable[object]]
) -> None:
    flip(path, mark, 77)
    store = await SqliteStore.open(path)

    with pytest.raises(CorruptRecord, match=r"^(entry|view) .* does not match its digest$"):
        await read(store)

    await store.close()


async def test_a_damaged_view_hides_no_other(path: Path) -> None:
    flip(path, b'{"mark": "a view"}', 77)
    store = await SqliteStore.open(path)

    seen = await store.views("run")

    assert all(view.key != "run-1" for view in seen)
    assert any("view" in problem for problem in (await store.verify()).problems)

    await store.close()


async def test_a_stream_is_not_read_over_a_gap(path: Path) -> None:
    run_sql(path, "DELETE FROM entry WHERE seq = 3")
    store = await SqliteStore.open(path)

    assert len(await store.read("run/1", after=2)) == 2
    with pytest.raises(CorruptRecord, match=r"^entry 2 of stream 'run/1' is missing: restore the file from a backup$"):
        await store.read("run/1")

    await store.close()


@pytest.mark.parametrize("bit", [0, 7], ids=["letter", "no-text-any-more"])
@pytest.mark.parametrize("field", ["id", "sender", "body"])
async def test_a_damaged_message_is_parked_and_the_others_are_delivered(path: Path, field: str, bit: int) -> None:
    """The id stands in an index too, which still says what was written."""
    content = path.read_bytes()
    row = content.rindex(ALICE.encode(), 0, content.index(b"host-1"))
    start = content.index({"id": b"m1", "sender": b"host-1", "body": b"message m1"}[field], row)
    flip(path, content[start : start + 200], bit)
    store = await SqliteStore.open(path)

    assert [mail.id for mail in await store.fetch(ALICE, 9, 100.0)] == ["m2"]

    _, bad = await store.parked()
    assert bad.reason == "corrupt: the stored message does not match its digest"
    assert bad.envelope.receiver == ALICE
    assert (await store.verify()).problems == ()
    await store.close()


async def test_a_message_parked_as_corrupt_is_not_requeued(path: Path) -> None:
    run_sql(path, "UPDATE message SET body = x'00' WHERE id = 'm1'")
    store = await SqliteStore.open(path)
    assert [mail.id for mail in await store.fetch(ALICE, 9, 100.0)] == ["m2"]

    with pytest.raises(CorruptRecord, match=r"^message 'm1' to '.*' is not what was sent"):
        await store.requeue(ALICE, "m1")

    assert [parked.envelope.id for parked in await store.parked()] == ["m3", "m1"]
    assert (await store.verify()).problems == ()
    await store.close()


@pytest.mark.parametrize(
    ("script", "read", "text"),
    [
        ("UPDATE cursor SET position = 9", lambda store: store.cursor("export"), "cursor 'export' does not match its"),
        ("UPDATE lease SET fence = 9", lambda store: store.claim("b", 1.0, 0.0), "the lease does not match its digest"),
        (
            "UPDATE head SET stream = 'run/9' WHERE stream = 'run/2'",
            lambda store: store.log(),
            "the head of stream number 3 does not match its digest, or is missing",
        ),
        (
            "UPDATE head SET number = 9 WHERE stream = 'run/1'",
            lambda store: store.read("run/1"),
            "the head of stream 'run/1' does not match its digest",
        ),
    ],
    ids=["cursor", "lease", "head-of-log", "head-of-stream"],
)
async def test_a_changed_row_stops_whoever_needs_it(
    path: Path, script: str, read: Callable[[SqliteStore], Awaitable[object]], text: str
) -> None:
    run_sql(path, script)
    store = await SqliteStore.open(path)

    with pytest.raises(CorruptRecord, match=f"^{text}"):
        await read(store)

    await store.close()


async def test_a_parked_message_that_was_changed_is_listed_as_corrupt(path: Path) -> None:
    run_sql(path, "UPDATE parked SET body = x'00'")
    store = await SqliteStore.open(path)

    assert [parked.reason for parked in await store.parked()] == ["corrupt: bad"]
    with pytest.raises(CorruptRecord):
        await store.requeue(ALICE, "m3")

    await store.close()


async def test_after_an_unclean_end_a_damaged_file_is_not_claimed(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.claim("b", 30.0, 0.0)
    await store.close()
    run_sql(path, WRONG_INDEX)
    store = await SqliteStore.open(path)

    with pytest.raises(CorruptRecord, match=r"^.*runs\.db is damaged: .*; restore it from a backup$"):
        await store.claim("c", 30.0, 0.0)

    await store.close()


async def told(store: SqliteStore) -> list[object]:
    """What every read gives, or the name of the error in its place."""
    reads: list[Awaitable[object]] = [
        store.load(ALICE),
        store.effects(),
        store.read("run/1"),
        store.log(),
        store.views("run"),
        store.view("run", "run-1"),
        store.cursor("export"),
        store.waiting(1e9),
        store.fetch(ALICE, 99, 1e9),
        store.parked(),
    ]
    results = await asyncio.gather(*reads, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, ChoragusError):
            raise result
    return [type(result).__name__ if isinstance(result, ChoragusError) else result for result in results]


async def test_a_name_of_a_stream_that_is_no_text_any_more_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'head'")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE head SET stream = CAST(stream AS BLOB) WHERE stream = 'run/2'")

    found = await problems(path)

    assert "head with stream b'run/2' does not match its digest" in found


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_bit_flipped_anywhere_is_found_or_changes_nothing(path: Path) -> None:
    """And whatever it breaks, the errors are ours."""
    store = await SqliteStore.open(path)
    right = await told(store)
    await store.close()
    whole = path.read_bytes()
    used = [place for place, byte in enumerate(whole) if byte]
    noticed = 0
    random = Random(7)

    for _ in range(1000):
        damaged = bytearray(whole)
        damaged[random.choice(used)] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        try:
            store = await SqliteStore.open(path, synchronous="NORMAL")
        except (StoreError, CorruptRecord):
            noticed += 1
            continue
        found = await store.verify()
        noticed += bool(found.problems)
        changes_nothing = await told(store) == right
        assert found.problems or changes_nothing
        await store.close()
        path.with_name("runs.db-wal").unlink(missing_ok=True)

    assert noticed > 800
