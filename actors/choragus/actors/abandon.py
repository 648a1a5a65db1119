"""Tasks that resist their cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


def abandon(tasks: Iterable[asyncio.Task[object]]) -> None:
    """Leave behind those that are not done: the event loop will not wait for them when it closes.

    `asyncio.run` cancels what is left and waits until it ends, for ever if need be. A task that is no longer registered
    is not among that; `_unregister_task` is what asyncio documents for those who bring their own tasks.
    """
    for task in tasks:
        if not task.done():
            asyncio.tasks._unregister_task(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch for its own farewell
