"""A copy of a file in use: whole, of one commit, owned by nobody, and under its name only when it is complete."""

# ruff: noqa: ASYNC240  # the tests look at small files themselves

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from choragus.mailbox import backup as copying
from choragus.mailbox.address import actor_id
from choragus.mailbox.backup import back_up
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import CorruptRecord, StoreError
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Claim, Committed, Entry, Turn

from .test_sqlite_process import WORKER, ask, start

ALICE = actor_id("bank.account", "alice")
LEDGER = actor_id("bank.ledger", "main")
STATE = Record("bank.balance", 1, b"{}")

SLOW = """
import asyncio, sys, time
from choragus.mailbox import backup

def stop(path):
    print("copied", flush=True)
    time.sleep(60)

backup._flush = stop
asyncio.run(backup.back_up(sys.argv[1], sys.argv[1] + ".copy"))
"""
"""A backup that hangs when all is written and nothing is published."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def turn(revision: int) -> Turn:
    lines = (Entry("run/1", "line", 1.0, b"{}"),)
    return Turn(id=f"t{revision}", actor=ALICE, fence=1, revision=revision, state=STATE, entries=lines)


async def made(path: Path, turns: int = 3) -> SqliteStore:
    """A store that node `a` owns, with some turns."""
    store = await SqliteStore.open(path)
    await store.claim("a", 1e12, 0.0)
    for revision in range(turns):
        await store.commit(Batch(node="a", fence=1, at=1.0, turns=(turn(revision),)))
    return store


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_a_copy_of_a_file_in_use_is_whole_and_goes_on_by_itself(path: Path, target: Path) -> None:
    with start(WORKER, path) as process:
        for _ in range(5):
            ask(process)
        copy = await back_up(path, target)
        ask(process)
        assert process.poll() is None
        process.kill()

    store = await SqliteStore.open(target)
    assert (await store.verify()).problems == ()
    assert await store.claim("b", 30.0, 1.0) == Claim(fence=2, clean=False)
    revision = (await store.load(ALICE)).revision
    assert (revision, len(await store.fetch(LEDGER, 10_000, 1.0))) == (copy.position, copy.position)
    assert 5 <= copy.position == copy.batch
    mine = Batch(node="b", fence=2, at=2.0, turns=(Turn(id="n", actor=ALICE, fence=2, revision=revision),))
    assert isinstance(await store.commit(mine), Committed)
    await store.close()


async def test_a_copy_says_that_nobody_owns_it_while_the_owner_lives(path: Path, target: Path) -> None:
    store = await made(path)

    copy = await back_up(path, target)

    assert (copy.path, copy.bytes, copy.position, copy.batch) == (target, target.stat().st_size, 3, 3)
    assert (target.stat().st_mode & 0o777, names(path.parent) & {"copy.db.lock", "copy.db-wal"}) == (0o600, set())
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT expires, clean, locked FROM lease").fetchall() == [(0.0, 0, 0)]
    other = await SqliteStore.open(target)
    assert await other.claim("b", 30.0, 1.0) == Claim(fence=2, clean=False)
    assert isinstance(await store.commit(Batch(node="a", fence=1, at=1.0, turns=(turn(3),))), Committed)
    await other.close()
    await store.close()


async def test_a_copy_of_a_file_that_was_closed_in_order_opens_cleanly(path: Path, target: Path) -> None:
    store = await made(path)
    await store.release("a")
    await store.close()

    await back_up(path, target)

    other = await SqliteStore.open(target)
    assert await other.claim("b", 30.0, 1.0) == Claim(fence=2, clean=True)
    await other.close()


@pytest.mark.parametrize("kind", ["file", "folder", "broken-link"])
async def test_a_backup_overwrites_nothing(path: Path, target: Path, kind: str) -> None:
    await (await made(path)).close()
    if kind == "file":
        target.write_text("precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    before = names(path.parent)

    with pytest.raises(StoreError, match=r"^.*copy\.db exists, and a backup overwrites nothing: name a file"):
        await back_up(path, target)

    assert names(path.parent) == before
    assert kind != "file" or target.read_text() == "precious"


async def test_a_name_that_is_taken_meanwhile_is_left_alone(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await made(path)).close()
    monkeypatch.setattr(copying, "_flush", lambda _: target.write_text("precious"))

    with pytest.raises(StoreError, match=r"^.*copy\.db exists"):
        await back_up(path, target)

    assert target.read_text() == "precious"
    assert not [name for name in names(path.parent) if name.endswith(".part")]


async def test_a_file_system_without_links_gets_its_copy_too(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    await (await made(path)).close()
    monkeypatch.setattr(os, "link", refuse)

    await back_up(path, target)

    assert target.exists()
    assert not [name for name in names(path.parent) if name.endswith(".part")]


async def test_what_is_published_was_flushed_before_and_its_folder_after(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[bool, bool]] = []
    await (await made(path)).close()
    monkeypatch.setattr(copying, "_flush", lambda one: flushed.append((one == target.parent, target.exists())))

    await back_up(path, target)

    assert flushed == [(False, False), (True, True)]


async def test_a_folder_that_cannot_be_flushed_gets_no_copy(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the backup that failed would be in the way of the next."""
    store = await made(path)

    def flush(one: Path) -> None:
        if one == target.parent:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_flush", flush)
        with pytest.raises(StoreError, match=r"copy\.db.*Input/output error"):
            await back_up(path, target)

    assert not target.exists()
    assert (await back_up(path, target)).batch == 3
    await store.close()


async def test_a_copy_that_is_published_stands_though_its_other_name_stays(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await made(path)

    def refuse(one: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        made_now = await back_up(path, target)

    assert (made_now.path, target.exists()) == (target, True)
    await store.close()


async def test_a_killed_backup_leaves_nothing_under_its_name(path: Path) -> None:
    await (await made(path)).close()
    with start(SLOW, path) as process:
        assert ask(process) == "copied"
        process.kill()
        process.wait()

    assert "runs.db.copy" not in names(path.parent)
    await back_up(path, f"{path}.copy")
    assert len([name for name in names(path.parent) if name.endswith(".part")]) == 1


async def test_a_backup_that_does_not_fit_names_its_target_and_leaves_nothing(path: Path, target: Path) -> None:
    await (await made(path)).close()
    limited = (
        "import asyncio, resource, signal, sys\n"
        "from choragus.mailbox.backup import back_up\n"
        "from choragus.mailbox.errors import StoreError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000,) * 2)\n"
        "try:\n"
        "    asyncio.run(back_up(sys.argv[1], sys.argv[2]))\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )

    with start(limited, path, str(target)) as process:
        assert process.communicate()[0].startswith(f"{target} cannot be used: ")

    assert not [name for name in names(path.parent) if name.startswith("copy.db")]


async def test_a_damaged_file_is_not_blamed_on_the_copy(path: Path, target: Path) -> None:
    await (await made(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)

    with pytest.raises(CorruptRecord, match=r"^.*runs\.db is damaged"):
        await back_up(path, target)

    assert not [name for name in names(path.parent) if name.startswith("copy.db")]


async def test_a_missing_folder_is_named(path: Path) -> None:
    await (await made(path)).close()

    with pytest.raises(StoreError, match=r"copy\.db cannot be opened: No such file or directory$"):
        await back_up(path, path.parent / "no" / "copy.db")
