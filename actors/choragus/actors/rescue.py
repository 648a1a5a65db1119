"""What is done about a commit of which nobody knows whether it is on disk.

After a failed flush the old values can be read, and still the batch may rise from the log when the process dies. So
nobody is told anything until, on a new connection, the batch has been found on disk or committed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from choragus.mailbox.codec import encode
from choragus.mailbox.errors import NewerSchema, NotChoragusFile, StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Batch, Committed, Entry, Rejected

from .event import Degraded, Events, Recovered
from .reason import reason

FIRST = 0.05
MOST = 5.0
"""Seconds between two tries: the first, and the longest."""


class Rescue:
    """Brings a failed batch to disk, however long that takes. `reason`: what stands in the way; empty: nothing does."""

    def __init__(self, store: Store, clock: Callable[[], float], events: Events) -> None:
        self.reason = ""
        self._store = store
        self._clock = clock
        self._events = events

    async def commit(self, failed: Batch, error: StoreError) -> Committed | Rejected:
        """What the commit gives in the end: it is on disk after all, or it is tried again until it is.

        Raises:
            CorruptRecord: when the file is damaged.
            StoreError: when it is not the file any more that it was.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.reason = reason(error)
        self._events.publish(Degraded("", self.reason))
        wait = FIRST
        while True:
            await asyncio.sleep(wait)
            wait = min(2 * wait, MOST)
            try:
                result = await self._again(failed)
            except (NotChoragusFile, NewerSchema):
                raise
            except StoreError as again:
                self.reason = reason(again)
            else:
                break
        self.reason = ""
        self._events.publish(Recovered("", loop.time() - began))
        return result

    async def _again(self, failed: Batch) -> Committed | Rejected:
        await self._store.reopen()
        landed = await self._store.landed(failed)
        if landed is not None:
            return landed
        note = {"error": self.reason, "turns": len(failed.turns), "messages": len(failed.appends)}
        entry = Entry(SYSTEM_STREAM, "commit.repeated", self._clock(), encode(note).body)
        return await self._store.commit(attrs.evolve(failed, entries=(*failed.entries, entry)))
