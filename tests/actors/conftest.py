"""What tests of actors share: a bounded wait, a store of each kind that may be opened again, and crashes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from choragus.actors.event import Event
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System

Until = Callable[[Callable[[], object]], Awaitable[None]]
Watch = Callable[[System], list[Event]]
Reopen = Callable[[], Awaitable[Store]]


class Crash(Exception):
    """Raised into a kernel: the process dies here, as far as the store can tell."""


class Crashing(Protocol):
    def __call__(self, system: System) -> AbstractAsyncContextManager[System]: ...


@pytest.fixture
def until() -> Until:
    """Wait until something is true, five seconds at most."""

    async def wait(holds: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110  # no event tells when any condition becomes true
                await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def watch() -> Watch:
    """The events of a system from now on."""

    def subscribe(system: System) -> list[Event]:
        events: list[Event] = []
        system.events.subscribe(events.append)
        return events

    return subscribe


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
