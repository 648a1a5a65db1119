"""The tracer: reads the committed logbook with a cursor and exports it. Nothing is sent to it on the way.

A run never waits for it, and it cannot lose what it has not exported: the cursor moves when the exporter has taken the
spans, so they are exported at least once, with the same ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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


@attrs.frozen
class Export(Request[int]):
    """Export what has been committed since the last time; the reply is how many spans the exporter took."""


class Logbook(Protocol):
    """What the tracer needs from the system."""

    store: Store
    events: Events

    def move_cursor(self, name: str, position: int) -> None: ...


class Tracer(Actor[Export]):
    """Exports the logbook as spans.

    Args:
        exporter: any exporter of the OpenTelemetry SDK. One that fails or raises is tried again with the next export.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._resource = default_resource()
        self._position = -1

    @handle
    async def export(self, message: Export) -> int:
        """Export page by page, as far as the exporter goes along."""
        logbook: Logbook = self.system  # type: ignore[assignment]  # the tracer runs in a system with a store
        if self._position < 0:
            self._position = await logbook.store.cursor(CURSOR)
        exported = 0
        while page := await logbook.store.log(after=self._position, limit=PAGE):
            made = spans(page, self._resource)
            if made and not await self._hand_over(made, logbook.events):
                break
            exported += len(made)
            self._position = page[-1].seq
            logbook.move_cursor(CURSOR, self._position)
        return exported

    async def _hand_over(self, made: Sequence[Span], events: Events) -> bool:
        try:
            return await anyio.to_thread.run_sync(export, self._exporter, made, abandon_on_cancel=True)
        except Exception as error:
            events.publish(Failed(self.path, error, "Export"))
            return False
