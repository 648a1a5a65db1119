"""Children that do not stop in time: what becomes of them, for what reason, and at what cost."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.cell import Cell
from choragus.actors.dispatch import handle
from choragus.actors.event import Zombie
from choragus.actors.status import GRACE, Exit, Reason
from choragus.actors.testing.loop import clock, running, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch

STEPS = 500
"""Callbacks of the loop that a shutdown may take here; one that spins takes as many as it is given."""


@frozen
class Work:
    seconds: float
    resists: bool = False


class Stubborn:
    """Stays for so long, whatever cancels, and counts that."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def stay(self, seconds: float) -> None:
        end = running().time() + seconds
        while (left := end - running().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                self.cancelled += 1


class Part(Actor[Work]):
    stays_in = ""

    def __init__(self, stubborn: Stubborn, stays_in: str = "") -> None:
        self.stubborn = stubborn
        self.stays_in = stays_in

    async def on_start(self) -> None:
        if self.stays_in == "on_start":
            await self.stubborn.stay(1000)

    async def on_stop(self) -> None:
        if self.stays_in == "on_stop":
            await self.stubborn.stay(1000)

    @handle
    async def work(self, message: Work) -> None:
        if message.resists:
            await self.stubborn.stay(message.seconds)
        else:
            await asyncio.sleep(message.seconds)


async def end_of(shutdown: float, work: Work) -> tuple[Exit, float]:
    """How the actor ended that is stopped amid that work, and after how many seconds."""
    ends: list[tuple[Exit, float]] = []
    child = Child(Part, name="a", args=(Stubborn(),), shutdown=shutdown)
    async with System(tree=Supervisor(name="top", children=[child]), clock=clock) as system:
        system.find(Part, "top/a").tell(work)
        await settled()
        cell = system._root.find("top/a")
        assert isinstance(cell, Cell)
        began = running().time()
        cell.when_ended(lambda exit: ends.append((exit, running().time() - began)))

        await system.supervisor("top").stop_child("a")

    (end,) = ends
    return end


@pytest.mark.parametrize(
    ("shutdown", "work", "reason", "after"),
    [
        (2.0, Work(1.0), Reason.SHUTDOWN, 1.0),
        (2.0, Work(60.0), Reason.KILLED, 2.0),
        (2.0, Work(60.0, resists=True), Reason.KILLED, 2.0 + GRACE),
        (0.0, Work(60.0), Reason.KILLED, 0.0),
        (0.0, Work(60.0, resists=True), Reason.KILLED, GRACE),
        (float("inf"), Work(3600.0), Reason.SHUTDOWN, 3600.0),
    ],
    ids=["in time", "cancelled", "cut off", "brutal", "brutal, cut off", "no limit"],
)
@simulated(seeds=range(5))
async def test_r31_what_is_not_through_by_its_deadline_is_killed(
    shutdown: float, work: Work, reason: Reason, after: float
) -> None:
    assert await end_of(shutdown, work) == (Exit(reason), after)


@simulated(seeds=range(5))
async def test_r31_the_one_started_again_under_the_name_of_a_zombie_has_nothing_of_it() -> None:
    child = Child(Part, name="a", args=(Stubborn(),), shutdown=0.0)
    async with System(tree=Supervisor(name="top", children=[child]), clock=clock) as system:
        events = watch(system)
        part = system.find(Part, "top/a")
        part.tell(Work(60.0, resists=True))
        await settled()

        await system.supervisor("top").stop_child("a")
        again = await system.supervisor("top").restart_child("a")
        await asyncio.sleep(100)

        assert again == part
        assert events == [Zombie("top/a", "Work")]
        assert [child.state.value for child in system.supervisor("top").children()] == ["running"]


async def shut_down(leave: str, stays_in: str) -> tuple[int, float, int]:
    """A shutdown with a child that resists; its steps, its seconds, and how often it was cancelled."""
    stubborn = Stubborn()
    steps, began = 0, 0.0
    with anyio.CancelScope() as scope:
        async with System(clock=clock, strategy=OneForOne(100, 60)) as system:
            spawning = asyncio.create_task(
                system.spawn(Part, stubborn, stays_in, name="a", shutdown=5.0, restart=Restart.TRANSIENT)
            )
            await settled()
            if stays_in == "handler":
                system.find(Part, "a").tell(Work(1000, resists=True))
            await settled()
            steps, began = running()._steps, running().time()
            if leave == "by cancellation":
                scope.cancel()
                await asyncio.sleep(1)
    await asyncio.wait([spawning])
    spawning.exception()
    return running()._steps - steps, running().time() - began, stubborn.cancelled


@pytest.mark.parametrize("leave", ["by return", "by cancellation"])
@pytest.mark.parametrize("stays_in", ["handler", "on_start", "on_stop"])
@simulated(seeds=range(5), steps=20_000)
async def test_r34_a_child_that_swallows_cancellation_neither_hangs_the_shutdown_nor_spins(
    stays_in: str, leave: str
) -> None:
    steps, seconds, cancelled = await shut_down(leave, stays_in)

    assert steps < STEPS
    assert seconds <= 5.0 + 3 * GRACE
    assert 1 <= cancelled <= 3


@simulated(seeds=range(5), steps=20_000)
async def test_r34_what_a_child_that_was_cut_off_goes_on_with_costs_nothing_of_ours() -> None:
    child = Child(Part, name="a", args=(Stubborn(),), shutdown=0.0)
    async with System(tree=Supervisor(name="top", children=[child]), clock=clock) as system:
        system.find(Part, "top/a").tell(Work(1000.0, resists=True))
        await settled()
        await system.supervisor("top").stop_child("a")
        before = running()._steps

        await asyncio.sleep(900)

        assert running()._steps - before < 10
