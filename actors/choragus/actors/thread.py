"""Plain functions in threads of their own.

Not the event loop's pool of threads: that one is shared with the application around us, a call would wait in it for its
turn while its timeout runs, and the interpreter waits for its threads at the end, for ever if one hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_thread(name: str, function: Callable[[], T]) -> T:
    """What the function gives, run at once in a thread of its own that keeps nobody waiting.

    When the caller is cancelled the thread runs on to its end, for Python cannot stop it, or until the process ends;
    what it gives is then dropped. On a simulated loop there are no threads: the function is called on the loop.
    """
    loop = asyncio.get_running_loop()
    if getattr(loop, "is_simulated", False):
        return await loop.run_in_executor(None, copy_context().run, _contained, function)
    outcome: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:
            _settle(loop, outcome, None, error)
        else:
            _settle(loop, outcome, result, None)

    Thread(target=run, name=f"choragus:{name}", daemon=True).start()
    return await outcome


def _settle(
    loop: asyncio.AbstractEventLoop, outcome: asyncio.Future[T], result: T | None, error: BaseException | None
) -> None:
    def settle() -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result)  # type: ignore[arg-type]  # None only when T holds None
        else:
            outcome.set_exception(_carried(error))

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _contained(function: Callable[[], T]) -> T:
    try:
        return function()
    except BaseException as error:
        carried = _carried(error)
        if carried is error:
            raise
        raise carried from error


def _carried(error: BaseException) -> BaseException:
    """A future cannot carry StopIteration, and must not carry what would end the event loop."""
    if isinstance(error, Exception | asyncio.CancelledError) and not isinstance(error, StopIteration):
        return error
    carried = RuntimeError(f"it raised {type(error).__name__}: {error}")
    carried.__cause__ = error
    return carried
