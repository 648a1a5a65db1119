"""Checking the indexes of documents: each must say what an index says that is made anew of the same texts.

A flipped bit in an index changes what is found, and neither a digest nor SQLite's own check sees it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from sqlite3 import Connection

from .filing import create_index, fill_index, index_of, texts
from .row import text, whole

Word = tuple[str, int, str, int]
"""A word, the number of a document that has it, the column, and its place there."""

NEW = "fresh"


def unlike(connection: Connection) -> Iterator[str]:
    """What is wrong with the indexes, one sentence each; the connection is in a transaction that is rolled back."""
    known = connection.execute("SELECT number, name FROM collection ORDER BY number").fetchall()
    for number, name in ((whole(row[0]), text(row[1])) for row in known):
        try:
            is_alike = _is_alike(connection, number)
        except sqlite3.DatabaseError as error:
            yield f"the index of collection {name!r} cannot be read: {error}"
        else:
            if not is_alike:
                yield f"the index of collection {name!r} is not what its documents say: `choragus compact` mends it"
    there = "(SELECT count(*) FROM document WHERE document.collection = stands.number)"
    for (name,) in connection.execute(f"SELECT name FROM collection AS stands WHERE documents <> {there}"):
        yield f"collection {name!r} has other documents than it counts"
    numbers = "SELECT number FROM collection"
    for (number,) in connection.execute(
        f"SELECT DISTINCT collection FROM document WHERE collection NOT IN ({numbers})"
    ):
        yield f"documents of collection number {number} have no collection"


def _is_alike(connection: Connection, number: int) -> bool:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as anew:
        create_index(anew, NEW)
        anew.execute("BEGIN")
        fill_index(anew, NEW, texts(connection, number))
        pairs = zip_longest(_words(connection, index_of(number)), _words(anew, NEW))
        return all(stands == should for stands, should in pairs)


def _words(connection: Connection, index: str) -> Iterator[Word]:
    view = f"spoken_{index}"
    connection.execute(f"CREATE VIRTUAL TABLE temp.{view} USING fts5vocab (main, {index}, 'instance')")
    rows: Iterator[Word] = connection.execute(f"SELECT term, doc, col, offset FROM temp.{view}")
    return rows
