"""Checking a whole SQLite file: every digest, every chain, every head, and SQLite's own structures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from hashlib import blake2b
from pathlib import Path
from sqlite3 import Connection, DatabaseError

from .audit import Findings, check_heads
from .citation import check_forks
from .digest import Field, digest, pack
from .errors import CorruptRecord
from .facts import highest
from .file import open_file
from .heads import Heads
from .heads import unlike as unlike_heads
from .index_audit import unlike
from .plan import Head
from .row import (
    TOMBSTONE_COLUMNS,
    Row,
    describe,
    lenient,
    raw,
    text,
    tombstone_of,
    whole,
)
from .schema import ENTRY, TABLES, Table
from .turn import Verification
from .walk import Walk


def verify(connection: Connection) -> Verification:
    """What is wrong with the database of a connection."""
    found = _verified(connection)
    found.problems += _structures(connection)
    return found.verification()


def verify_file(path: Path, heads: Sequence[Heads] = ()) -> Verification:
    """What is wrong with a file, one sentence per problem; as of one commit, beside an owner who goes on writing.

    It takes seconds for a large one, and holds nobody up: it has connections of its own. Call it in a thread.

    Args:
        heads: exported before, which the file must still go on from.

    Raises:
        StoreError: when the file cannot be opened.
    """
    with ThreadPoolExecutor(1) as beside, closing(open_file(path, visitor=True, synchronous="FULL")) as connection:
        structures = beside.submit(_check_file, path)
        found = _verified(connection, heads)
        found.problems += structures.result()
    return found.verification()


def _verified(connection: Connection, heads: Sequence[Heads] = ()) -> Findings:
    """Read in one transaction."""
    with lenient(connection):
        connection.execute("BEGIN")
        try:
            found = _begin(connection)
            for check in (_check_digests, _check_entries, _check_heads, _check_indexes):
                try:
                    check(connection, found)
                except (DatabaseError, CorruptRecord, UnicodeDecodeError) as error:
                    found.problems.append(f"the file cannot be read to its end: {error}")
            found.problems += _unlike_heads(connection, heads)
        finally:
            connection.execute("ROLLBACK")
    return found


def _unlike_heads(connection: Connection, heads: Sequence[Heads]) -> list[str]:
    try:
        return [problem for one in heads for problem in unlike_heads(connection, one)]
    except (DatabaseError, UnicodeDecodeError) as error:
        return [f"the file cannot be compared with the exported heads: {error}"]


def _begin(connection: Connection) -> Findings:
    """With the tombstones, also those whose digest is wrong: then their streams do not go on from them either."""
    try:
        rows = connection.execute(f"SELECT {TOMBSTONE_COLUMNS} FROM tombstone ORDER BY stream")
        return Findings(tuple(tombstone_of(row) for row in rows))
    except (DatabaseError, CorruptRecord, UnicodeDecodeError) as error:
        return Findings(problems=[f"the tombstones cannot be read: {error}"])


def _check_digests(connection: Connection, found: Findings) -> None:
    for table in TABLES:
        if table is ENTRY:
            continue  # with their chains
        columns = ", ".join((*table.sealed, "digest", *table.content[1:]))
        size, kept = len(table.sealed), table.size
        for row in connection.execute(f"SELECT {columns} FROM {table.name}"):
            found.records += 1
            if not table.content and _is_sealed(row[:size], row[size], kept):
                continue  # batches are as many as commits
            if not _is_whole(table, row):
                found.problems.append(f"{describe(table, row)} does not match its digest")


def _is_sealed(fields: Row, sealed: Field, kept: int) -> bool:
    """Whether a digest is right of fields of the common forms."""
    try:
        return blake2b(pack(fields), digest_size=16).digest()[:kept] == sealed
    except (TypeError, UnicodeEncodeError, OverflowError):
        return False


def _is_whole(table: Table, row: Row) -> bool:
    size = len(table.sealed)
    if row[size] != digest(*row[:size])[: table.size]:
        return False
    return not table.content or row[table.sealed.index("content")] == digest(row[0], *row[size + 1 :])


def _check_entries(connection: Connection, found: Findings) -> None:
    named = connection.execute("SELECT number, stream FROM head").fetchall()
    names: dict[Field, str] = {number: name for number, name in named if isinstance(name, str)}  # a bit may turn it
    walk = Walk(connection, found, names)
    walk.through()
    found.records += found.entries
    last = max((walk.last, *(stone.seq for stone in found.tombstones)))
    written = highest(connection, "entry")
    if written > last:
        behind = f"{written - last} were written that only exported heads can name"
        found.problems.append(f"the entries of the file behind number {last} are missing: {behind}")
    if not found.tombstones and found.entries < last:
        found.problems += [f"number {seq} of the file's entries is missing" for seq in _lacking(connection)]
    _check_batches(connection, walk.batches, found)
    check_forks(walk.forks, partial(_stands, connection), found)


def _lacking(connection: Connection) -> list[int]:
    """The numbers of entries that are not there, of each gap the first; where nothing was pruned there is none."""
    before = "(SELECT ifnull(max(seq), 0) FROM entry AS other WHERE seq < entry.seq)"
    gaps = f"SELECT {before} + 1 FROM entry WHERE seq > 1 + {before} ORDER BY seq LIMIT 20"
    return [seq for (seq,) in connection.execute(gaps)]


def _check_batches(connection: Connection, filled: set[int], found: Findings) -> None:
    """Every batch row has entries, every entry a batch row, and the numbers have no gap but those that pruning left."""
    gaps: list[tuple[int, int]] = connection.execute("SELECT first, last FROM gap").fetchall()
    numbers = {number for (number,) in connection.execute("SELECT number FROM batch")}
    found.batches = len(numbers)
    lost = numbers - filled - {last for _, last in gaps}
    found.problems += [f"batch {number} has lost its entries" for number in sorted(lost)]
    missing = (filled | {number - 1 for number in numbers if number > 1}) - numbers
    found.problems += [
        f"batch {number} is missing"
        for number in sorted(missing)
        if not any(first <= number < last for first, last in gaps)
    ]


def _check_heads(connection: Connection, found: Findings) -> None:
    rows = connection.execute("SELECT stream, position, hash FROM head")
    check_heads({text(stream): Head(position=whole(place), hash=raw(hash_)) for stream, place, hash_ in rows}, found)


def _stands(connection: Connection, stream: str, position: int) -> bytes | None:
    numbered = "(SELECT number FROM head WHERE stream = ?)"
    statement = f"SELECT hash FROM entry WHERE stream = {numbered} AND position = ?"
    row: tuple[bytes] | None = connection.execute(statement, (stream, position)).fetchone()
    return None if row is None else row[0]


def _check_indexes(connection: Connection, found: Findings) -> None:
    found.problems += unlike(connection)


def _check_file(path: Path) -> list[str]:
    with closing(open_file(path, visitor=True, synchronous="FULL")) as connection:
        return _structures(connection)


def _structures(connection: Connection) -> list[str]:
    """What SQLite finds wrong with them."""
    try:
        results = [result for (result,) in connection.execute("PRAGMA integrity_check(20)")]
    except (DatabaseError, UnicodeDecodeError) as error:
        return [f"the file is damaged: {error}"]
    return [f"the file is damaged: {result}" for result in results if result != "ok"]
