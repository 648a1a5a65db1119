"""Many rows by few statements.

Python gives its interpreter lock away around every step of SQLite, and beside a busy event loop it gets it back after
up to 5 ms: what a commit takes there is counted in steps, not in rows. So rows go in 128 at a time, and are looked up
and changed that many at a time. The numbers of rows in a statement are small, or powers of two, to be prepared once
each: what is inserted is cut into such parts; where a missing row does no harm the rest is filled with NULL, which
matches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from sqlite3 import Connection

import attrs

from .digest import Field

MOST = 128
"""Rows in one statement; one of 22 columns is then some 200 kB when prepared."""

FEW = 8
"""Up to so many rows are inserted by one statement, whatever their number: a turn or a few of them have no more."""

Rows = Sequence[Sequence[Field]]


@attrs.frozen
class Statement:
    """A statement over rows of `width` values: `before`, the rows, `after`.

    >>> Statement("INSERT INTO cursor (name, position) VALUES ", 2).text(2)
    'INSERT INTO cursor (name, position) VALUES (?, ?), (?, ?)'
    """

    before: str
    width: int
    after: str = ""
    single: str = ""
    """The same for one row, where that has a plainer form: three times as fast for a turn that is alone."""

    def text(self, rows: int) -> str:
        """The statement for so many rows."""
        return _text(self.before, self.width, self.after, rows)


def insertion(table: str, columns: str, *, replace: bool = False, conflict: str = "") -> Statement:
    """What inserts rows.

    >>> insertion("head", "stream, hash", replace=True).text(1)
    'INSERT OR REPLACE INTO head (stream, hash) VALUES (?, ?)'
    """
    before = f"INSERT {'OR REPLACE ' if replace else ''}INTO {table} ({columns}) VALUES "
    return Statement(before, columns.count(",") + 1, conflict and f" ON CONFLICT {conflict}")


def amendment(table: str, key: str, columns: str) -> Statement:
    """What changes rows that are there; values come in the order of the columns of the key, then of the others.

    >>> amendment("effect", "id", "state, digest").single
    'UPDATE effect SET state = ?2, digest = ?3 WHERE id = ?1'
    >>> amendment("effect", "id", "state, digest").text(1)
    'UPDATE effect SET state = column2, digest = column3 FROM (VALUES (?, ?, ?)) AS given WHERE effect.id = column1'
    """
    keys, names = key.split(", "), columns.split(", ")
    news = ", ".join(f"{name} = column{number}" for number, name in enumerate(names, start=len(keys) + 1))
    within = " AND ".join(f"{table}.{name} = column{number}" for number, name in enumerate(keys, start=1))
    places = [*enumerate((*keys, *names), start=1)]
    only = " AND ".join(f"{name} = ?{place}" for place, name in places[: len(keys)])
    single = f"UPDATE {table} SET {', '.join(f'{name} = ?{place}' for place, name in places[len(keys) :])} WHERE {only}"
    before, after = f"UPDATE {table} SET {news} FROM (VALUES ", f") AS given WHERE {within}"
    return Statement(before, len(places), after, single)


def question(answer: str, table: str, key: str, where: str = "true") -> Statement:
    """What is asked about many keys at once; see `answers`. `answer` is an expression without a space in its value."""
    keys = key.split(", ")
    within = " AND ".join(f"{table}.{name} = column{number}" for number, name in enumerate(keys, start=2))
    within += f" AND {where}"
    asked = f"SELECT group_concat(column1 || ' ' || {answer}, ' ') FROM (VALUES "
    only = " AND ".join(f"{table}.{name} = ?{number}" for number, name in enumerate(keys, start=1))
    single = f"SELECT {answer} FROM {table} WHERE {only} AND {where}"
    return Statement(asked, len(keys) + 1, f") AS asked CROSS JOIN {table} ON {within}", single)


def put(connection: Connection, statement: Statement, rows: Rows) -> None:
    """Insert rows, in their order."""
    begin, left = 0, len(rows)
    while left:
        size = left if left <= FEW else min(MOST, 1 << left.bit_length() - 1)
        connection.execute(statement.text(size), tuple(chain.from_iterable(rows[begin : begin + size])))
        begin, left = begin + size, left - size


def fill(connection: Connection, statement: Statement, rows: Rows) -> None:
    """Carry out a change on rows that are named, each once."""
    filled(connection, statement, rows)


def filled(connection: Connection, statement: Statement, rows: Rows) -> int:
    """Carry out a change on rows that are named, each once; gives how many there were to be changed."""
    if len(rows) == 1 and statement.single:
        return connection.execute(statement.single, rows[0]).rowcount
    parts = range(0, len(rows), MOST)
    return sum(connection.execute(*_filled(statement, rows[begin : begin + MOST])).rowcount for begin in parts)


def answers(connection: Connection, statement: Statement, keys: Rows) -> Iterator[tuple[int, str]]:
    """What was asked about those keys that are there, each with its key's place among `keys`."""
    if len(keys) == 1:
        yield from ((0, str(word)) for (word,) in connection.execute(statement.single, keys[0]).fetchall())
        return
    for begin in range(0, len(keys), MOST):
        asked = [(place, *key) for place, key in enumerate(keys[begin : begin + MOST], start=begin)]
        (text,) = connection.execute(*_filled(statement, asked)).fetchone()
        words = iter(text.split(" ") if text else ())
        for place in words:
            yield int(place), next(words)


def _filled(statement: Statement, rows: Rows) -> tuple[str, tuple[Field, ...]]:
    size = 1 << (len(rows) - 1).bit_length()
    missing = (None,) * (statement.width * (size - len(rows)))
    return statement.text(size), (*chain.from_iterable(rows), *missing)


@lru_cache(maxsize=256)
def _text(before: str, width: int, after: str, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{before}{', '.join([row] * rows)}{after}"
