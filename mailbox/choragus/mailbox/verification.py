"""Checking a whole SQLite file: every digest, every chain, every head, and SQLite's own structures."""

from __future__ import annotations

from functools import partial
from sqlite3 import Connection, DatabaseError

from .audit import Findings, Link, check_entries, check_heads
from .citation import FORKED, check_forks
from .digest import Field, digest
from .errors import CorruptRecord
from .facts import highest
from .index_audit import unlike
from .plan import Head
from .row import (
    ENTRY_COLUMNS,
    TOMBSTONE_COLUMNS,
    Row,
    describe,
    lenient,
    raw,
    text,
    tombstone_of,
    unchecked_entry,
    whole,
)
from .schema import TABLES, Table
from .turn import Verification


def verify(connection: Connection) -> Verification:
    """What is wrong with the file, one sentence per problem; read in one transaction."""
    with lenient(connection):
        connection.execute("BEGIN")
        try:
            found = _begin(connection)
            for check in (
                _check_digests,
                _check_entries,
                _check_batches,
                _check_heads,
                _check_forks,
                _check_indexes,
                _check_file,
            ):
                try:
                    check(connection, found)
                except (DatabaseError, CorruptRecord, UnicodeDecodeError) as error:
                    found.problems.append(f"the file cannot be read to its end: {error}")
        finally:
            connection.execute("ROLLBACK")
    return found.verification()


def _begin(connection: Connection) -> Findings:
    """With the tombstones, also those whose digest is wrong: then their streams do not go on from them either."""
    try:
        rows = connection.execute(f"SELECT {TOMBSTONE_COLUMNS} FROM tombstone ORDER BY stream")
        return Findings(tuple(tombstone_of(row) for row in rows))
    except (DatabaseError, CorruptRecord, UnicodeDecodeError) as error:
        return Findings(problems=[f"the tombstones cannot be read: {error}"])


def _check_digests(connection: Connection, found: Findings) -> None:
    for table in TABLES:
        columns = ", ".join((*table.sealed, "digest", *table.content[1:]))
        for row in connection.execute(f"SELECT {columns} FROM {table.name}"):
            found.records += 1
            if not _is_whole(table, row):
                found.problems.append(f"{describe(table, row)} does not match its digest")


def _is_whole(table: Table, row: Row) -> bool:
    size = len(table.sealed)
    if row[size] != digest(*row[:size])[: table.size]:
        return False
    return not table.content or row[table.sealed.index("content")] == digest(row[0], *row[size + 1 :])


def _check_entries(connection: Connection, found: Findings) -> None:
    named = connection.execute("SELECT number, stream FROM head").fetchall()
    heads: dict[Field, str] = {number: name for number, name in named if isinstance(name, str)}  # a bit may turn it
    rows = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq")
    entries = (unchecked_entry(row, heads.get(row[1], f"number {row[1]!r}")) for row in rows)
    lost = connection.execute("SELECT DISTINCT stream FROM entry WHERE stream NOT IN (SELECT number FROM head)")
    found.problems += [f"entries of stream number {number} have no head" for (number,) in lost]
    check_entries(entries, partial(_recorded, connection), partial(_linked, connection), found)
    (last,) = connection.execute("SELECT ifnull(max(seq), 0) FROM entry").fetchone()
    last = max((last, *(stone.seq for stone in found.tombstones)))
    if highest(connection, "entry") > last:
        found.problems.append(f"the entries of the file behind number {last} are missing")


def _recorded(connection: Connection, number: int) -> tuple[float, bytes] | None:
    row: tuple[float, bytes] | None
    row = connection.execute("SELECT at, hash FROM batch WHERE number = ?", (number,)).fetchone()
    return row


def _linked(connection: Connection, number: int) -> list[Link]:
    return connection.execute("SELECT stream, position, hash FROM link WHERE batch = ?", (number,)).fetchall()


def _check_batches(connection: Connection, found: Findings) -> None:
    """Every batch row has entries, every entry a batch row, and the numbers have no gap but those that pruning left."""
    (found.batches,) = connection.execute("SELECT count(*) FROM batch").fetchone()
    lost = connection.execute("SELECT number FROM batch EXCEPT SELECT batch FROM entry EXCEPT SELECT last FROM gap")
    found.problems += [f"batch {number} has lost its entries" for (number,) in lost]
    missing = connection.execute(
        "SELECT batch FROM entry UNION SELECT number - 1 FROM batch WHERE number > 1 EXCEPT SELECT number FROM batch"
    )
    gaps: list[tuple[int, int]] = connection.execute("SELECT first, last FROM gap").fetchall()
    found.problems += [
        f"batch {number} is missing" for (number,) in missing if not any(first <= number < last for first, last in gaps)
    ]


def _check_heads(connection: Connection, found: Findings) -> None:
    rows = connection.execute("SELECT stream, position, hash FROM head")
    check_heads({text(stream): Head(position=whole(place), hash=raw(hash_)) for stream, place, hash_ in rows}, found)


def _check_forks(connection: Connection, found: Findings) -> None:
    heads: dict[Field, str] = dict(connection.execute("SELECT number, stream FROM head").fetchall())
    rows = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM entry WHERE kind = ?", (FORKED,))
    entries = (unchecked_entry(row, heads.get(row[1], f"number {row[1]!r}")) for row in rows)
    check_forks(entries, partial(_stands, connection), found)


def _stands(connection: Connection, stream: str, position: int) -> bytes | None:
    numbered = "(SELECT number FROM head WHERE stream = ?)"
    statement = f"SELECT hash FROM entry WHERE stream = {numbered} AND position = ?"
    row: tuple[bytes] | None = connection.execute(statement, (stream, position)).fetchone()
    return None if row is None else row[0]


def _check_indexes(connection: Connection, found: Findings) -> None:
    found.problems += unlike(connection)


def _check_file(connection: Connection, found: Findings) -> None:
    results = [result for (result,) in connection.execute("PRAGMA integrity_check(20)")]
    found.problems += [f"the file is damaged: {result}" for result in results if result != "ok"]
