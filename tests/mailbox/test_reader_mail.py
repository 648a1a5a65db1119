"""Mail and parked messages, read by the standard library alone, are those of the store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.reader import Reader
from choragus.mailbox.reader_mail import parked, waiting
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Envelope

from .test_sqlite_damage import ALICE, batches


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with mail of every kind, and a parked message."""
    path = tmp_path / "runs.db"
    anyio.run(_fill, path)
    return path


async def _fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    for batch in batches():
        await store.commit(batch)
    later = Envelope(id="later", receiver=ALICE, sender="", record=Record("json", 1, b"1"), due=1e9)
    other = Envelope(id="other", receiver=actor_id("bank.account", "bob"), sender="é", record=Record("json", 1, b"2"))
    await store.append([later, other])
    await store.close()


@pytest.mark.parametrize("now", [0.0, 99.0, 2e9])
async def test_mail_is_that_of_the_store(now: float, path: Path) -> None:
    store = await SqliteStore.open(path, visitor=True)
    mail = await store.fetch(ALICE, 10, now)
    await store.close()

    with Reader(path) as reader:
        found = waiting(reader, ALICE, now)

    assert sorted((one.id, one.sender, one.tag, one.body, one.attempts) for one in found) == sorted(
        (one.id, one.sender, one.record.tag, one.record.body, one.attempts) for one in mail
    )


async def test_parked_messages_are_those_of_the_store(path: Path) -> None:
    store = await SqliteStore.open(path, visitor=True)
    there = await store.parked()
    await store.close()

    with Reader(path) as reader:
        found = parked(reader)

    assert [(one.receiver, one.id, one.reason, one.at) for one in found] == [
        (one.envelope.receiver, one.envelope.id, one.reason, one.at) for one in there
    ]
    assert found


def test_damaged_mail_is_left_out_and_a_damaged_parked_message_says_so(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE message SET body = CAST('{}' AS BLOB)")
        connection.execute("UPDATE parked SET body = CAST('{}' AS BLOB)")
        connection.commit()

    with Reader(path) as reader:
        mail, lost = waiting(reader, ALICE, 99.0), parked(reader)

    assert mail == []
    assert all(one.reason.startswith("corrupt: ") for one in lost)
