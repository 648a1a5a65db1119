"""Stores for the conformance suite: every test that takes `store` or `reopen` runs on each implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiosqlite
import pytest

from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import Handle, SqliteStore
from choragus.mailbox.store import Store


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that fails before it closes its store must not keep the whole run alive."""
    opened: list[aiosqlite.Connection] = []
    make = SqliteStore.__init__

    def record(store: SqliteStore, path: Path, handle: Handle, database: aiosqlite.Connection) -> None:
        opened.append(database)
        make(store, path, handle, database)

    monkeypatch.setattr(SqliteStore, "__init__", record)
    yield
    for database in opened:
        database.stop()


@pytest.fixture(params=["memory", "sqlite"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens one and the same store, as often as it is called."""
    opened: list[Store] = []
    memory = MemoryStore()

    async def open_store() -> Store:
        store: Store = memory if request.param == "memory" else await SqliteStore.open(tmp_path / "store.db")
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Callable[[], Awaitable[Store]]) -> Store:
    """A new store that node `a` owns, with fence 1."""
    store = await reopen()
    await store.claim("a", 30.0, 0.0)
    return store
