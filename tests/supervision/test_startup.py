"""An `on_start` that does not end: nobody who starts an actor waits for ever."""

from __future__ import annotations

import asyncio
import math

import attrs
import pytest

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import StartTimeout
from choragus.actors.event import Zombie
from choragus.actors.message import Request
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.errors import SpecFault, StartFailed
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

SEEDS = range(5)


@attrs.frozen
class Fail:
    """Raise."""


@attrs.frozen
class Count(Request[int]):
    """How many instances were there?"""


class Slow(Actor[Fail | Count]):
    """Its `on_start` waits for what never comes, so many times; `stubborn`: and does not let itself be cancelled."""

    built = 0

    def __init__(self, hangs: tuple[int, ...], stubborn: bool = False) -> None:
        type(self).built += 1
        self.hangs = self.built in hangs
        self.stubborn = stubborn

    async def on_start(self) -> None:
        while self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise

    @handle
    def fail(self, message: Fail) -> None:
        raise ValueError

    @handle
    def count(self, message: Count) -> int:
        return self.built


@pytest.fixture(autouse=True)
def anew() -> None:
    Slow.built = 0


@simulated(seeds=SEEDS)
async def test_a_start_that_takes_too_long_fails_the_system() -> None:
    Slow.built = 0
    loop = asyncio.get_running_loop()

    with pytest.raises(StartFailed) as failed:
        async with System(tree=Child(Slow, name="slow", args=((1,),), startup=10.0)):
            pass

    assert isinstance(failed.value.__cause__, StartTimeout)
    assert str(failed.value.__cause__).startswith("on_start of slow took longer than 10 s: give it more by startup=")
    assert loop.time() == pytest.approx(10.0, abs=0.1)


@simulated(seeds=SEEDS)
async def test_a_restart_that_takes_too_long_is_another_failure() -> None:
    Slow.built = 0
    tree = Supervisor(
        name="top",
        strategy=OneForOne(max_restarts=3, within=600),
        children=[Child(Slow, name="slow", args=((2, 3),), startup=10.0)],
    )
    async with System(tree=tree) as system:
        slow = system.find(Slow, "top/slow")

        slow.tell(Fail())

        assert await slow.ask(Count(), timeout=60) == 4


@simulated(seeds=SEEDS)
async def test_one_that_resists_is_left_behind() -> None:
    Slow.built = 0
    zombies: list[Zombie] = []
    async with System() as system:
        system.events.subscribe(zombies.append, Zombie)
        tree = system.supervisor()

        with pytest.raises(StartTimeout):
            await tree.start_child(Child(Slow, name="slow", args=((1,), True), startup=1.0))

        assert [zombie.actor for zombie in zombies] == ["slow"]
        assert tree.children() == ()


@simulated(seeds=SEEDS)
async def test_without_a_limit_it_takes_as_long_as_it_takes() -> None:
    Slow.built = 0
    async with System() as system:
        starting = asyncio.create_task(
            system.supervisor().start_child(Child(Slow, name="slow", args=((1,),), startup=math.inf))
        )
        await asyncio.sleep(1_000_000)

        assert not starting.done()
        starting.cancel()
        await settled()


@pytest.mark.parametrize("startup", [0, -1, math.nan])
def test_a_limit_that_is_none_is_refused(startup: float) -> None:
    with pytest.raises(SpecFault, match=r"^child 'slow': startup=.* must be seconds above 0$"):
        Child(Slow, name="slow", startup=startup)
