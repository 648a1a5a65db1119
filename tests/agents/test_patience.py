"""Waiting for code that somebody else wrote."""

from __future__ import annotations

import asyncio
import inspect

from choragus.actors.testing.simulation import simulated
from choragus.agents.patience import within


@simulated(seeds=range(10))
async def test_work_that_is_cancelled_before_its_first_step_is_closed() -> None:
    """Else Python says that it was never awaited. Whether it was depends on which of two tasks goes first."""
    work = asyncio.sleep(60)
    patient = within(5.0, work)
    waiting = asyncio.create_task(patient)
    while inspect.getcoroutinestate(patient) == inspect.CORO_CREATED:  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
