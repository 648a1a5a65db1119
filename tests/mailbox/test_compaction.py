"""Room that comes back: of a file that nobody owns, and of none other."""

# ruff: noqa: ASYNC240  # the tests look at small files themselves

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from choragus.mailbox import compaction
from choragus.mailbox.compaction import compact
from choragus.mailbox.errors import CorruptRecord, FileInUse, StoreError
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Claim, Entry, Pruning

from .test_sqlite_process import OWNER, ask, start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def pruned(path: Path) -> SqliteStore:
    """A store without owner whose entries are gone all but one."""
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    lines = tuple(Entry("run/1", "line", 1.0, b"x" * 1000) for _ in range(300))
    await store.commit(Batch(node="a", fence=1, at=1.0, entries=lines))
    await store.release("a")
    await store.prune(Pruning(at=2.0, streams={"run/1": 299}, limit=300))
    return store


async def test_a_compacted_file_is_smaller_and_whole(path: Path) -> None:
    store = await pruned(path)

    done = await compact(path)

    assert done.before > 400_000
    assert done.after < 200_000
    assert path.stat().st_size == done.after
    assert ((await store.verify()).problems, (await store.extent("run/1")).count) == ((), 1)
    assert await store.claim("b", 30.0, 1.0) == Claim(fence=2, clean=True)
    await store.close()


@pytest.fixture
def owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the file."""
    with start(OWNER, path) as process:
        assert ask(process) == "ready 1"
        yield process
        process.kill()


async def test_the_file_of_a_live_owner_is_left_alone(path: Path, owner: subprocess.Popen[str]) -> None:
    with pytest.raises(FileInUse, match=rf"^.*runs\.db is owned by process {owner.pid}: stop it before you compact"):
        await compact(path)

    assert ask(owner, "commit").startswith("Committed")


async def test_the_file_of_a_killed_owner_is_compacted_and_stays_unclean(
    path: Path, owner: subprocess.Popen[str]
) -> None:
    owner.kill()
    owner.wait()

    await compact(path)

    store = await SqliteStore.open(path)
    assert await store.claim("b", 30.0, 1.0) == Claim(fence=2, clean=False)
    await store.close()


async def test_the_file_of_an_owner_without_its_lock_is_left_alone(
    path: Path, owner: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took over from a stopped process, which has been killed since."""
    store = await SqliteStore.open(path)
    await store.claim("b", 30.0, 30.0)
    owner.kill()
    owner.wait()
    monkeypatch.setattr(compaction, "time", lambda: 59.0)

    with pytest.raises(FileInUse, match="stop it before you compact"):
        await compact(path)

    monkeypatch.setattr(compaction, "time", lambda: 60.0)
    await compact(path)
    await store.close()


async def test_a_damaged_file_is_left_as_it_is(path: Path) -> None:
    store = await pruned(path)
    await store.close()
    content = bytearray(path.read_bytes())
    content[36:40] = b"\x00\x00\x00\x01"  # the count of free pages in the header is then wrong
    path.write_bytes(content)

    with pytest.raises(CorruptRecord, match=r"^.*runs\.db is damaged: "):
        await compact(path)

    assert path.read_bytes() == content


async def test_there_must_be_a_file(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        await compact(path)
