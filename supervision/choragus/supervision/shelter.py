"""Work that is finished whatever cancels the one who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import anyio

T = TypeVar("T")


async def sheltered(work: Coroutine[object, object, T]) -> T:
    """Run the work in a task of its own to its end; a cancellation that came meanwhile is raised after it.

    Holds against anyio's scopes and against `task.cancel()`, as asyncio's own timeouts and Ctrl-C use it.
    """
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            cancelled.__context__ = failure
        raise cancelled
    return task.result()
