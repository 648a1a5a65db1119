"""What tests of actors share: a store of each kind that may be opened again, and crashes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System

Reopen = Callable[[], Awaitable[Store]]


class Crash(Exception):
    """Raised into a kernel: the process dies here, as far as the store can tell."""


class Crashing(Protocol):
    def __call__(self, system: System) -> AbstractAsyncContextManager[System]: ...


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """One store behind every system that the test opens, one after the other."""
    memory = MemoryStore()

    async def open_store() -> Store:
        return memory if request.param == "memory" else await SqliteStore.open(tmp_path / "store.db")

    return open_store


@pytest.fixture
def crashing() -> Crashing:
    """Run a system that ends as by `kill -9` when the block is left: nothing is flushed or released."""

    @asynccontextmanager
    async def run(system: System) -> AsyncIterator[System]:
        with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
            async with system:
                yield system
                system.kernel.fail(Crash())

    return run
