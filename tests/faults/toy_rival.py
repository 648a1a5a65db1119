"""Toys at the plan, each careless in one way: they show that the judge of the rivals can tell."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .rival import World


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS done (number INTEGER PRIMARY KEY)")
        yield connection


def _left(connection: sqlite3.Connection, steps: int) -> range:
    (done,) = connection.execute("SELECT count(*) FROM done").fetchone()
    return range(done + 1, steps + 1)


def _record(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("INSERT INTO done VALUES (?)", (number,))


async def doubling(path: Path, world: World, steps: int) -> None:
    """Does it, then writes it down; the key is its number."""
    with _opened(path) as connection:
        for number in _left(connection, steps):
            world.change(number, key=str(number))
            _record(connection, number)


async def losing(path: Path, world: World, steps: int) -> None:
    """Writes it down, then does it."""
    with _opened(path) as connection:
        for number in _left(connection, steps):
            _record(connection, number)
            world.change(number, key=str(number))


async def stuck(path: Path, world: World, steps: int) -> None:
    """Begins once, and not again."""
    with _opened(path) as connection:
        if steps and len(_left(connection, steps)) < steps:
            raise RuntimeError("somebody has begun already")
        for number in range(1, steps + 1):
            _record(connection, number)
            world.change(number, key=str(number))
