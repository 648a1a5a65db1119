"""Opening a database file: looked at before it is touched, then created or migrated, and set up for durable commits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal
from urllib.parse import quote

from .address import SHARDS
from .bulk import insertion, put
from .errors import CommitUnknown, CorruptRecord, FileBusy, NewerSchema, NotChoragusFile, StoreError
from .lock import FileLock
from .reseal import teach
from .row import META_COLUMNS, is_whole, sealed, select, text
from .schema import APPLICATION_ID, MIGRATIONS, SQLITE_FLOOR
from .wal import check_wal

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT = 30.0
"""How long a transaction waits for another process's, in seconds."""

LOG_SIZE = 64_000_000
"""Bytes that the write-ahead log keeps when a reader that made it longer has gone."""

_MAGIC = b"SQLite format 3\0"
_JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
"""How a rollback journal begins; the pages that the file had before stand at byte 16."""
_HEADER = 108
"""The file header of 100 bytes, and the head of the schema's first page."""


_OPEN_HERE: dict[int, tuple[int, int] | None] = {}
"""The files that this process has connections to. Such a file must not be opened otherwise: closing any descriptor of
it drops the locks that SQLite has on it, by the rules of POSIX, and then the next visitor of another process takes
itself for the last one there, and deletes the write-ahead log that the owner goes on writing to."""

_ONE_AT_A_TIME = Lock()


class _Connection(sqlite3.Connection):
    """One that is known to be open until it is closed."""

    def close(self) -> None:
        """Close it."""
        super().close()
        _OPEN_HERE.pop(id(self), None)


def open_file(path: Path, *, visitor: bool, synchronous: Synchronous) -> sqlite3.Connection:
    """A connection to the file, ready for use in another thread.

    A missing or empty file is created, readable by its owner only; an old schema is brought up to date. A visitor does
    neither. A file that is not ours, or newer than we are, keeps every byte.

    Raises:
        NotChoragusFile: when the path holds something else.
        NewerSchema: when a newer choragus wrote the file.
        StoreError: when the path cannot be opened, or a visitor finds nothing to visit.
    """
    if sqlite3.sqlite_version_info < SQLITE_FLOOR:
        floor = ".".join(str(part) for part in SQLITE_FLOOR)
        raise StoreError(f"Python's SQLite is {sqlite3.sqlite_version}, choragus needs {floor}: install a newer one")
    with translated(path):
        with _ONE_AT_A_TIME:
            empties = not visitor and _has_log(path)
            if not _is_open_here(path):
                _inspect(path, visitor, synchronous)
            connection = sqlite3.connect(
                _uri(path, "rw"),
                uri=True,
                timeout=BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                factory=_Connection,
            )
            _OPEN_HERE[id(connection)] = _identity(path)
        try:
            _prepare(connection, path, visitor, synchronous)
            if empties:
                _empty_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def remedy(error: BaseException | None) -> str:
    """What to do about an error of the disk, to be put behind it; nothing is known about others."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return ": make room on its disk"
        case sqlite3.SQLITE_IOERR:
            return ": see to its disk, which may be full"
    return ""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as ours, naming the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_CORRUPT:
                raise CorruptRecord(f"{path} is damaged: {error}; restore it from a backup") from error
            case sqlite3.SQLITE_NOTADB:
                raise NotChoragusFile(f"{path} is no SQLite database") from error
            case sqlite3.SQLITE_BUSY:
                raise FileBusy(
                    f"another process has kept {path} locked for {BUSY_TIMEOUT:g} s, and nothing was written: wait for "
                    "it, or end it if it is stopped"
                ) from error
        raise StoreError(f"{path} cannot be used: {error}{remedy(error)}") from error
    except CommitUnknown as error:
        cause = error.__cause__
        raise CommitUnknown(f"{path}: {error}{remedy(cause)}") from cause
    except UnicodeDecodeError as error:  # SQLite quotes what it could not read
        raise CorruptRecord(f"{path} is damaged: {error}; restore it from a backup") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error


def _is_open_here(path: Path) -> bool:
    file = _identity(path)
    return file is not None and file in list(_OPEN_HERE.values())


def _identity(path: Path) -> tuple[int, int] | None:
    """A file's, by whatever name; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)


