"""The news that entries were committed, for whoever reads streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from choragus.mailbox.turn import Entry

ALL = ("", "")


class News:
    """An event for each reader: of all streams, of one, or of one kind of entry in it."""

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str], set[asyncio.Event]] = {}

    def reader(self, stream: str = "", kind: str = "") -> asyncio.Event:
        """An event that is set whenever entries of that kind were committed to the stream; give it back with `done`.

        Without a kind it is set for those of any, without a stream for those of all.
        """
        event = asyncio.Event()
        self._readers.setdefault((stream, kind), set()).add(event)
        return event

    def done(self, event: asyncio.Event, stream: str = "", kind: str = "") -> None:
        """The reader needs no more wake-ups."""
        readers = self._readers.get((stream, kind), set())
        readers.discard(event)
        if not readers:
            self._readers.pop((stream, kind), None)

    def entered(self, entries: Iterable[Entry]) -> None:
        """Set the events of those who read these."""
        if not self._readers:
            return
        found = {ALL}
        for entry in entries:
            found |= {(entry.stream, ""), (entry.stream, entry.kind)}
        for one in found & self._readers.keys():
            for event in self._readers[one]:
                event.set()

    def wake(self) -> None:
        """Set every reader's event."""
        for readers in self._readers.values():
            for event in readers:
                event.set()
