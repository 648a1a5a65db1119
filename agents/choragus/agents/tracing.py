"""The tracers of a runtime: how they are supervised, and sent to look whenever there is something new."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
import anyio.to_thread

from choragus.actors.errors import ActorFailed, ActorStopped, AskTimeout, MailboxFull
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

from .desk import Desk
from .telemetry.convention import ACTOR_TYPE, APPROVALS_WAITING, MAILBOX_DEPTH, RESTARTS
from .telemetry.declaration import Telemetry
from .telemetry.outlet import Measuring, Outlet
from .tracer import Export, Tracer

ABOVE = "runtime"

TRACING = OneForOne(max_restarts=5, within=60.0, backoff=Backoff(first=0.1, most=10.0))
"""How the tracers are supervised; their end does not end the runtime before this."""

NUDGE = 10.0
"""Seconds after which the tracers are sent to look also without news: an exporter may be back."""

PACE = 0.25
"""Seconds between two looks: many turns are read together, for looking costs more than what is found."""

CLOSING = 5.0
"""Seconds that exporters of our own have to end."""

PATIENCE = 300.0
"""Seconds after which a tracer that is at it is sent to look once more."""


class Tracing:
    """Where the telemetry of one runtime goes.

    Args:
        scrubbed: takes the runtime's secrets out of a text.
    """

    def __init__(self, telemetry: Telemetry, scrubbed: Callable[[str], str]) -> None:
        self._outlets = telemetry.outlets()
        self._convention = telemetry.convention()
        self._content = telemetry.telling(scrubbed)

    def tree(self) -> list[Supervisor]:
        """The tracers' part of the tree; nothing where the environment turns it off."""
        if not self._outlets:
            return []
        children = tuple(
            Child(Tracer, name=outlet.cursor, args=(outlet, self._convention, self._content), mailbox=2)
            for outlet in self._outlets
        )
        return [Supervisor(name=ABOVE, strategy=TRACING, children=children)]

    async def keep(self, system: System, desk: Desk) -> None:
        """Send the tracers to look whenever there is something new, and at once for what was left last time."""
        async with anyio.create_task_group() as group:
            for outlet in self._outlets:
                group.start_soon(_tend, system, desk, outlet)
            measuring = [outlet for outlet in self._outlets if isinstance(outlet, Measuring)]
            while measuring:
                await look(system, desk, measuring)
                await asyncio.sleep(NUDGE)

    async def close(self) -> None:
        """Nothing comes any more; an exporter that hangs is left behind."""
        with anyio.move_on_after(CLOSING):
            for outlet in self._outlets:
                await anyio.to_thread.run_sync(outlet.close, abandon_on_cancel=True)


async def _tend(system: System, desk: Desk, outlet: Outlet) -> None:
    """One message at a time, so that none is left when the runtime ends."""
    with desk.news() as news:
        while True:
            news.clear()
            with suppress(ActorFailed, ActorStopped, AskTimeout, MailboxFull):  # it is being built again, or busy
                await system.find(Tracer, f"{ABOVE}/{outlet.cursor}").ask(Export(), timeout=PATIENCE)
            await asyncio.sleep(PACE)
            with anyio.move_on_after(NUDGE):
                await news.wait()


async def look(system: System, desk: Desk, measuring: Sequence[Measuring]) -> None:
    """Take down how the live system stands, for whoever reads its gauges."""
    depth, restarts = Counter[str](), Counter[str]()
    for node in system.tree().walk():
        if node.actor:
            depth[node.actor] += node.depth
            restarts[node.actor] += node.restarts
    waiting = len(await desk.store.views("approval"))
    for outlet in measuring:
        outlet.live[MAILBOX_DEPTH] = [(count, {ACTOR_TYPE: name}) for name, count in depth.items()]
        outlet.live[RESTARTS] = [(count, {ACTOR_TYPE: name}) for name, count in restarts.items()]
        outlet.live[APPROVALS_WAITING] = [(waiting, {})]
