"""Other processes at the file: one that holds SQLite's write lock, and one that reads without end."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs

import choragus.mailbox.file
from choragus.mailbox import ChoragusError, SqliteStore
from choragus.supervision import System, SystemFailed

from .machine import Seen
from .till import REGION, Add, Till

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Another process holds the write lock, for so long or until the end of the block."""
    command = [sys.executable, "-c", HOLDER, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Connections that are opened now wait so long for a lock, in place of 30 s."""
    before = choragus.mailbox.file.BUSY_TIMEOUT
    choragus.mailbox.file.BUSY_TIMEOUT = seconds
    try:
        yield
    finally:
        choragus.mailbox.file.BUSY_TIMEOUT = before


@attrs.define
class Outcome:
    """What a caller was told, and whether the system was there afterwards; `total` is what is on disk."""

    told: str = ""
    ended: str = ""
    total: int = -1


async def asked_while_locked(path: Path, seconds: float) -> Outcome:
    """Ask once while the lock is held for so long; then open the file again and look."""
    outcome, asking = Outcome(), list[asyncio.Task[int]]()
    try:
        async with System(path, actors=[REGION]) as system:
            till = system.ref(Till, "a")
            await till.ask(Add(1))
            with locked(path, seconds):
                asking.append(asyncio.create_task(till.ask(Add(1), timeout=seconds + 20)))
                await asyncio.wait(asking, timeout=seconds + 25)
    except SystemFailed as failed:
        outcome.ended = "; ".join(f"{type(error).__name__}: {error}" for error in failed.exceptions)
    (answer,) = await asyncio.gather(*asking, return_exceptions=True)
    outcome.told = f"{type(answer).__name__}: {answer}" if isinstance(answer, BaseException) else "reply"
    async with System(path, actors=[REGION]) as system:
        outcome.total = await system.ref(Till, "a").ask(Add(0))
    return outcome


async def opened_while_locked(path: Path, seconds: float) -> str:
    """What opening a file says whose write lock is held for longer than anybody waits."""
    async with System(path, actors=[REGION]) as system:
        await system.ref(Till, "a").ask(Add(1))
    with locked(path, seconds):
        try:
            async with System(path, actors=[REGION]):
                return "open"
        except ChoragusError as error:
            return f"{type(error).__name__}: {error}"


@attrs.define
class Growth:
    """The log's size in bytes: the largest while there was a reader, and after the reader had gone."""

    turns: int = 0
    largest: int = 0
    after: int = 0


async def written_beside_a_reader(path: Path, seconds: float, *, holds: bool) -> Growth:
    """Write for so long while another reads, through a visitor's calls, or in one transaction that `holds` its view."""
    growth = Growth()
    log = path.with_name(f"{path.name}-wal")
    async with System(path, actors=[REGION]) as system:
        till = system.ref(Till, "a")
        await till.ask(Add(0))
        reading = asyncio.create_task(_read(path)) if not holds else None
        with closing(sqlite3.connect(path)) as reader:
            if holds:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM entry").fetchone()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await asyncio.gather(*(till.ask(Add(1, "x" * 500)) for _ in range(20)))
                growth.turns += 20
                growth.largest = max(growth.largest, log.stat().st_size)
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        for _ in range(300):
            await till.ask(Add(1))
        growth.after = log.stat().st_size
    return growth


async def _read(path: Path) -> None:
    """Iterate over the whole logbook, again and again, beside the owner."""
    store = await SqliteStore.open(path, visitor=True)
    try:
        while True:
            seen = 0
            while entries := await store.log(after=seen, limit=100):
                seen = entries[-1].seq
                await asyncio.sleep(0.001)
    finally:
        await store.close()


def rows(quick: bool) -> list[Seen]:
    """The lock held for less and for more than the busy timeout; readers for a second or a minute."""
    short, long, wait = (0.3, 2.0, 1.0) if quick else (20.0, 35.0, 30.0)
    found: list[Seen] = []
    for seconds in (short, long):
        with tempfile.TemporaryDirectory() as folder, patience(wait):
            outcome = asyncio.run(asked_while_locked(Path(folder, "a.db"), seconds))
        texts = f"{outcome.told} {outcome.ended}"
        right = {"reply": (2,)}.get(outcome.told, (1, 2))
        broken = ["'database is locked' reached the user"] if "database is locked" in texts else []
        broken += [f"the file holds {outcome.total}"] if outcome.total not in right else []
        found.append(
            Seen(
                fault=f"the write lock held for {seconds:g} s by another process (we wait {wait:g} s)",
                points=1,
                promised="the caller waits or gets a typed error, never `database is locked`; the system goes on",
                broken=tuple(broken),
                seen=f"{outcome.told}; the system {f'ended: {outcome.ended}' if outcome.ended else 'went on'}",
            )
        )
    with tempfile.TemporaryDirectory() as folder, patience(0.5 if quick else wait):
        text = asyncio.run(opened_while_locked(Path(folder, "a.db"), 1.5 if quick else 35.0))
    found.append(
        Seen(
            fault="opening while the write lock is held for longer than anybody waits",
            points=1,
            promised="FileInUse or another typed error that says what to do",
            broken=("'database is locked' reached the user",) if "database is locked" in text else (),
            seen=text,
        )
    )
    for holds in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            growth = asyncio.run(written_beside_a_reader(Path(folder, "a.db"), 1.0 if quick else 60.0, holds=holds))
        what = "one transaction" if holds else "a visitor's calls"
        found.append(
            Seen(
                fault=f"a reader beside the owner, in {what}",
                points=growth.turns,
                promised="turns commit all the time; the log is taken over once the reader is gone",
                seen=f"grew to {growth.largest / 1e6:.1f} MB in {growth.turns} turns, {growth.after / 1e6:.1f} after",
            )
        )
    return found
