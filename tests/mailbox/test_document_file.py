"""Documents in a file: what rots is noticed, what is deleted leaves the file, copies have them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from choragus.mailbox.backup import back_up
from choragus.mailbox.compaction import compact
from choragus.mailbox.document import Document
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.sqlite import SqliteStore

from .test_store_document import BATCH, SHELF, TURN, found, note, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facts.db"


async def fill(path: Path, *documents: Document) -> None:
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    await put(store, *documents)
    await store.release("a")
    await store.close()


def run_sql(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


async def problems(path: Path) -> str:
    store = await SqliteStore.open(path)
    try:
        return "\n".join((await store.verify()).problems)
    finally:
        await store.close()


ROT = {
    "word": "UPDATE words_1_data SET block = CAST(replace(CAST(block AS TEXT), 'zebra', 'zebrb') AS BLOB) WHERE id > 9",
    "document-unknown": "INSERT INTO words_1 (rowid, text) VALUES (77, 'ghost')",
    "word-missing": "INSERT INTO words_1 (words_1, rowid, text) VALUES ('delete', 1, 'zebra')",
    "index-emptied": "INSERT INTO words_1 (words_1) VALUES ('delete-all')",
}


@pytest.mark.parametrize("script", ROT.values(), ids=ROT.keys())
async def test_s24_an_index_that_disagrees_with_its_documents_is_found_and_mended(path: Path, script: str) -> None:
    await fill(path, note("a", "zebra plain"), note("b", "plain words"))
    assert await problems(path) == ""
    run_sql(path, script)

    assert "the index of collection 'facts' " in await problems(path)

    await compact(path)
    assert await problems(path) == ""


async def test_an_index_that_is_gone_is_found_and_mended(path: Path) -> None:
    await fill(path, note("a", "zebra"))
    run_sql(path, "DROP TABLE words_1")

    assert "the index of collection 'facts' cannot be read: no such fts5 table" in await problems(path)

    await compact(path)
    assert await problems(path) == ""


async def test_a_damaged_document_hides_no_other_and_can_be_deleted(path: Path) -> None:
    await fill(path, note("a", "zebra one", subject="alice"), note("b", "zebra two"))
    run_sql(path, "UPDATE document SET text = 'zebra evil' WHERE id = 'a'")
    store = await SqliteStore.open(path)
    await store.claim("b", 30.0, 0.0)

    assert await found(store, "zebra") == ["b"]
    with pytest.raises(CorruptRecord, match=r"^document 'a' of 'facts' does not match its digest"):
        await store.document("facts", "a")
    assert await store.document_ids("facts", subject="alice") == ["a"]
    await put_as(store, 2, note("a", None))
    await store.close()
    assert await problems(path) == ""


async def put_as(store: SqliteStore, fence: int, *documents: Document, scrubbed: tuple[str, ...] = ()) -> None:
    revision = (await store.load(SHELF)).revision
    turn = attrs.evolve(TURN, fence=fence, revision=revision, documents=documents, scrubbed=scrubbed)
    await store.commit(attrs.evolve(BATCH, node="b", fence=fence, turns=(turn,)))


def content(path: Path) -> bytes:
    """All that stands in the file and beside it."""
    return b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))


async def test_what_was_deleted_and_scrubbed_is_not_in_the_file_once_it_is_compacted(path: Path) -> None:
    many = [note(f"n{number}", f"unsayable{number} words of alice", vector=b"vectorofalice") for number in range(300)]
    await fill(path, note("kept", "kept words"), *many)
    assert content(path).count(b"unsayable") > 299
    store = await SqliteStore.open(path)
    claim = await store.claim("b", 30.0, 99.0)

    await put_as(store, claim.fence, *(attrs.evolve(one, text=None) for one in many), scrubbed=("facts",))
    await store.release("b")
    await store.close()
    await compact(path)

    left = content(path)
    assert (left.count(b"unsayable"), left.count(b"vectorofalice"), left.count(b"kept words")) == (0, 0, 1)


async def test_a_scrubbed_index_has_no_word_of_what_was_deleted(path: Path) -> None:
    """Also before it is compacted: its own pages were written anew, and zeros over the old ones."""
    await fill(path, note("a", "unsayable"), note("b", "kept"))
    store = await SqliteStore.open(path)
    claim = await store.claim("b", 30.0, 99.0)

    await put_as(store, claim.fence, note("a", None), scrubbed=("facts",))
    await store.release("b")
    await store.close()

    with closing(sqlite3.connect(path)) as connection:
        blocks = b"".join(block for (block,) in connection.execute("SELECT block FROM words_1_data"))
    assert (b"unsayable" in blocks, b"kept" in blocks) == (False, True)
    assert b"unsayable" not in content(path)


async def test_a_backup_finds_what_the_file_finds(path: Path, tmp_path: Path) -> None:
    await fill(path, note("a", "zebra"), note("b", "zebra", collection="other"))

    await back_up(path, tmp_path / "copy.db")

    store = await SqliteStore.open(tmp_path / "copy.db")
    assert [await found(store, "zebra", name) for name in ("facts", "other")] == [["a"], ["b"]]
    assert (await store.verify()).problems == ()
    await store.close()
