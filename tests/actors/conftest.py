"""What tests of actors share: a store of each kind that may be opened again, and crashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System

from .stores import Reopen


class Crash(Exception):
    """Raised into a kernel: the process dies here, as far as the store can tell."""


class Crashing(Protocol):
    def __call__(self, system: System) -> AbstractAsyncContextManager[System]: ...


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """One store behind every system that the test opens, one after the other."""
    return Reopen(None if request.param == "memory" else tmp_path / "store.db")


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
