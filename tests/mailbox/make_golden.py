"""Makes the golden files of the present schema: `python -m tests.mailbox.make_golden`, once, before a release.

A golden file is never made again: it is what that version wrote.
"""

from __future__ import annotations

import lzma
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import attrs
from tests.agents.cli_clerk import leave_waiting
from tests.agents.guarded import leave_guarded

from choragus.mailbox.schema import MIGRATIONS
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Pruning

from .test_sqlite_damage import BATCH, batches

TESTS = Path(__file__).parents[1]


async def fill(path: Path) -> None:
    """Every kind of record, and streams whose beginnings were pruned."""
    store = await SqliteStore.open(path)
    await store.claim("a", 30.0, 0.0)
    for batch in batches():
        await store.commit(batch)
    await store.commit(attrs.evolve(BATCH, cursors={"export": 7}))
    await store.prune(Pruning(at=20.0, streams={"run/2": 1, "system": 1, "run/1": 1}))
    await store.release("a")
    await store.close()


def make(name: str, write: Callable[[Path], Awaitable[None]]) -> None:
    """One file, unless it is there."""
    golden = TESTS / f"{name}-{len(MIGRATIONS)}.db.xz"
    if golden.exists():
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        anyio.run(write, path)
        golden.write_bytes(lzma.compress(path.read_bytes(), preset=9))


if __name__ == "__main__":
    make("mailbox/golden/store", fill)
    make("agents/golden/runs", leave_waiting)
    make("agents/golden/guarded", leave_guarded)
