"""A file as somebody reads it who is in a hurry: by the standard library alone, without the store and its thread.

It takes no lock that anybody would notice, writes nothing, and works while a service has the file open. Every row is
checked against its digest, as the store does it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from os import PathLike, fsencode, fspath
from os.path import exists, getsize
from struct import pack
from types import TracebackType
from typing import NamedTuple

from .errors import CorruptRecord, FileBusy, NewerSchema, NotChoragusFile, StoreError
from .heads import Heads, heads_of
from .phrase import spelled_out

try:
    from _blake2 import blake2b  # hashlib has the same, and loads OpenSSL beside it: a fifth of what a look takes
except ImportError:
    from hashlib import blake2b

APPLICATION_ID = 0x63686F72
SCHEMA = 6
"""The schema that this reads; both are those of `schema.py`, which is not imported here."""

PATIENCE = 5.0
"""Seconds that a read waits for somebody who has the file locked as a whole, as nobody does for long."""

_NO_ROOM_BESIDE = frozenset(
    (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)
)
"""How SQLite says that it cannot put its index of the log beside a file."""

_VIEW = "kind, key, scope, sort, body, digest"
_ENTRY = "entry.seq, entry.stream, entry.position, kind, at, body, batch, entry.hash, entry.digest"
_ENTRY_DIGEST = 8
_PAGE = 500
"""Entries that are read at a time: who reads slowly must not keep the file's owner from emptying its log."""


class ViewRow(NamedTuple):
    """A row that lists and pages show; `sort` is what the rows of a kind are ordered by."""

    kind: str
    key: str
    scope: str
    sort: float
    body: bytes

    @property
    def data(self) -> dict[str, object]:
        """The body's fields."""
        found: dict[str, object] = json.loads(self.body or b"{}")
        return found


class EntryRow(NamedTuple):
    """A line of the logbook; `position` counts from 1 in its stream, `seq` from 1 in the file."""

    seq: int
    stream: str
    position: int
    kind: str
    at: float
    body: bytes
    batch: int
    hash: bytes

    @property
    def data(self) -> dict[str, object]:
        """The body's fields."""
        found: dict[str, object] = json.loads(self.body)
        return found


