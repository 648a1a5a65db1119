"""The news that entries were committed, for whoever reads streams."""

from __future__ import annotations

import asyncio


class News:
    """An event for each reader; all are set together."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Event] = set()

    def reader(self) -> asyncio.Event:
        """An event that is set whenever entries were committed; give it back with `done`."""
        event = asyncio.Event()
        self._readers.add(event)
        return event

    def done(self, event: asyncio.Event) -> None:
        """The reader needs no more wake-ups."""
        self._readers.discard(event)

    def wake(self) -> None:
        """Set every reader's event."""
        for event in self._readers:
            event.set()
