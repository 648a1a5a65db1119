"""The tracer of a runtime: how it is supervised, and sent to look whenever there is something new."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel

from choragus.actors.errors import ActorStopped, MailboxFull
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

from .desk import Desk
from .telemetry import Exporter
from .tracer import Export, Tracer

TRACER = "runtime/tracer"

TRACING = OneForOne(max_restarts=5, within=60.0, backoff=Backoff(first=0.1, most=10.0))
"""How the tracer is supervised; its end does not end the runtime before this."""

NUDGE = 10.0
"""Seconds after which the tracer is sent to look also without news: an exporter may be back."""


def traced(exporter: Exporter | None) -> list[Supervisor]:
    """The tracer's part of the tree; nothing without an exporter."""
    if exporter is None:
        return []
    above, _, name = TRACER.partition("/")
    return [Supervisor(name=above, strategy=TRACING, children=(Child(Tracer, name=name, args=(exporter,), mailbox=2),))]


async def keep_tracing(system: System, desk: Desk) -> None:
    """Send the tracer to look whenever there is something new, and at once for what was left last time."""
    with desk.news() as news:
        while True:
            news.clear()
            try:
                system.find(Tracer, TRACER).tell(Export())
            except (MailboxFull, ActorStopped):
                await asyncio.sleep(0.05)
            await anyio.lowlevel.checkpoint()
            with anyio.move_on_after(NUDGE):
                await news.wait()
