"""Finding documents: by their words, by id, by subject and by age; as plain functions over a connection.

A query is data: its words are taken out and quoted, so that nothing in it is syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from sqlite3 import Connection

from .document import Collection, Document, Hit
from .document_row import COLLECTION_COLUMNS, DOCUMENT_COLUMNS, check_collection, collection_of, document_of
from .filing import index_of
from .row import is_whole, raw, select, text, whole

COMMON = 1_000
"""A word in more documents than that selects nothing where a query has rarer ones: it would cost 0.3 µs in each."""

MOST_WORDS = 32
"""Different words of a query that are looked for."""

BUDGET = 2_000
"""In how many documents the rarer words of a query may stand together: of more, the commonest are left out."""

REFINED = 2
"""How many common words are looked for in what the rarer ones have found."""

_WORD = re.compile(r"[^\W_]+")


def words(query: str) -> list[str]:
    """The different words of a query, in order.

    >>> words('cat* OR "dog" text:x NEAR(a b)')
    ['cat', 'or', 'dog', 'text', 'x', 'near', 'a', 'b']
    """
    return list(dict.fromkeys(word.casefold() for word in _WORD.findall(query)))[:MOST_WORDS]


def search(connection: Connection, name: str, query: str, limit: int) -> list[Hit]:
    """The documents that fit best, best first; of equals the older first. Damaged ones are left out: see `verify`.

    Documents with any of the query's rarer words come first, by BM25. Where these are too few, those with all of its
    common words follow, and where there is nothing so far, those with any.
    """
    number, asked = _number(connection, name), words(query)
    if number is None or not asked or limit < 1:
        return []
    rare, common = _parted(connection, number, asked)
    found = _best(connection, number, rare, common, limit) if rare else {}
    for joint in (" AND ", " OR "):
        if common and len(found) < limit and not (found and joint == " OR "):
            for row, score in _ranked(connection, number, joint.join(map(_quoted, common)), limit):
                found.setdefault(row, min((score, *found.values())))
    return _hits(connection, list(found.items())[:limit])


def document(connection: Connection, name: str, id: str) -> Document | None:
    """One document.

    Raises:
        CorruptRecord: when it is not what was written.
    """
    number = _number(connection, name)
    statement = f"SELECT {DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?"
    rows = [] if number is None else select(connection, statement, number, id)
    return document_of(rows[0], name) if rows else None


def documents(connection: Connection, name: str, after: int, limit: int) -> list[Document]:
    """The documents behind a number, in order.

    Raises:
        CorruptRecord: when one is not what was written.
    """
    number = _number(connection, name)
    if number is None:
        return []
    statement = f"SELECT {DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND number > ? ORDER BY number LIMIT ?"
    return [document_of(row, name) for row in select(connection, statement, number, after, limit)]


def picked(connection: Connection, numbers: Sequence[int]) -> list[Document]:
    """The documents of those numbers, in that order; without those that are gone or damaged."""
    return [hit.document for hit in _hits(connection, [(number, 0.0) for number in numbers])]


def ids(connection: Connection, name: str, subject: str | None, before: float, limit: int) -> list[str]:
    """The ids of the oldest documents of a subject, or of all, that are from before a time; damaged ones too."""
    number = _number(connection, name)
    if number is None:
        return []
    within, order = "collection = ? AND at < ?", "at, number"
    if subject is not None:
        within, order = f"{within} AND subject = ? AND subject <> ''", "number"
    statement = f"SELECT id FROM document WHERE {within} ORDER BY {order} LIMIT ?"
    whose = () if subject is None else (subject,)
    return [text(row[0]) for row in select(connection, statement, number, before, *whose, limit)]


def vectors(connection: Connection, name: str, after: int, limit: int) -> list[tuple[int, bytes]]:
    """The vectors behind a number, in order, unchecked; documents without one are left out."""
    number = _number(connection, name)
    if number is None:
        return []
    within = "collection = ? AND number > ? AND length(vector) > 0"
    statement = f"SELECT number, vector FROM document WHERE {within} ORDER BY number LIMIT ?"
    return [(whole(row[0]), raw(row[1])) for row in select(connection, statement, number, after, limit)]


def collections(connection: Connection, name: str | None = None) -> list[Collection]:
    """How the collections stand, by name; or the one of that name."""
    within = "" if name is None else "WHERE name = ?"
    last = "(SELECT ifnull(max(number), 0) FROM document WHERE collection = c.number)"
    statement = f"SELECT {COLLECTION_COLUMNS}, {last} FROM collection AS c {within} ORDER BY name"
    rows = select(connection, statement, *([] if name is None else [name]))
    return [collection_of(row) for row in rows]


def _number(connection: Connection, name: str) -> int | None:
    rows = select(connection, f"SELECT {COLLECTION_COLUMNS} FROM collection WHERE name = ?", name)
    if not rows:
        return None
    check_collection(rows[0])
    return whole(rows[0][0])


def _parted(connection: Connection, number: int, asked: list[str]) -> tuple[list[str], dict[str, float]]:
    """The words that stand in few documents, and those in too many, by their share of all; the rarest first.

    The share of these is told by how soon enough of them have come, as if they came evenly.
    """
    index = index_of(number)
    some = f"(SELECT rowid FROM {index} WHERE {index} MATCH ? LIMIT {COMMON + 1})"
    counted: list[tuple[int, str]] = []
    common: dict[str, float] = {}
    for word in asked:
        statement = f"SELECT count(*), max(rowid) FROM {some}"
        count, last = connection.execute(statement, (_quoted(word),)).fetchone()
        if count > COMMON:
            common[word] = count / _documents_until(connection, number, last)
        elif count:
            counted.append((count, word))
    rare: list[str] = []
    budget = BUDGET
    for count, word in sorted(counted):
        if count <= budget or not rare:
            rare.append(word)
            budget -= count
    return rare, dict(sorted(common.items(), key=lambda one: (one[1], one[0])))


def _documents_until(connection: Connection, number: int, last: int) -> float:
    """About how many documents of the collection have no higher number, if they were put evenly."""
    ends = "min(number), (SELECT max(number) FROM document WHERE collection = :of)"
    statement = f"SELECT {ends} FROM document WHERE collection = :of"
    first, newest = connection.execute(statement, {"of": number}).fetchone()
    (total,) = connection.execute("SELECT documents FROM collection WHERE number = ?", (number,)).fetchone()
    return float(total * (last - first + 1) / (newest - first + 1))


def _best(
    connection: Connection, number: int, rare: list[str], common: dict[str, float], limit: int
) -> dict[int, float]:
    """The documents with any of the rare words, by BM25 over these and, roughly, over some of the common ones."""
    index, any_rare = index_of(number), " OR ".join(map(_quoted, rare))
    statement = f"SELECT rowid, -rank FROM {index} WHERE {index} MATCH ?"
    scores: dict[int, float] = dict(connection.execute(statement, (any_rare,)).fetchall())
    for word, share in list(common.items())[:REFINED]:
        expression = f"({any_rare}) AND {_quoted(word)}"
        weight = max(0.0, log((1 - share) / share)) if share < 1 else 0.0
        if weight:
            having = connection.execute(f"SELECT rowid FROM {index} WHERE {index} MATCH ?", (expression,)).fetchall()
            for (row,) in having:
                scores[row] += weight
    return dict(sorted(scores.items(), key=lambda one: (-one[1], one[0]))[:limit])


def _ranked(connection: Connection, number: int, expression: str, limit: int) -> list[tuple[int, float]]:
    index = index_of(number)
    statement = f"SELECT rowid, -rank FROM {index} WHERE {index} MATCH ? ORDER BY rank, rowid LIMIT ?"
    return connection.execute(statement, (expression, limit)).fetchall()


def _quoted(word: str) -> str:
    return f'"{word}"'


def _hits(connection: Connection, found: list[tuple[int, float]]) -> list[Hit]:
    names: dict[int, str] = {}
    hits: list[Hit] = []
    for place, score in found:
        for row in select(connection, f"SELECT {DOCUMENT_COLUMNS} FROM document WHERE number = ?", place):
            if is_whole(row):
                of = whole(row[1])
                if of not in names:
                    (names[of],) = connection.execute("SELECT name FROM collection WHERE number = ?", (of,)).fetchone()
                hits.append(Hit(document=document_of(row, names[of]), score=score))
    return hits
