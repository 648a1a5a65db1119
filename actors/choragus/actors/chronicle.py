"""What befalls the actors of a system with a file, as entries of the system's own stream.

A failed turn is an entry of its actor's, in the transaction that counts the attempt. What has no turn, a restart or the
end of a supervisor say, happens in memory: its entry goes to the disk with the next commit.
"""

from __future__ import annotations

from collections.abc import Callable

from choragus.mailbox.codec import encode
from choragus.mailbox.turn import SYSTEM_STREAM, Committed, Entry

from .event import Chronicled, Events
from .writer import Writer

MOST = 1_000
"""Entries that wait for the disk, at most. Beyond it they are only counted, and the next one says how many."""


class Chronicle:
    """Listens to the system's events, and writes down those that have a kind of entry."""

    def __init__(self, writer: Writer, clock: Callable[[], float], events: Events) -> None:
        self._writer, self._clock = writer, clock
        self._waiting = self._lost = 0
        self._end = events.subscribe(self._take, Chronicled)

    def close(self) -> None:
        """Write no more."""
        self._end()

    def _take(self, event: Chronicled) -> None:
        told = event.entry()
        if told is None:
            return
        if self._waiting >= MOST:
            self._lost += 1
            return
        kind, fields = told
        lost, self._lost = self._lost, 0
        body = {"actor": event.actor, **fields, **({"lost": lost} if lost else {})}
        self._waiting += 1
        self._writer.submit(Entry(SYSTEM_STREAM, kind, self._clock(), encode(body).body), self._landed)

    def _landed(self, _: Committed) -> None:
        self._waiting -= 1
