"""A system that ends as by `kill -9`, and a record of what it said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from choragus.actors.event import Event
from choragus.actors.fault import Crashed
from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System


@asynccontextmanager
async def crashing(system: System) -> AsyncIterator[System]:
    """Run the system, and end it with the block as `kill -9` would: nothing is flushed or released.

    What ended it before is passed over only when that was a `crash` of `faults()`. Open the same store again
    afterwards, and compare.
    """
    try:
        async with system:
            yield system
            system.kernel.fail(Crashed("crashed at the end of the block"))
    except SystemFailed as failed:
        if not all(isinstance(error.__cause__, Crashed) for error in failed.exceptions):
            raise


def watch(system: System) -> list[Event]:
    """The system's events from now on, in order."""
    events: list[Event] = []
    system.events.subscribe(events.append)
    return events
