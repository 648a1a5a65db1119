"""What handlers and runners did, written down outside every turn."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


class Noted(list[T]):
    """What happened, in order; a test may wait until so much has."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def note(self, what: T) -> None:
        """Write it down, and tell who waits."""
        self.append(what)
        self._more.set()

    async def reaches(self, number: int) -> None:
        """Wait until so much has happened, on any loop and without a clock."""
        while len(self) < number:
            self._more.clear()
            await self._more.wait()

    def forget(self) -> None:
        """Begin anew, on whichever loop comes next."""
        self.clear()
        self._more = asyncio.Event()
