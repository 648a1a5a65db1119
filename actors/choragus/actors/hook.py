"""What runs beside the messages: `on_start` and `on_stop`, each in a task that can be ended without its caller."""

from __future__ import annotations

import asyncio
import math
from typing import Never

from .abandon import abandon
from .actor import Actor
from .errors import ActorStopped, StartTimeout
from .event import Failed, Zombie
from .host import Host
from .status import GRACE


class Starting:
    """An `on_start` that runs."""

    def __init__(self, actor: Actor[Never], host: Host) -> None:
        self._path = actor.path
        self._events = host.events
        self._task = host.scheduler.task(actor.on_start(), f"choragus:{actor.path}:on_start", actor._choragus_cell)
        self._task.add_done_callback(_look)
        self._ended: asyncio.Future[None] = host.loop.create_future()

    async def finish(self, seconds: float) -> None:
        """Wait for it; what it raises goes to the caller. A caller that is cancelled cancels it.

        Raises:
            ActorStopped: when `end` was called meanwhile.
            StartTimeout: when it takes longer than that; it is cancelled.
        """
        patience = None if seconds == math.inf else seconds
        try:
            await asyncio.wait({self._task, self._ended}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not self._task.done() and not self._ended.done():
                await self.end()
                raise StartTimeout(self._path, seconds)
        except asyncio.CancelledError:
            await self.end()
            raise
        if self._ended.done():
            raise ActorStopped(self._path)
        if self._task.cancelled():
            raise RuntimeError(f"{self._path}: on_start raised CancelledError")
        self._task.result()

    async def end(self) -> None:
        """Cancel it, and leave it behind when it resists."""
        first = not self._ended.done()
        if first:
            self._ended.set_result(None)
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=GRACE)
        if first and not self._task.done():
            abandon([self._task])
            self._events.publish(Zombie(self._path, "on_start"))


async def run_on_stop(actor: Actor[Never], patience: float, host: Host) -> None:
    """Run `on_stop` for so many seconds at most; what it raises is reported."""
    stopping = host.scheduler.task(actor.on_stop(), f"choragus:{actor.path}:on_stop", actor._choragus_cell)
    stopping.add_done_callback(_look)
    await asyncio.wait({stopping}, timeout=patience)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait({stopping}, timeout=GRACE)
    if not stopping.done():
        abandon([stopping])
        host.events.publish(Zombie(actor.path, "on_stop"))
        return
    error = asyncio.CancelledError("on_stop was cancelled") if stopping.cancelled() else stopping.exception()
    if error is not None:
        host.events.publish(Failed(actor.path, error, "on_stop"))


def _look(task: asyncio.Task[None]) -> None:
    """Nobody may be left to look at what a task that was left behind raises in the end."""
    if not task.cancelled():
        task.exception()
