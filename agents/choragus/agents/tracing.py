"""The tracers of a runtime: how they are supervised, and sent to look whenever there is something new."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio

from choragus.actors.errors import ActorFailed, ActorStopped, AskTimeout, MailboxFull
from choragus.actors.thread import in_thread
from choragus.mailbox.store import Store
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

from .desk import Desk
from .telemetry.beginning import position_of
from .telemetry.convention import ACTOR_TYPE, APPROVALS_WAITING, DROPPED, MAILBOX_DEPTH, RESTARTS
from .telemetry.declaration import Telemetry
from .telemetry.outlet import Measuring, Outlet
from .tracer import Export, Terms, Tracer

ABOVE = "runtime"

TRACING = OneForOne(max_restarts=5, within=60.0, backoff=Backoff(first=0.1, most=10.0))
"""How the tracers are supervised; their end does not end the runtime before this."""

NUDGE = 10.0
"""Seconds after which the tracers are sent to look also without news: an exporter may be back."""

PACE = 0.25
"""Seconds between two looks: many turns are read together, for looking costs more than what is found."""

SPANS_SHARE, METRICS_SHARE, END_SHARE = 0.6, 0.3, 0.1
"""How the time of an end is shared: what is left of spans, of metrics, and the end of exporters of our own."""

PATIENCE = 300.0
"""Seconds after which a tracer that is at it is sent to look once more."""


class Tracing:
    """Where the telemetry of one runtime goes.

    Args:
        scrubbed: takes the runtime's secrets out of a text.
    """

    def __init__(self, telemetry: Telemetry, scrubbed: Callable[[str], str]) -> None:
        self._telemetry = telemetry
        self._outlets = telemetry.outlets()
        self._begins = 0
        self._ending = asyncio.Event()
        self._convention = telemetry.convention()
        self._content = telemetry.telling(scrubbed)

    async def look(self, store: Store) -> None:
        """Where to begin in a file that was not read before; it is looked for before anything new comes."""
        if self._outlets and self._telemetry.since != "beginning":
            self._begins = await position_of(store, self._telemetry.since) or -1  # 0 is that of who never read it

    def tree(self) -> list[Supervisor]:
        """The tracers' part of the tree; nothing where the environment turns it off."""
        if not self._outlets:
            return []
        children = tuple(self._child(outlet) for outlet in self._outlets)
        return [Supervisor(name=ABOVE, strategy=TRACING, children=children)]

    def _child(self, outlet: Outlet) -> Child[Export]:
        closing = self._telemetry.closing * (METRICS_SHARE if isinstance(outlet, Measuring) else SPANS_SHARE)
        terms = Terms(closing=closing, begins=self._begins, ending=self._ending)
        args = (outlet, self._convention, self._content, terms)
        return Child(Tracer, name=outlet.cursor, args=args, mailbox=2, shutdown=closing + 0.1)

    async def keep(self, system: System, desk: Desk) -> None:
        """Send the tracers to look whenever there is something new, and at once for what was left last time."""
        async with anyio.create_task_group() as group:
            for outlet in self._outlets:
                group.start_soon(_tend, system, desk, outlet)
            measuring = [outlet for outlet in self._outlets if isinstance(outlet, Measuring)]
            while measuring:
                await look(system, desk, measuring, sum(outlet.dropped for outlet in self._outlets))
                await asyncio.sleep(NUDGE)

    def end(self) -> None:
        """The end has begun: nobody waits for an exporter any longer than an end may take."""
        self._ending.set()

    async def close(self) -> None:
        """Nothing comes any more; an exporter that hangs is left behind."""
        with anyio.move_on_after(self._telemetry.closing * END_SHARE):
            async with anyio.create_task_group() as group:
                for outlet in self._outlets:
                    group.start_soon(in_thread, "telemetry", outlet.close)


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


async def look(system: System, desk: Desk, measuring: Sequence[Measuring], dropped: int) -> None:
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
        outlet.live[DROPPED] = [(dropped, {})]
