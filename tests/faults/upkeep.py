"""A file of an older version that is opened, pruned, backed up and compacted: what is done to a file as a whole."""

# ruff: noqa: ASYNC240  # the workload looks at small files itself

from __future__ import annotations

import lzma
import os
import time
from contextlib import suppress
from pathlib import Path

from choragus.mailbox.backup import back_up
from choragus.mailbox.compaction import compact
from choragus.mailbox.errors import ChoragusError, StoreError
from choragus.mailbox.file import translated
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Pruning
from choragus.supervision.testing.ledger import Ledger

from .interposer import Interposer
from .verdict import Verdict

GOLDEN = Path(__file__).parents[1] / "mailbox/golden/store-1.db.xz"
STREAMS = {"run/2": 1, "system": 1, "run/1": 1}
SEEDED, OPENED, PRUNED, COPIED, COMPACTED = range(1, 6)
"""What is acknowledged."""

Content = dict[str, list[str]]

BEFORE = ["run/1 1", "system 1", "run/1 2", "run/2 1", "run/1 3", "system 2", "run/1 4"]
AFTER = ["run/1 2", "run/1 3", "system 2", "run/1 4"]
WHOLE: Content = {"lines": BEFORE, "parked": ["m3"], "effects": ["effect-1"], "views": ["run-1"]}


async def upkeep(path: Path, ledger: Ledger) -> dict[str, Content]:
    """Everything that is not there yet, one after the other; the outcome is what the file and its copy hold."""
    interposer, copy = Interposer(), copy_of(path)
    if not path.exists():
        _seed(path)
    interposer.ack(SEEDED)
    await _prune(path, interposer)
    interposer.ack(PRUNED)
    if not copy.exists():
        await _back_up(path, copy)
    interposer.ack(COPIED)
    await compact(path)
    interposer.ack(COMPACTED)
    return {"file": await content(path), "copy": await content(copy)}


def copy_of(path: Path) -> Path:
    """Where its backup is."""
    return path.with_name(f"{path.name}.backup")


async def look(path: Path, acknowledged: int) -> Verdict:
    """Whether the file holds what it held, and its backup, where there is one, is whole."""
    if acknowledged < SEEDED:
        return Verdict()
    try:
        found = await content(path)
        if found | {"lines": BEFORE} != WHOLE or not set(AFTER) <= set(found["lines"]) <= set(BEFORE):
            return Verdict(problem=f"the file holds {found}")
        if acknowledged >= PRUNED and found["lines"] != AFTER:
            return Verdict(lost=1)
        if not copy_of(path).exists():
            return Verdict(lost=int(acknowledged >= COPIED))
        copied = await content(copy_of(path))
        return Verdict(problem="" if copied == WHOLE | {"lines": AFTER} else f"the copy holds {copied}")
    except ChoragusError as error:
        return Verdict(problem=f"{type(error).__name__}: {error}")


async def content(path: Path) -> Content:
    """What a file holds, in plain types.

    Raises:
        StoreError: when it does not verify.
    """
    store = await SqliteStore.open(path)
    try:
        if problems := (await store.verify()).problems:
            raise StoreError(f"{path} does not verify: {'; '.join(problems)}")
        return {
            "lines": [f"{entry.stream} {entry.position}" for entry in await store.log()],
            "parked": [one.envelope.id for one in await store.parked()],
            "effects": [effect.id for effect in await store.effects()],
            "views": [view.key for view in await store.views("run")],
        }
    finally:
        await store.close()


def _seed(path: Path) -> None:
    part = path.with_name(f"{path.name}.seed")
    with translated(part):
        part.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
        _flush(part)
        part.replace(path)
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


async def _prune(path: Path, interposer: Interposer) -> None:
    store = await SqliteStore.open(path)
    try:
        interposer.ack(OPENED)
        claim = await store.claim("upkeep", 30.0, time.time())
        await store.commit(Batch(node="upkeep", fence=claim.fence, at=20.0, cursors={"export": 7}))
        while not (part := await store.prune(Pruning(at=20.0, streams=STREAMS, limit=1))).done:
            assert not part.in_use, part.in_use
        await store.release("upkeep")
    finally:
        with suppress(StoreError):
            await store.close()


async def _back_up(path: Path, copy: Path) -> None:
    try:
        await back_up(path, copy)
    except ChoragusError as error:
        if copy.exists():
            raise AssertionError(f"a backup that failed is there: {error}") from error
        raise
