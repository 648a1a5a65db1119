"""A copy of a database file while its owner runs: consistent, complete under its name or not there at all.

`VACUUM INTO` reads in one transaction, so the copy is the file as of one commit and the owner goes on writing. It is
written under another name, flushed, and then linked to the one that was asked for.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import attrs
from anyio import to_thread

from .errors import StoreError
from .facts import highest, last_batch
from .file import open_file, translated
from .lease import abandon


@attrs.frozen(kw_only=True)
class Backup:
    """A copy that is on disk. `position` is the `seq` of its last entry, `batch` the number of its last batch."""

    path: Path
    bytes: int
    position: int
    batch: int


async def back_up(file: Path | str, target: Path | str) -> Backup:
    """Copy a database file, whether or not a process owns it; the copy opens by itself.

    The copy is the file as of one commit, and readable by its owner only. Whoever opens it finds an unclean end, as
    after a kill, unless the file had been closed in order: what was under way is settled by the rules of a crash. A
    process that dies half-way leaves nothing under `target`'s name, but perhaps a file `TARGET.XXXXXXXX.part` beside
    it, which may be deleted.

    Raises:
        StoreError: when `target` exists, cannot be written or does not fit; `file` and `target` stay as they were.
        NotChoragusFile, NewerSchema, CorruptRecord: when the file cannot be read.
    """
    return await to_thread.run_sync(_back_up, Path(file), Path(target))


def _back_up(file: Path, target: Path) -> Backup:
    with closing(open_file(file, visitor=True, synchronous="FULL")) as source, translated(target):
        if os.path.lexists(target):
            raise _taken(target)
        with _unfinished(target) as part:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _copy(source, file, part)
            made = _settle(part, target)
            _flush(part)
            _publish(part, target)
    return made


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """The name that a copy is written under; nothing of that name is left."""
    part = target.with_name(f"{target.name}.{uuid4().hex[:8]}.part")
    try:
        yield part
    finally:
        for left in (part, part.with_name(f"{part.name}-journal")):
            with suppress(OSError):  # what became of the copy is said already
                left.unlink()


def _copy(source: sqlite3.Connection, file: Path, part: Path) -> None:
    try:
        source.execute("VACUUM INTO ?", (str(part),))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise  # the target's
        with translated(file):
            raise


def _settle(part: Path, target: Path) -> Backup:
    """Make the copy one that nobody owns, and say what it holds."""
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        abandon(copy)
        position, (batch, _) = highest(copy, "entry"), last_batch(copy)
    return Backup(path=target, bytes=part.stat().st_size, position=position, batch=batch)


def _publish(part: Path, target: Path) -> None:
    """Give the copy its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _taken(target) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise _taken(target) from None
        part.rename(target)
    try:
        _flush(target.absolute().parent)
    except OSError:  # nobody can say whether the name would outlive a loss of power
        with suppress(OSError):
            target.unlink()
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(target: Path) -> StoreError:
    return StoreError(f"{target} exists, and a backup overwrites nothing: name a file that is not there")
