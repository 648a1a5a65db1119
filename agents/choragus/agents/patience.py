"""Waiting for code that somebody else wrote: no longer than allowed, and whatever it does with its cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from choragus.actors.abandon import abandon

T = TypeVar("T")

GRACE = 1.0
"""Seconds that cancelled work has to end; then it is left behind, and what it still does counts for nothing."""


class TookTooLong(Exception):
    """Raised when the time was up; the work has been cancelled."""


class CutOff(Exception):
    """Raised when the work was cancelled though nobody here did it."""


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What the work gives, if it comes in time. When the caller is cancelled, so is the work.

    Raises:
        TookTooLong: the time was up.
        CutOff: the work cancelled itself.
        Exception: what the work raised; what is no Exception (SystemExit, say) comes as RuntimeError.
    """
    task = asyncio.get_running_loop().create_task(_contained(work))
    task.add_done_callback(partial(_look_at, work))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
            abandon([task])
    if not done:
        raise TookTooLong
    if task.cancelled():
        raise CutOff
    return task.result()


def told(error: BaseException) -> str:
    """The error in one line; survives one whose text cannot be made."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be made)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def _contained(work: Awaitable[T]) -> T:
    try:
        return await work
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        # Out of a task SystemExit would end the event loop, and with it every run; an exception group of asyncio's is
        # no Exception either.
        raise RuntimeError(f"it raised {told(error)}") from error


def _look_at(work: Awaitable[T], task: asyncio.Future[T]) -> None:
    """Retrieve the outcome of work that was left behind, so that nothing is said of it at the end.

    Nor of work that was cancelled before its first step: nobody has awaited it.
    """
    if asyncio.iscoroutine(work):
        work.close()
    if not task.cancelled():
        task.exception()
