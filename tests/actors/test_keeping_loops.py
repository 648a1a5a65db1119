"""What the kernel runs for itself ends with it, also when it had not begun yet."""

from __future__ import annotations

import asyncio
import inspect

from choragus.supervision.system import System


async def test_a_loop_that_is_ended_before_it_begins_is_not_left_behind() -> None:
    """An alarm that rings as the system closes begins a look at what is due, which nobody waits for any more."""

    async def look() -> None:
        raise AssertionError("nobody is there")

    work = look()
    async with System() as system:
        before = set(system.kernel._tasks)
        system.kernel.keep(work)
        (task,) = set(system.kernel._tasks) - before
        task.cancel()
        await asyncio.wait({task})

    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
