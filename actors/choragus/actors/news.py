"""The news that entries were committed, for whoever reads streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class News:
    """An event for each reader, of one stream or of all."""

    def __init__(self) -> None:
        self._readers: dict[str, set[asyncio.Event]] = {}

    def reader(self, stream: str = "") -> asyncio.Event:
        """An event that is set whenever entries were committed to the stream; give it back with `done`.

        Without a stream it is set for those of any.
        """
        event = asyncio.Event()
        self._readers.setdefault(stream, set()).add(event)
        return event

    def done(self, event: asyncio.Event, stream: str = "") -> None:
        """The reader needs no more wake-ups."""
        readers = self._readers.get(stream, set())
        readers.discard(event)
        if not readers:
            self._readers.pop(stream, None)

    def entered(self, streams: Iterable[str]) -> None:
        """Set the events of those who read these streams."""
        for stream in {"", *streams}:
            for event in self._readers.get(stream, ()):
                event.set()

    def wake(self) -> None:
        """Set every reader's event."""
        for readers in self._readers.values():
            for event in readers:
                event.set()
