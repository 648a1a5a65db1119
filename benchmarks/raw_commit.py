"""The floor under durable turns: the very rows of real batches, written by plain `sqlite3` with nothing around it.

The rows are caught from `choragus.mailbox.batch.apply`, so they are the same bytes in the same order and the same
batches, each kind of row by one `executemany`; encoding, digests, hash chains, look-ups and the hop to a thread have
all been done beforehand.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from time import perf_counter
from unittest.mock import patch

from choragus.mailbox import batch as writing
from choragus.mailbox.bulk import Rows, Statement, fill, put
from choragus.mailbox.digest import Field
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed

Write = tuple[str, list[tuple[Field, ...]]]
Writing = Callable[[Connection, Statement, Rows], None]


class _Catcher:
    """Keeps what the store writes, row by row."""

    def __init__(self) -> None:
        self.caught: list[Write] = []

    def note(self, write: Writing) -> Writing:
        """The same function, noted."""

        def noted(connection: Connection, statement: Statement, rows: Rows) -> None:
            if rows:
                by_hand = statement.text(1).replace(" IN (VALUES (?))", " = ?")
                self.caught.append((by_hand, [tuple(row) for row in rows]))
            write(connection, statement, rows)

        return noted


def rows_of(folder: Path, batches: Sequence[Batch]) -> list[list[Write]]:
    """What each batch writes, kind by kind of row, when they are committed to a new file in this order."""
    path = fresh(folder, "caught")
    asyncio.run(claim(path, batches[-1].node))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    found: list[list[Write]] = []
    for batch in batches:
        catcher = _Catcher()
        with patch.object(writing, "put", catcher.note(put)), patch.object(writing, "fill", catcher.note(fill)):
            assert isinstance(writing.apply(connection, batch), Committed)
        found.append(catcher.caught)
    connection.close()
    return found


def write(folder: Path, batches: Sequence[Sequence[Write]], begin: int) -> list[float]:
    """Seconds of each commit from batch `begin` on, flushed each (`synchronous=FULL`), into the same tables."""
    path = fresh(folder, "raw")
    asyncio.run(claim(path, "raw"))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    taken = [_commit(connection, batch) for batch in batches]
    connection.close()
    return taken[begin:]


def replay(folder: Path, batches: Sequence[Batch], begin: int) -> float:
    """Seconds for `SqliteStore.commit` of the batches from `begin` on: the store without any actor."""

    async def main() -> float:
        path = fresh(folder, "replayed")
        await claim(path, batches[-1].node)
        store = await SqliteStore.open(path)
        for batch in batches[:begin]:
            await store.commit(batch)
        started = perf_counter()
        for batch in batches[begin:]:
            await store.commit(batch)
        took = perf_counter() - started
        await store.close()
        return took

    return asyncio.run(main())


async def claim(path: Path, node: str) -> None:
    """Make the file, owned by `node` with the first fence."""
    store = await SqliteStore.open(path)
    await store.claim(node, 3600.0, 0.0)
    await store.close()


def fresh(folder: Path, name: str) -> Path:
    """A path where nothing is."""
    for old in folder.glob(f"{name}.db*"):
        old.unlink()
    return folder / f"{name}.db"


def flush(folder: Path, times: int = 50) -> float:
    """Seconds of a 4 KiB write with fsync, the median of `times`: what the disk takes at this moment."""
    path = folder / "flush"
    taken: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            begin = perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(perf_counter() - begin)
    path.unlink()
    return sorted(taken)[times // 2]


def _commit(connection: sqlite3.Connection, writes: Sequence[Write]) -> float:
    begin = perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in writes:
        connection.executemany(statement, rows)
    connection.execute("COMMIT")
    return perf_counter() - begin
