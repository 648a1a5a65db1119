"""Many rows by few statements: parts of every size, keys of every kind, and how few steps a batch takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from choragus.mailbox.bulk import MOST, amendment, answers, fill, insertion, put, question

SIZES = [1, 2, 3, 127, 128, 129, 300]
PUT = insertion("thing", "name, place, number")
MOVE = amendment("thing", "name, place", "number")
NUMBER = question("number", "thing", "name, place")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT, place TEXT, number INTEGER) STRICT")
        connection.execute("CREATE UNIQUE INDEX named ON thing (name, place)")
        yield connection


def rows(size: int) -> list[tuple[str, str, int]]:
    return [(f"n{number}", "here", number) for number in range(size)]


@pytest.mark.parametrize("size", SIZES)
def test_rows_are_inserted_in_their_order(connection: sqlite3.Connection, size: int) -> None:
    put(connection, PUT, rows(size))

    assert connection.execute("SELECT name, place, number FROM thing ORDER BY id").fetchall() == rows(size)


@pytest.mark.parametrize("size", SIZES)
def test_every_key_that_is_there_is_answered_under_its_place(connection: sqlite3.Connection, size: int) -> None:
    put(connection, PUT, rows(size)[::2])

    found = dict(answers(connection, NUMBER, [row[:2] for row in rows(size)]))

    assert found == {number: str(number) for number in range(0, size, 2)}


@pytest.mark.parametrize("size", SIZES)
def test_a_change_reaches_the_rows_that_it_names_and_no_other(connection: sqlite3.Connection, size: int) -> None:
    put(connection, PUT, rows(size + 1))

    fill(connection, MOVE, [(name, place, number + 1000) for name, place, number in rows(size)])

    numbers = [number for (number,) in connection.execute("SELECT number FROM thing ORDER BY id")]
    assert numbers == [*range(1000, 1000 + size), size]


def test_nothing_is_asked_about_nothing(connection: sqlite3.Connection) -> None:
    connection.set_trace_callback(lambda _: pytest.fail("a statement"))

    put(connection, PUT, [])
    fill(connection, MOVE, [])
    assert list(answers(connection, NUMBER, [])) == []


@pytest.mark.parametrize("name", ["", " ", "a b", "0 7", "\0", "a\0b", "ä☂", "%?", "'", "NULL"])
def test_a_key_may_hold_anything(connection: sqlite3.Connection, name: str) -> None:
    put(connection, PUT, [(name, "here", 7), (f"{name}!", "here", 8)])

    assert list(answers(connection, NUMBER, [("nobody", "here"), (name, "here")])) == [(1, "7")]


def test_of_two_rows_of_one_name_the_last_replaces_and_the_first_stays_where_conflicts_are_let_go(
    connection: sqlite3.Connection,
) -> None:
    put(connection, insertion("thing", "name, place, number", replace=True), [("n", "p", 1), ("n", "p", 2)])
    put(connection, insertion("thing", "name, place, number", conflict="(name, place) DO NOTHING"), [("n", "p", 3)])

    assert connection.execute("SELECT number FROM thing").fetchall() == [(2,)]


def test_the_most_rows_of_the_widest_table_fit_into_one_statement(connection: sqlite3.Connection) -> None:
    """SQLite takes 32,766 values in a statement; the widest row of the store has 22."""
    assert connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) >= MOST * 22
