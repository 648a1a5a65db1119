"""The tracer: reads the committed logbook with a cursor and exports it. Nothing is sent to it on the way.

A run never waits for it, and it cannot lose what it has not exported: the cursor moves when the exporter has taken the
spans, so they are exported at least once, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import anyio
import anyio.to_thread
import attrs

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Events, Failed
from choragus.actors.message import Request
from choragus.mailbox.store import Store

from .telemetry import Exporter, Span, default_resource, export, spans

CURSOR = "tracer"
PAGE = 500

TAKING = 10.0
"""Seconds that an exporter has for a page, as OpenTelemetry's own exporters; then it is tried again later."""

TURN = 30.0
"""Seconds for a page in all; a tracer that takes longer has failed, and its supervisor builds another."""


@attrs.frozen
class Export(Request[int]):
    """Export what has been committed since the last time; the reply is how many spans the exporter took."""


class Logbook(Protocol):
    """What the tracer needs from the system."""

    store: Store
    events: Events

    def move_cursor(self, name: str, position: int) -> None: ...


class Tracer(Actor[Export]):
    """Exports the logbook as spans, last when it is stopped.

    Args:
        exporter: any exporter of the OpenTelemetry SDK. One that fails, raises or takes too long is tried again with
            the next export; it is never called twice at a time.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._resource = default_resource()
        self._position = -1
        self._taking: asyncio.Task[bool] | None = None

    @handle
    async def export(self, message: Export) -> int:
        """Export page by page, as far as the exporter goes along."""
        exported = 0
        while True:
            async with asyncio.timeout(TURN):
                taken = await self._export_page()
            if taken is None:
                return exported
            exported += taken

    async def on_stop(self) -> None:
        """What the last turns entered."""
        await self.export(Export())
        if self._taking is not None:
            self._taking.cancel()

    async def _export_page(self) -> int | None:
        """How many spans the exporter took; None when there is nothing new, or the exporter does not go along."""
        logbook: Logbook = self.system  # type: ignore[assignment]  # the tracer runs in a system with a store
        if self._position < 0:
            self._position = await logbook.store.cursor(CURSOR)
        page = await logbook.store.log(after=self._position, limit=PAGE)
        if not page:
            return None
        made = spans(page, self._resource)
        if made and not await self._hand_over(made, logbook.events):
            return None
        self._position = page[-1].seq
        logbook.move_cursor(CURSOR, self._position)
        return len(made)

    async def _hand_over(self, made: Sequence[Span], events: Events) -> bool:
        if await self._is_taking():
            return self._not_taken(events, TimeoutError("the exporter still holds on to an earlier page"))
        self._taking = taking = asyncio.ensure_future(self._export_in_thread(made))
        if await self._is_taking():
            return self._not_taken(events, TimeoutError(f"the exporter took longer than {TAKING:g} s"))
        try:
            taken = taking.result()
        except Exception as error:
            return self._not_taken(events, error)
        return taken or self._not_taken(events, RuntimeError("the exporter did not take the spans"))

    async def _is_taking(self) -> bool:
        """Whether the exporter is still busy after the time that it has."""
        if self._taking is not None and (await asyncio.wait({self._taking}, timeout=TAKING))[0]:
            self._taking = None
        return self._taking is not None

    def _not_taken(self, events: Events, error: Exception) -> bool:
        events.publish(Failed(self.path, error, "Export"))
        return False

    async def _export_in_thread(self, made: Sequence[Span]) -> bool:
        limiter = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(export, self._exporter, made, abandon_on_cancel=True, limiter=limiter)
