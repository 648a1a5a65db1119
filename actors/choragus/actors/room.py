"""Senders that wait for room in a bounded mailbox."""

from __future__ import annotations

import asyncio
from collections import deque


class Room:
    """First come, first served; a sender that gives up lets the next one in."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Wait to be let in; whoever is let in looks again whether there is room."""
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.let_in(1)
            raise

    def let_in(self, free: int) -> None:
        """Let so many in, the longest waiting first."""
        while self._waiting and free > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1

    def let_all_in(self) -> None:
        """Let everybody in, to see that there is nothing to wait for."""
        self.let_in(len(self._waiting))
