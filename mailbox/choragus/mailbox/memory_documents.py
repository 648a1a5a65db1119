"""The documents of the store in memory: a database without a file, so that both stores find alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, TypeVarTuple
from weakref import finalize

from .document import Document
from .errors import NotStorable
from .filing import file
from .schema import MIGRATIONS

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class MemoryDocuments:
    """Where documents are kept; nothing is made before there is one."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def put(self, documents: Sequence[Document], scrubbed: Iterable[str]) -> None:
        """File them, or nothing of them.

        Raises:
            NotStorable: when a text does not fit SQLite.
        """
        connection = self._open()
        connection.execute("BEGIN")
        try:
            file(connection, documents, scrubbed)
        except BaseException as error:
            connection.execute("ROLLBACK")
            if isinstance(error, UnicodeEncodeError | OverflowError):
                raise NotStorable(f"no store can keep a value of this transaction: {error}") from error
            raise
        connection.execute("COMMIT")

    def ask(self, question: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """What a function over the connection gives."""
        return question(self._open(), *args)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            finalize(self, self._connection.close)
            self._connection.executescript(MIGRATIONS[5])
        return self._connection