class Reader:
    """An open file; a context manager.

    Use it in one thread. What it gives is what is committed at that moment; a service commits on meanwhile.

    Args:
        path: the database.

    Raises:
        StoreError: when there is no such file, or it cannot be opened.
        NotChoragusFile: when it is something else.
        NewerSchema: when a newer choragus wrote it.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = fspath(path)
        if not exists(self.path):
            raise StoreError(f"{self.path} does not exist: name a file that a choragus system has opened")
        if not getsize(self.path):
            raise StoreError(f"{self.path} is empty: name a file that a choragus system has opened")
        try:
            self._connect("mode=ro")
        except sqlite3.Error as error:
            if not self._stands_still(error):
                raise self._fault(error) from error
            self._connect_again()
        self._names: dict[int, str] = {}
        self._version = self._data_version()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def views(self, kind: str, scope: str | None = None, *, newest: bool = False, limit: int = -1) -> Iterator[ViewRow]:
        """The rows of a kind, by `sort` and key, as they are read; damaged ones are left out.

        Args:
            scope: only those of this scope.
            newest: begin with the highest `sort`.
            limit: how many at most; all by default.
        """
        within, values = ("", ()) if scope is None else ("AND scope = ?", (scope,))
        way, behind = ("DESC", "<") if newest else ("ASC", ">")
        start: tuple[object, ...] = ()
        while limit:
            # only within a scope is there an index in this order: without one each page would sort them all
            size = limit if scope is None else _PAGE if limit < 0 else min(_PAGE, limit)
            after = f"AND (sort, key) {behind} (?, ?)" if start else ""
            statement = (
                f"SELECT {_VIEW} FROM view WHERE kind = ? {within} {after} ORDER BY sort {way}, key {way} LIMIT ?"
            )
            page = self._rows(statement, kind, *values, *start, size)
            for row in page:
                if row[-1] == digest(*row[:-1]):
                    yield ViewRow(*row[:-1])
            if size < 0 or len(page) < size:
                return
            start, limit = (page[-1][3], page[-1][1]), limit - size if limit > 0 else limit

    def view(self, kind: str, key: str) -> ViewRow | None:
        """One row.

        Raises:
            CorruptRecord: when it is not what was written.
        """
        for row in self._rows(f"SELECT {_VIEW} FROM view WHERE kind = ? AND key = ?", kind, key):
            if row[-1] != digest(*row[:-1]):
                raise CorruptRecord(f"view {kind!r} {key!r} does not match its digest")
            return ViewRow(*row[:-1])
        return None

    def keys(self, kind: str, beginning: str) -> list[str]:
        """The keys of a kind's rows that begin so, at most 100."""
        end = beginning + "\U0010ffff"
        rows = self._rows(
            "SELECT key FROM view WHERE kind = ? AND key >= ? AND key < ? ORDER BY key LIMIT 100", kind, beginning, end
        )
        return [str(key) for (key,) in rows]

    def count(self, kind: str) -> int:
        """How many rows of the kind there are."""
        ((count,),) = self._rows("SELECT count(*) FROM view WHERE kind = ?", kind)
        return int(count)

    def read(self, stream: str, after: int = 0, limit: int = -1) -> Iterator[EntryRow]:
        """The entries of a stream behind a position, as they are read.

        Raises:
            CorruptRecord: when one of them is not what was written.
        """
        number = next((int(found[0]) for found in self._rows("SELECT number FROM head WHERE stream = ?", stream)), 0)
        self._names[number] = stream
        statement = f"SELECT {_ENTRY} FROM entry WHERE stream = {number} AND position > ? ORDER BY position LIMIT ?"
        yield from self._entries(statement, 2, after, limit)

    def log(self, after: int = 0, limit: int = -1) -> Iterator[EntryRow]:
        """The entries of all streams behind a `seq`, in commit order, as they are read.

        Raises:
            CorruptRecord: when one of them is not what was written.
        """
        yield from self._entries(f"SELECT {_ENTRY} FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", 0, after, limit)

    def last(self, stream: str) -> int:
        """The position of a stream's last entry; 0 when it has none."""
        return next((int(row[0]) for row in self._rows("SELECT position FROM head WHERE stream = ?", stream)), 0)

    def changed(self) -> bool:
        """Whether anything was committed since this was last asked, or since the file was opened."""
        before, self._version = self._version, self._data_version()
        return self._version != before

    def heads(self, made: float, *, streams: bool = False) -> Heads:
        """Where the file's chain stands, to be exported.

        Args:
            made: when that is, in seconds since the epoch.
            streams: with the head of every stream.
        """
        try:
            return heads_of(self._connection, made, streams=streams)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a statement, unchecked; for figures over the whole file."""
        return [*self._rows(statement, *values)]

    def _entries(self, statement: str, place: int, after: int, limit: int) -> Iterator[EntryRow]:
        """Page by page; the column at `place` says where to go on."""
        while limit:
            size = _PAGE if limit < 0 else min(_PAGE, limit)
            page = [self._entry(row) for row in self._rows(statement, after, size)]
            yield from page
            if len(page) < size:
                return
            after, limit = int(page[-1][place]), limit - size if limit > 0 else limit

    def _entry(self, row: tuple) -> EntryRow:  # type: ignore[type-arg]  # as SQLite gives it
        seq, number, position, kind, at, body, batch, hash = row[:-1]
        stream = self._names.get(number) or self._name(number)
        if row[-1] != digest(*row[:-1])[:_ENTRY_DIGEST]:
            raise CorruptRecord(f"entry {position} of {stream!r} does not match its digest")
        return EntryRow(seq, stream, position, kind, at, spelled_out(stream, body), batch, hash)

    def _name(self, number: int) -> str:
        for (stream,) in self._rows("SELECT stream FROM head WHERE number = ?", number):
            self._names[number] = stream
            return str(stream)
        raise CorruptRecord(f"the head of stream number {number} is missing")

    def _rows(self, statement: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]  # as SQLite gives them
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _connect(self, how: str) -> None:
        self._connection = sqlite3.connect(f"file:{_in_uri(self.path)}?{how}", uri=True, timeout=PATIENCE)
        self._connection.isolation_level = None
        self._connection.text_factory = _text
        self._check()

    def _connect_again(self) -> None:
        """Without what SQLite puts beside a file: all of it is in the file, and nobody can write to it here."""
        try:
            self._connect("mode=ro&immutable=1")
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _stands_still(self, error: sqlite3.Error) -> bool:
        """Whether nothing can be put beside the file, as on a full disk or in a folder for reading, and no log is."""
        log = f"{self.path}-wal"
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_ROOM_BESIDE and not (exists(log) and getsize(log))

    def _data_version(self) -> int:
        ((version,),) = self._rows("PRAGMA data_version")
        return int(version)

    def _check(self) -> None:
        (owner,) = self._connection.execute("PRAGMA application_id").fetchone()
        (schema,) = self._connection.execute("PRAGMA user_version").fetchone()
        if owner != APPLICATION_ID:
            raise NotChoragusFile(f"{self.path} is a database of another program: choose another path")
        if schema > SCHEMA:
            raise NewerSchema(f"{self.path} has schema {schema}, this choragus knows {SCHEMA}: upgrade choragus")
        if schema < SCHEMA:
            raise StoreError(f"{self.path} has the older schema {schema}: open it once with a choragus system")

    def _fault(self, error: sqlite3.Error) -> Exception:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_NOTADB:
                return NotChoragusFile(f"{self.path} is no SQLite database")
            case sqlite3.SQLITE_CORRUPT:
                return CorruptRecord(f"{self.path} is damaged: {error}; restore it from a backup")
            case sqlite3.SQLITE_BUSY:
                return FileBusy(f"another process has kept {self.path} locked for {PATIENCE:g} s: wait for it")
            case code if code in _NO_ROOM_BESIDE:
                remedy = (
                    "see to its disk, which may be full, and to who may write in its folder, or copy it with its -wal"
                )
                return StoreError(f"{self.path} cannot be read: {error}: {remedy}")
        return StoreError(f"{self.path} cannot be read: {error}")


def digest(*fields: object) -> bytes:
    """The digest of a row, as `choragus.mailbox.digest` makes it with a library: the fields framed as MessagePack."""
    head = bytes((0x90 | len(fields),)) if len(fields) < 16 else pack(">BH", 0xDC, len(fields))
    return blake2b(head + b"".join(map(_packed, fields)), digest_size=16).digest()


def _in_uri(path: str) -> str:
    """The path as it stands in a URI; `urllib` knows the same, and takes 5 ms to import."""
    return "".join(chr(one) if chr(one).isalnum() and one < 128 else f"%{one:02X}" for one in fsencode(path))


def _text(stored: bytes) -> str:
    """Damaged text too, so that its digest can be compared."""
    return stored.decode("utf-8", "surrogateescape")


def _packed(field: object) -> bytes:
    if isinstance(field, str):
        text = field.encode("utf-8", "surrogateescape")
        size = len(text)
        if size < 32:
            return bytes((0xA0 | size,)) + text
        return _sized(size, 0xD9) + text
    if isinstance(field, bytes):
        return _sized(len(field), 0xC4) + field
    if isinstance(field, float):
        return pack(">Bd", 0xCB, field)
    if isinstance(field, int):
        return _whole(field)
    return b"\xc0"


def _sized(size: int, first: int) -> bytes:
    if size < 0x100:
        return pack(">BB", first, size)
    return pack(">BH", first + 1, size) if size < 0x10000 else pack(">BI", first + 2, size)


def _whole(number: int) -> bytes:
    if -32 <= number < 128:
        return pack(">b", number)
    for form, code, low, high in _WHOLE:
        if low <= number <= high:
            return pack(form, code, number)
    raise CorruptRecord(f"a stored integer reads as {number}")


_WHOLE = (
    *((">BB", 0xCC, 0, 0xFF), (">BH", 0xCD, 0, 0xFFFF), (">BI", 0xCE, 0, 0xFFFFFFFF), (">BQ", 0xCF, 0, 2**64 - 1)),
    *((">Bb", 0xD0, -0x80, 0), (">Bh", 0xD1, -0x8000, 0), (">Bi", 0xD2, -0x80000000, 0), (">Bq", 0xD3, -(2**63), 0)),
)
"""MessagePack's forms of integers, the shortest first: how to pack one, its code, and from where to where it goes."""
