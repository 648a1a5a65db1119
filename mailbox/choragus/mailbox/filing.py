"""Putting documents and taking them away, as plain functions over a connection: rows and index change together.

Each collection has an index of its own, so that no search of one can reach the words of another, nor count them. It
holds no text: what is taken out of it is told to it from the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import Connection

from .bulk import insertion, put
from .document import Document
from .document_row import COLLECTION_COLUMNS, DOCUMENT_COLUMNS, check_collection, document_row
from .row import is_whole, raw, sealed, select, text, whole

_PUT_DOCUMENT = insertion("document", DOCUMENT_COLUMNS)
_PUT_COLLECTION = insertion("collection", COLLECTION_COLUMNS, replace=True)

Place = tuple[int, int, int]
"""A collection's number, how many documents it has, and how many were ever taken away from it."""


def index_of(number: int) -> str:
    """The name of a collection's index.

    >>> index_of(7)
    'words_7'
    """
    return f"words_{number:d}"


def file(connection: Connection, documents: Sequence[Document], scrubbed: Iterable[str]) -> None:
    """Put and take away documents, the last word on each; then write the indexes of `scrubbed` collections anew.

    Deleted rows are overwritten with zeros.
    """
    with _overwriting(connection):
        for name in dict.fromkeys(document.collection for document in documents):
            _file_in(connection, name, [one for one in documents if one.collection == name])
        for name in scrubbed:
            place = _place(connection, name)
            if place is not None:
                index = index_of(place[0])
                connection.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")


def reindex(connection: Connection) -> None:
    """Write every index anew from its documents."""
    with _overwriting(connection):
        for (number,) in connection.execute("SELECT number FROM collection").fetchall():
            _rebuild(connection, number)


def create_index(connection: Connection, index: str) -> None:
    """Make an empty index."""
    how = "content='', tokenize='unicode61 remove_diacritics 2'"
    connection.execute(f"CREATE VIRTUAL TABLE {index} USING fts5 (text, {how})")


def fill_index(connection: Connection, index: str, rows: Iterable[tuple[int, str]]) -> None:
    """Add texts by number."""
    connection.executemany(f"INSERT INTO {index} (rowid, text) VALUES (?, ?)", rows)


@contextmanager
def _overwriting(connection: Connection) -> Iterator[None]:
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        yield
    finally:
        connection.execute("PRAGMA secure_delete = OFF").fetchall()


def _file_in(connection: Connection, name: str, documents: Sequence[Document]) -> None:
    place = _place(connection, name)
    kept = [document for document in documents if document.text is not None]
    if place is None:
        if not kept:
            return
        place = _begin(connection, name)
    number = place[0]
    removed = _remove(connection, number, [document.id for document in documents])
    (last,) = connection.execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'document'").fetchone()
    rows = [document_row(last + count, number, document) for count, document in enumerate(kept, start=1)]
    put(connection, _PUT_DOCUMENT, rows)
    fill_index(connection, index_of(number), [(whole(row[0]), text(row[5])) for row in rows])
    put(connection, _PUT_COLLECTION, [sealed(number, name, place[1] + len(rows) - removed, place[2] + removed)])


def _place(connection: Connection, name: str) -> Place | None:
    rows = select(connection, f"SELECT {COLLECTION_COLUMNS} FROM collection WHERE name = ?", name)
    if not rows:
        return None
    check_collection(rows[0])
    return (whole(rows[0][0]), whole(rows[0][2]), whole(rows[0][3]))


def _begin(connection: Connection, name: str) -> Place:
    (number,) = connection.execute("SELECT ifnull(max(number), 0) + 1 FROM collection").fetchone()
    put(connection, _PUT_COLLECTION, [sealed(number, name, 0, 0)])
    create_index(connection, index_of(number))
    return (number, 0, 0)


def _remove(connection: Connection, number: int, ids: Sequence[str]) -> int:
    index, removed, is_damaged = index_of(number), 0, False
    for id in ids:
        statement = f"SELECT {DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?"
        for row in select(connection, statement, number, id):
            if is_whole(row):
                told = (row[0], row[5])
                connection.execute(f"INSERT INTO {index} ({index}, rowid, text) VALUES ('delete', ?, ?)", told)
            else:  # nobody can say which words it had
                is_damaged = True
            connection.execute("DELETE FROM document WHERE number = ?", (row[0],))
            removed += 1
    if is_damaged:
        _rebuild(connection, number)
    return removed


def _rebuild(connection: Connection, number: int) -> None:
    index = index_of(number)
    connection.execute(f"DROP TABLE IF EXISTS {index}")
    create_index(connection, index)
    fill_index(connection, index, texts(connection, number))


def texts(connection: Connection, number: int) -> list[tuple[int, str]]:
    """The texts of a collection by number; a damaged one as it reads, without what is no text."""
    rows = select(connection, "SELECT number, CAST(text AS BLOB) FROM document WHERE collection = ?", number)
    return [(whole(row[0]), raw(row[1]).decode("utf-8", "replace")) for row in rows]
