"""Durable timers keep to the wall clock when it is set; a live owner is never written over."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from choragus.mailbox import LeaseLost
from choragus.supervision import System, SystemFailed

from .till import REGION, Add, Till
from .time_jump import rows, seconds_until_it_rings, taken_from_a_live_owner


@pytest.mark.parametrize("jump", [60.0, 3600.0])
def test_a_timer_rings_at_once_when_the_clock_is_set_past_it(jump: float) -> None:
    taken = seconds_until_it_rings(jump, within=60.0)

    assert taken is not None
    assert taken <= 0.1


def test_a_timer_rings_once_when_the_clock_was_set_back() -> None:
    taken = seconds_until_it_rings(-60.0, within=120.0)

    assert taken is not None
    assert 67.0 <= taken <= 78.0


def test_a_clock_that_is_set_back_does_not_free_the_file() -> None:
    assert not taken_from_a_live_owner(-3600.0)


async def test_a_live_owner_that_is_overtaken_is_told_why_and_nothing_is_written_twice(tmp_path: Path) -> None:
    """Until its next renewal the lease of a live owner looks as if it had run out; then the fence decides."""
    path, ahead, opened, overtaken = tmp_path / "a.db", [0.0], asyncio.Event(), asyncio.Event()

    def wall() -> float:
        return time.time() + ahead[0]

    async def own() -> None:
        async with System(path, actors=[REGION], clock=wall) as system:
            assert await system.ref(Till, "a").ask(Add(1)) == 1
            opened.set()
            await overtaken.wait()
            await system.ref(Till, "a").ask(Add(100))

    owning = asyncio.create_task(own())
    await opened.wait()
    ahead[0] = 3600.0
    async with System(path, actors=[REGION], clock=wall) as second:
        assert await second.ref(Till, "a").ask(Add(10)) == 11
        overtaken.set()

        with pytest.raises(SystemFailed) as ended:
            await owning

        assert await second.ref(Till, "a").ask(Add(10)) == 21
        assert (await second.kernel.store.verify()).problems == ()
    (error,) = ended.value.exceptions
    assert isinstance(error, LeaseLost)
    assert str(error) == (
        f"another process has taken {path} over: this one stood still for longer than its lease of 10 s, or the clock "
        "was set forward; what it had not committed did not happen: keep one of the two processes"
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_table_of_jumps_can_be_made() -> None:
    assert len(rows(quick=False)) == 3
