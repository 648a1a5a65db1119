"""Who owns the file: one row with a fence that only rises, beside the lock that dies with its process.

The lock is the rule: whoever gets it takes the lease at once. The lease's end matters only for an owner that lives on
without running (stopped, or frozen with its machine) and so keeps the lock: the file is then taken by the fence alone,
and the lease says that its new owner has no lock.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import attrs

from .batch import transact
from .bulk import insertion, put
from .errors import CorruptRecord, FileInUse
from .lock import FileLock
from .row import (
    LEASE_COLUMNS,
    MESSAGE_COLUMNS,
    Row,
    envelope_of,
    is_whole,
    message_row,
    real,
    sealed,
    text,
    whole,
)
from .schema import EFFECT
from .turn import Claim, EffectState


@attrs.frozen(kw_only=True)
class Lease:
    """The row. `clean`: the owner ended in order; `locked`: it holds the lock besides."""

    node: str
    fence: int
    expires: float
    clean: bool
    pid: int
    locked: bool


def claim(connection: Connection, lock: FileLock, path: Path, lease: Lease, now: float) -> Claim:
    """Make `lease` the file's, its fence one higher than any before.

    Raises:
        FileInUse: when a live owner holds the file.
        CorruptRecord: when the last owner ended uncleanly and SQLite finds the file damaged.
    """
    held_before = lock.is_held
    wanted = attrs.evolve(lease, locked=lock.acquire(), pid=os.getpid())
    try:
        return transact(connection, partial(_claim, connection, path, lock.holder(), wanted, now))
    except BaseException:
        if not held_before:
            lock.release()
        raise


def renew(connection: Connection, lock: FileLock, node: str, expires: float) -> bool:
    """Push the lease's end out, and take the lock when it has become free; False when the lease is lost."""
    return transact(connection, partial(_renew, connection, lock, node, expires))


def release(connection: Connection, node: str) -> None:
    """Mark the lease as ended in order; nothing happens when it is another's."""
    transact(connection, partial(_release, connection, node))


def abandon(connection: Connection) -> None:
    """Let the lease be one that has run out, as that of an owner that was killed: for a copy, which nobody owns."""
    lease = current(connection)
    if lease is not None:
        _put(connection, attrs.evolve(lease, expires=0.0, locked=False))


def current(connection: Connection) -> Lease | None:
    """The lease as it stands; None when nobody ever owned the file."""
    row: Row | None = connection.execute(f"SELECT {LEASE_COLUMNS} FROM lease").fetchone()
    if row is None:
        return None
    if not is_whole(row):
        raise CorruptRecord("the lease does not match its digest: restore the file from a backup")
    return Lease(
        node=text(row[1]),
        fence=whole(row[2]),
        expires=real(row[3]),
        clean=bool(row[4]),
        pid=whole(row[5]),
        locked=bool(row[6]),
    )


def _claim(connection: Connection, path: Path, holder: int | None, wanted: Lease, now: float) -> Claim:
    last = current(connection)
    if last is not None and _is_alive(last, wanted, now):
        pid = last.pid if wanted.locked or holder is None else holder
        raise FileInUse(
            f"{path} is owned by process {pid}: stop it, or use the choragus command line, which works beside it"
        )
    clean = last is None or last.clean
    if not clean:
        check_integrity(connection, path)
    _reset_started(connection, interrupted=0 if clean else 1)
    if not clean:
        _count_attempts(connection)
    fence = last.fence + 1 if last else 1
    _put(connection, attrs.evolve(wanted, fence=fence))
    return Claim(fence=fence, clean=clean)


def _is_alive(last: Lease, wanted: Lease, now: float) -> bool:
    """Whether the last owner may still be running; one that held the lock cannot be when the lock is ours now."""
    if last.node == wanted.node or last.clean or last.expires <= now:
        return False
    return not (wanted.locked and last.locked)


def _renew(connection: Connection, lock: FileLock, node: str, expires: float) -> bool:
    lease = current(connection)
    if lease is None or lease.node != node or lease.clean:
        return False
    _put(connection, attrs.evolve(lease, expires=expires, locked=lock.acquire()))
    return True


def _release(connection: Connection, node: str) -> None:
    lease = current(connection)
    if lease is not None and lease.node == node:
        _put(connection, attrs.evolve(lease, expires=0.0, clean=True, locked=False))


def _put(connection: Connection, lease: Lease) -> None:
    row = sealed(1, lease.node, lease.fence, lease.expires + 0.0, int(lease.clean), lease.pid, int(lease.locked))
    put(connection, insertion("lease", LEASE_COLUMNS, replace=True), [row])


def check_integrity(connection: Connection, path: Path) -> None:
    """Raise CorruptRecord when SQLite finds something wrong with the file's structure."""
    (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise CorruptRecord(f"{path} is damaged: {result}; restore it from a backup")


def _reset_started(connection: Connection, interrupted: int) -> None:
    rows: list[Row] = connection.execute(f"SELECT {MESSAGE_COLUMNS} FROM message WHERE started = 1").fetchall()
    changes: list[Row] = []
    for row in rows:
        if is_whole(row):  # a damaged one is parked when it is fetched
            envelope = envelope_of(row)
            count = envelope.interrupted + interrupted
            error = text(row[19])
            changed = message_row(envelope.seq, attrs.evolve(envelope, interrupted=count), error)
            changes.append((count, changed[-1], envelope.seq))
    connection.executemany("UPDATE message SET interrupted = ?, started = 0, digest = ? WHERE seq = ?", changes)


def _count_attempts(connection: Connection) -> None:
    """An open effect may have been running when the process died."""
    statement = f"SELECT {', '.join(EFFECT.sealed)}, digest FROM effect WHERE state = ?"
    rows: list[Row] = connection.execute(statement, (EffectState.OPEN.value,)).fetchall()
    changes: list[Row] = []
    for row in rows:
        if is_whole(row):  # a damaged one is named when the effects are read
            changed = sealed(*row[:3], whole(row[3]) + 1)
            changes.append((*changed[3:], row[0]))
    connection.executemany("UPDATE effect SET attempts = ?, digest = ? WHERE id = ?", changes)
