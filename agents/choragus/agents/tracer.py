"""The tracer: reads the committed logbook with a cursor and exports it. Nothing is sent to it on the way.

A run never waits for it, and it cannot lose what it has not exported: the cursor moves when the outlet has taken what
was told, so it is exported at least once, spans with the same ids. Spans and metrics have a tracer each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import anyio
import attrs

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Events, Failed
from choragus.actors.message import Request
from choragus.actors.thread import in_thread
from choragus.mailbox.store import Store
from choragus.mailbox.turn import LogEntry

from .telemetry.content import Content
from .telemetry.convention import Convention
from .telemetry.outlet import Item, Outlet
from .telemetry.refused import Refused
from .telemetry.shelf import Shelf

PAGE = 500

TAKING = 10.0
"""Seconds that an exporter has for a page, as OpenTelemetry's own exporters; then it is tried again later."""

TURN = 30.0
"""Seconds for a page in all; a tracer that takes longer has failed, and its supervisor builds another."""

_LOG = logging.getLogger("choragus")


@attrs.frozen
class Export(Request[int]):
    """Export what has been committed since the last time; the reply is how much the outlet took."""


class Logbook(Protocol):
    """What the tracer needs from the system."""

    store: Store
    events: Events

    def move_cursor(self, name: str, position: int) -> None: ...


@attrs.frozen(kw_only=True)
class Terms:
    """How a tracer begins and ends.

    `closing`: seconds for what is left when it is stopped. `begins`: the position behind which it begins in a file that
    it has not read before; -1 is the file's beginning, as it was looked for. `ending`: set when it is to be stopped, so
    that what waits for an exporter that hangs waits no longer.
    """

    closing: float
    begins: int
    ending: asyncio.Event


class Tracer(Actor[Export]):
    """Exports the logbook, last when it is stopped.

    Args:
        outlet: where it goes. One that fails, raises or takes too long is tried again with the next export, with half
            as much at a time; it is never called twice at a time. What it refuses alone, again and again, while it
            takes other things, is dropped, logged and counted.
    """

    def __init__(self, outlet: Outlet, convention: Convention, content: Content | None, terms: Terms) -> None:
        self._outlet = outlet
        self._convention = convention
        self._content = content
        self._shelf: Shelf | None = None
        self._position = self._saved = -1
        self._left: Sequence[Item] = ()
        self._has_more = False
        self._terms = terms
        self._is_stopped = False
        self._at_once = PAGE
        self._refused = Refused()
        self._confirmed = 0.0
        self._working: asyncio.Task[bool] | None = None

    @handle
    async def export(self, message: Export) -> int:
        """Export page by page, as far as the outlet goes along, up to a page that is not full.

        What is entered meanwhile is for the next time: else a busy file would be read a few entries at a time.
        """
        exported = await self._export_pages(lambda: self._has_more)
        if asyncio.get_running_loop().time() >= self._confirmed + self._outlet.every:
            await self._confirm()
        return exported

    async def on_stop(self) -> None:
        """What the last turns entered."""
        self._is_stopped = True
        with anyio.move_on_after(self._terms.closing):
            await self._export_pages(lambda: True)
            await self._confirm()
        if self._working is not None:
            self._working.cancel()

    @property
    def _logbook(self) -> Logbook:
        logbook: Logbook = self.system  # type: ignore[assignment]  # the tracer runs in a system with a store
        return logbook

    async def _export_pages(self, goes_on: Callable[[], bool]) -> int:
        exported = 0
        while True:
            async with asyncio.timeout(TURN):
                taken = await self._export_page()
            exported += taken or 0
            if taken is None or not goes_on():
                return exported

    async def _export_page(self) -> int | None:
        """How much the outlet took; None when there is nothing new, or the outlet does not go along."""
        if self._refused.are_all(self._left) and not await self._read_page() and not self._left:
            return None
        exported = 0
        while self._left:
            some = self._refused.apart(self._left, self._at_once)
            if not await self._hand_over(partial(self._outlet.take, some)):
                if not self._not_alone(some):
                    return None
                continue
            self._left, exported = self._left[len(some) :], exported + len(some)
            self._refused.take(some)
            self._at_once = min(PAGE, self._at_once * 2)
        if not self._outlet.every:
            self._save()
        return exported

    def _not_alone(self, some: Sequence[Item]) -> bool:
        """These were not taken: less at a time; one by itself is put behind the others. Whether it is dropped."""
        self._at_once = max(1, len(some) // 2)
        if len(some) > 1:
            return False
        (one,), self._left = some, self._left[1:]
        if self._refused.is_for_good(one):
            self._outlet.dropped += 1
            _LOG.warning("the exporter refuses %s for good, while it takes others: it is dropped", one.told)
            return True
        self._left = (*self._left, one)
        return False

    async def _read_page(self) -> bool:
        """Take the next page, before what was refused; whether there is one."""
        store = self._logbook.store
        if self._shelf is None:
            saved = await store.cursor(self._outlet.cursor)
            self._position = self._saved = max(0, saved)
            if not saved and self._terms.begins:
                self._position = max(0, self._terms.begins)
                self._logbook.move_cursor(self._outlet.cursor, self._terms.begins)
            self._shelf = Shelf(store, self._convention, self._outlet.samples, self._content)
        page, self._has_more = await whole_batches(store, self._position, PAGE)
        if not page:
            return False
        self._left = (*self._outlet.of(await self._shelf.take(page)), *self._left)
        self._position = page[-1].seq
        return True

    async def _confirm(self) -> None:
        """Move the cursor to what has left for good."""
        self._confirmed = asyncio.get_running_loop().time()
        if self._position > self._saved and not self._left and await self._hand_over(self._outlet.confirm):
            self._save()

    def _save(self) -> None:
        self._saved = self._position
        self._logbook.move_cursor(self._outlet.cursor, self._position)

    async def _hand_over(self, work: Callable[[], bool]) -> bool:
        events = self._logbook.events
        if await self._is_working():
            return self._not_taken(events, TimeoutError("the exporter still holds on to an earlier page"))
        self._working = working = asyncio.ensure_future(in_thread("telemetry", work))
        if await self._is_working():
            ended = self._terms.ending.is_set()
            late = "has not taken it at the end of the runtime" if ended else f"took longer than {TAKING:g} s"
            return self._not_taken(events, TimeoutError(f"the exporter {late}"))
        try:
            taken = working.result()
        except Exception as error:
            return self._not_taken(events, error)
        return taken or self._not_taken(events, RuntimeError("the exporter did not take the spans"))

    async def _is_working(self) -> bool:
        """Whether the exporter is still busy after the time that it has."""
        if self._working is None:
            return False
        ending = asyncio.ensure_future(self._terms.ending.wait())
        awaited = {self._working} if self._is_stopped else {self._working, ending}
        try:
            await asyncio.wait(awaited, timeout=TAKING, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
        if self._working.done():
            self._working = None
        return self._working is not None

    def _not_taken(self, events: Events, error: Exception) -> bool:
        events.publish(Failed(self.path, error, "Export"))
        return False


async def whole_batches(store: Store, after: int, limit: int) -> tuple[list[LogEntry], bool]:
    """Some `limit` entries behind a position, without the beginning of a batch that goes on; whether there are more."""
    while True:
        page = await store.log(after=after, limit=limit)
        if len(page) < limit:
            return page, False
        last = page[-1].batch
        if whole := [entry for entry in page if entry.batch != last]:
            return whole, True
        limit *= 2  # one batch is longer than this: what became of a run is known at its end