def _inspect(path: Path, visitor: bool, synchronous: Synchronous) -> None:
    """Refuse what is not ours by its first bytes; create the file when there is none."""
    if visitor and not path.exists():
        raise StoreError(f"{path} does not exist: name a file that a choragus system has opened")
    if not visitor:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header:
        if visitor:
            raise StoreError(f"{path} is empty: name a file that a choragus system has opened")
        return
    if not visitor and _is_half_made(path, header):
        return
    if not header.startswith(_MAGIC):
        raise NotChoragusFile(f"{path} is no SQLite database: choose another path")
    if int.from_bytes(header[68:72], "big") == APPLICATION_ID:
        _check_version(int.from_bytes(header[60:64], "big"), path)
        _check_log(path, synchronous)
    elif not _is_blank(header):
        raise NotChoragusFile(f"{path} is a database of another program: choose another path")


def _is_blank(header: bytes) -> bool:
    """Whether this is an SQLite database that nobody has used: no owner, no version, no log, no table."""
    nobody = header[68:72] == header[60:64] == bytes(4)
    return nobody and header[18] == 1 and header[100] == 0x0D and header[103:105] == bytes(2)


def _is_half_made(path: Path, header: bytes) -> bool:
    """Whether the power failed while the first transaction was written, which SQLite takes back when it opens the file.

    Its journal says that the file was empty before, and what is there is part of a header, or nothing yet.
    """
    real = path.resolve()
    journal = real.with_name(f"{real.name}-journal")
    if not journal.exists() or any(one not in (0, wanted) for one, wanted in zip(header, _MAGIC, strict=False)):
        return False
    with journal.open("rb") as file:
        begin = file.read(20)
    return begin.startswith(_JOURNAL) and begin[16:] == bytes(4)


def _check_log(path: Path, synchronous: Synchronous) -> None:
    """A crash may have left commits in the write-ahead log, and the newest version number among them.

    Both are looked at before there is a connection that could write: closing it would copy the log over, and delete it.
    """
    if not _has_log(path):
        return
    if synchronous == "FULL":  # otherwise a power failure may have lost some, as was agreed
        check_wal(_log_of(path))
    connection = sqlite3.connect(_uri(path, "ro"), uri=True, timeout=BUSY_TIMEOUT)
    try:
        _check_version(_number(connection, "PRAGMA user_version"), path)
    finally:
        connection.close()


def _check_version(version: int, path: Path) -> None:
    if version > len(MIGRATIONS):
        raise NewerSchema(f"{path} has schema {version}, this choragus knows {len(MIGRATIONS)}: upgrade choragus")


def _prepare(connection: sqlite3.Connection, path: Path, visitor: bool, synchronous: Synchronous) -> None:
    connection.execute("PRAGMA cell_size_check = ON")
    version = _number(connection, "PRAGMA user_version")
    _check_version(version, path)
    if version < len(MIGRATIONS):
        if visitor:
            raise StoreError(f"{path} has the older schema {version}: open it once with a choragus system")
        _migrate(connection, path, version)
    shards = _shards(connection, path)
    if shards != str(SHARDS):
        raise StoreError(f"{path} has {shards} shards, this choragus {SHARDS}: use the version that made the file")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path} is on a file system without write-ahead logging ({mode}): use a local disk")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_SIZE}").fetchall()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    if synchronous == "FULL":  # on macOS only this reaches the disk
        connection.execute("PRAGMA fullfsync = ON")


def _empty_log(connection: sqlite3.Connection) -> None:
    """Bring what a crash left in the log into the database: a flush may have failed on it before, and will not be
    repeated for pages that are only read back. Somebody who reads meanwhile is not waited for."""
    connection.execute("PRAGMA busy_timeout = 100").fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}").fetchall()


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring the schema up to date; never under the feet of an older choragus that is running."""
    lock = FileLock(lock_path(path))
    if version and not lock.acquire():
        raise StoreError(f"{path} has the older schema {version} and process {lock.holder()} uses it: stop it first")
    try:
        teach(connection)
        connection.execute("BEGIN EXCLUSIVE")
        version = _number(connection, "PRAGMA user_version")
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        if version == 0:
            put(connection, insertion("meta", META_COLUMNS), [sealed("shards", str(SHARDS))])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    finally:
        lock.release()


def _shards(connection: sqlite3.Connection, path: Path) -> str:
    rows = select(connection, f"SELECT {META_COLUMNS} FROM meta WHERE name = 'shards'")
    if not rows or not is_whole(rows[0]):
        raise CorruptRecord(f"{path}: the number of shards does not match its digest; restore the file from a backup")
    return text(rows[0][1])


def _log_of(path: Path) -> Path:
    """The write-ahead log beside the database."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def _has_log(path: Path) -> bool:
    log = _log_of(path)
    return log.exists() and log.stat().st_size > 0


def lock_path(path: Path) -> Path:
    """The file beside the database that its owner locks; one, by whatever link the database is reached."""
    real = path.resolve()
    return real.with_name(f"{real.name}.lock")


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
