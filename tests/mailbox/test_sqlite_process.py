"""Several processes and one file: who owns it, and what a killed, stopped or starved one leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.backup import back_up
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import FileInUse
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Claim, Committed, Turn

ALICE = actor_id("bank.account", "alice")
LEDGER = actor_id("bank.ledger", "main")
MINE = Batch(node="b", fence=2, at=10.0)

OWNER = """
import asyncio, sys
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Turn

ALICE, STATE = actor_id("bank.account", "alice"), Record("bank.balance", 1, b"{}")

async def main():
    store = await SqliteStore.open(sys.argv[1])
    claim = await store.claim("owner", 30.0, 0.0)
    print("ready", claim.fence, flush=True)
    for number, line in enumerate(sys.stdin):
        turn = Turn(id=f"t{number}", actor=ALICE, fence=claim.fence, revision=number, state=STATE)
        print(await store.commit(Batch(node="owner", fence=claim.fence, at=1.0, turns=(turn,))), flush=True)
    await store.close()

asyncio.run(main())
"""

WORKER = """
import asyncio, resource, sys
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import CommitUnknown
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry, Envelope, Turn

ALICE, LEDGER = actor_id("bank.account", "alice"), actor_id("bank.ledger", "main")
STATE = Record("bank.balance", 1, b"x" * 20_000)

async def main():
    store = await SqliteStore.open(sys.argv[1])
    await store.claim("owner", 30.0, 0.0)
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    for number in range(10_000):
        send = Envelope(id=f"s{number}", receiver=LEDGER, sender=ALICE, record=STATE)
        turn = Turn(id=f"t{number}", actor=ALICE, fence=1, revision=number, state=STATE, sends=(send,),
                    entries=(Entry("run", "line", 1.0, b"{}"),))
        try:
            await store.commit(Batch(node="owner", fence=1, at=1.0, turns=(turn,)))
        except CommitUnknown:
            break
        print(number, flush=True)
    await store.close()

asyncio.run(main())
"""
"""Commits turn after turn, saying so after each, until the disk is full."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def start(script: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(path), *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    if line:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def rest(process: subprocess.Popen[str]) -> list[str]:
    """What the process still says until it ends."""
    assert process.stdout is not None
    return process.stdout.readlines()


@pytest.fixture
def owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the file, with fence 1 and a lease from 0 to 30."""
    with start(OWNER, path) as process:
        assert ask(process) == "ready 1"
        yield process
        process.kill()


@pytest.fixture
async def store(owner: subprocess.Popen[str], path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    yield store
    await store.close()


async def test_a_file_in_use_names_path_process_and_remedy(
    owner: subprocess.Popen[str], store: SqliteStore, path: Path
) -> None:
    text = f"^{path} is owned by process {owner.pid}: stop it, or use the choragus command line, which works beside it$"

    with pytest.raises(FileInUse, match=text):
        await store.claim("b", 30.0, 1.0)


async def test_a_killed_owner_is_followed_at_once(owner: subprocess.Popen[str], store: SqliteStore) -> None:
    assert ask(owner, "commit").startswith("Committed")

    owner.kill()
    owner.wait()

    assert await store.claim("b", 30.0, 1.0) == Claim(fence=2, clean=False)
    assert (await store.load(ALICE)).revision == 1


async def test_a_stopped_owner_is_fenced_when_its_lease_has_expired(
    owner: subprocess.Popen[str], store: SqliteStore
) -> None:
    os.kill(owner.pid, signal.SIGSTOP)

    assert await store.claim("b", 30.0, 30.0) == Claim(fence=2, clean=False)

    os.kill(owner.pid, signal.SIGCONT)
    assert ask(owner, "commit") == "Rejected(fenced=True, offenders={})"
    assert isinstance(await store.commit(MINE), Committed)


async def test_who_took_over_by_the_fence_is_safe_when_the_old_owner_frees_the_lock(
    owner: subprocess.Popen[str], store: SqliteStore, path: Path
) -> None:
    await store.claim("b", 30.0, 30.0)
    owner.kill()
    owner.wait()
    third = await SqliteStore.open(path)

    with pytest.raises(FileInUse, match=f"process {os.getpid()}: stop it"):
        await third.claim("c", 30.0, 31.0)
    assert await store.renew("b", 30.0, 32.0)
    with pytest.raises(FileInUse):
        await third.claim("c", 30.0, 61.0)

    await third.close()


@pytest.mark.parametrize("beside", ["a visitor", "a backup"])
async def test_a_file_that_its_owner_opens_twice_keeps_its_log(path: Path, tmp_path: Path, beside: str) -> None:
    """Closing any descriptor of a file drops the process's locks on it, and the next visitor would delete the log."""
    store = await SqliteStore.open(path)
    claim = await store.claim("owner", 30.0, 0.0)

    if beside == "a backup":
        await back_up(path, tmp_path / "copy.db")
    else:
        await (await SqliteStore.open(path, visitor=True)).close()
    assert look(path) == "0"  # another process comes and goes
    turn = Turn(id="t0", actor=ALICE, fence=claim.fence, revision=0, state=Record("bank.balance", 1, b"{}"))
    await store.commit(Batch(node="owner", fence=claim.fence, at=1.0, turns=(turn,)))

    assert look(path) == "1"
    await store.close()


def look(path: Path) -> str:
    """What another process reads: how many actors there are."""
    line = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM actor').fetchone())"
    return subprocess.run([sys.executable, "-c", line, path], capture_output=True, text=True, check=True).stdout.strip()


async def check_whole(path: Path, committed: int) -> None:
    """The file holds what was committed, perhaps one more turn that nobody heard of, and each of them whole."""
    store = await SqliteStore.open(path)
    await store.claim("b", 30.0, 1.0)

    revision = (await store.load(ALICE)).revision

    assert committed <= revision <= committed + 1
    assert len(await store.fetch(LEDGER, 10_000, 1.0)) == revision
    assert len(await store.read("run", limit=10_000)) == revision
    assert (await store.verify()).problems == ()
    await store.close()


async def test_a_full_disk_leaves_each_commit_whole_or_absent(path: Path) -> None:
    with start(WORKER, path, "300000") as process:
        lines = rest(process)

    assert len(lines) > 0
    await check_whole(path, len(lines))


@pytest.mark.parametrize("heard", [1, 7, 30])
async def test_a_killed_owner_leaves_each_commit_whole_or_absent(path: Path, heard: int) -> None:
    with start(WORKER, path) as process:
        for _ in range(heard):
            ask(process)
        process.kill()
        lines = rest(process)

    await check_whole(path, heard + len(lines))
