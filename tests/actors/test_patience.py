"""No call waits for ever: what could, ends at once with the reason."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, AskCycle
from choragus.actors.event import DeadLetter
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System


@frozen
class Fill:
    pass


@frozen
class Go(Request[None]):
    to: Ref[Fill]
    times: int = 2


class Sender(Actor[Go | Fill]):
    @handle
    async def go(self, message: Go) -> None:
        await asyncio.sleep(0.1)
        for _ in range(message.times):
            await message.to.send(Fill())

    @handle
    def fill(self, message: Fill) -> None:
        pass


def cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else cause(error.__cause__)


async def sender(system: System, name: str) -> Ref[Go | Fill]:
    return await system.spawn(Sender, name=name, mailbox=1, restart=Restart.TEMPORARY)


@simulated(seeds=range(10))
async def test_a_send_to_oneself_without_room_fails_at_once() -> None:
    async with System(clock=clock) as system:
        a = await sender(system, "a")

        with pytest.raises(ActorFailed) as failed:
            await a.ask(Go(a))

        assert isinstance(cycle := cause(failed.value), AskCycle)
        assert cycle.chain == ("a", "a")
        assert asyncio.get_running_loop().time() == pytest.approx(0.1)


@simulated(seeds=range(10))
async def test_two_that_wait_for_room_in_each_other_fail_at_once() -> None:
    async with System(clock=clock) as system:
        a, b = await sender(system, "a"), await sender(system, "b")

        ended = await asyncio.gather(a.ask(Go(b)), b.ask(Go(a)), return_exceptions=True)

        assert any(isinstance(one, ActorFailed) and isinstance(cause(one), AskCycle) for one in ended)
        assert asyncio.get_running_loop().time() == pytest.approx(0.1)


@simulated(seeds=range(10))
async def test_a_send_that_waits_for_who_is_merely_busy_goes_on() -> None:
    async with System(clock=clock) as system:
        a, b = await sender(system, "a"), await sender(system, "b")
        idle = await sender(system, "idle")

        await asyncio.gather(b.ask(Go(idle)), a.ask(Go(b, times=4)))


@simulated(seeds=range(5))
async def test_a_stream_that_is_opened_after_the_end_ends() -> None:
    async with System(clock=clock) as system:
        pass

    with system.events.stream(DeadLetter) as letters:
        assert [letter async for letter in letters] == []


class Fragile(Actor[Fill]):
    builds = 0

    def __init__(self) -> None:
        type(self).builds += 1
        if type(self).builds > 1:
            raise OSError("no disk")

    @handle
    def fill(self, message: Fill) -> None:
        raise ValueError


@simulated(seeds=range(5))
async def test_r22_a_start_that_fails_at_once_for_ever_does_not_hold_the_loop() -> None:
    Fragile.builds = 0
    never = OneForOne(max_restarts=10**9, within=5.0)
    tree = Supervisor(name="s", strategy=never, children=[Child(Fragile, name="f")])
    async with System(tree=tree, clock=clock) as it:
        it.find(Fragile, "s/f").tell(Fill())
        for _ in range(100):
            await asyncio.sleep(0)

        assert Fragile.builds > 2
        await it.supervisor("s").stop_child("f")
        await settled()

        assert it.supervisor("s").count().active == 0
