"""Giving room back: a file that nobody owns is written anew without the pages that pruning has emptied."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from time import time

import attrs
from anyio import to_thread

from .batch import transact
from .errors import FileInUse
from .file import lock_path, open_file, translated
from .filing import reindex
from .lease import check_integrity, current
from .lock import FileLock


@attrs.frozen
class Compaction:
    """Bytes of a database and its write-ahead log, before and after."""

    before: int
    after: int


async def compact(file: Path | str) -> Compaction:
    """Write a database anew without its empty pages, under the lock of its owner; readers go on beside it.

    It needs as much room again while it works. A process that dies half-way leaves the file as it was.

    Raises:
        FileInUse: when a process owns the file.
        CorruptRecord: when SQLite finds the file damaged; it is left as it is.
        StoreError: when there is no such file, or no room.
    """
    return await to_thread.run_sync(_compact, Path(file))


def _compact(file: Path) -> Compaction:
    with closing(open_file(file, visitor=True, synchronous="FULL")) as connection, translated(file):
        lock = FileLock(lock_path(file))
        is_ours = lock.acquire()
        try:
            if not is_ours or _is_owned(connection):
                raise FileInUse(_owned(file, lock.holder()))
            check_integrity(connection, file)
            before = _size(file)
            transact(connection, lambda: reindex(connection))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return Compaction(before, _size(file))
        finally:
            lock.release()


def _is_owned(connection: Connection) -> bool:
    """Whether somebody owns the file without its lock, which a stopped process keeps."""
    lease = current(connection)
    return lease is not None and not lease.clean and not lease.locked and lease.expires > time()


def _owned(file: Path, holder: int | None) -> str:
    return (
        f"{file} is owned by process {holder}: stop it before you compact the file; until then what was pruned is room "
        "that the file fills again by itself"
    )


def _size(file: Path) -> int:
    real = file.resolve()
    log = real.with_name(f"{real.name}-wal")
    return real.stat().st_size + (log.stat().st_size if log.exists() else 0)
