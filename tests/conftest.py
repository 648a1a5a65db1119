"""Fixtures that every test sees: the event loop, a bounded wait, and the events of a system."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable

import pytest

from choragus.actors.event import Event
from choragus.supervision.system import System

Until = Callable[[Callable[[], object]], Awaitable[None]]
Watch = Callable[[System], list[Event]]


@pytest.fixture
def anyio_backend() -> str:
    """Run every asynchronous test under asyncio, the one loop that choragus supports."""
    return "asyncio"


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


def pytest_configure() -> None:
    """Have modules compiled once: some 300 tests start interpreters, and compiling all of choragus takes each 2 s."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Leave what is there before the first test to itself, some 8,000 tests and their modules, at every collection, and
    collect less often: it takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
