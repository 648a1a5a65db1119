"""A send waits for room, but not for ever."""

from __future__ import annotations

import asyncio
import math

import attrs
import pytest

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import SendTimeout
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.system import System

SEEDS = range(5)


@attrs.frozen
class Wait:
    """Keep the actor busy for so many seconds."""

    seconds: float


@attrs.frozen
class Note:
    """Written down."""

    text: str


@attrs.frozen
class Read(Request[list[str]]):
    """What was written?"""


class Desk(Actor[Wait | Note | Read]):
    def __init__(self) -> None:
        self.notes: list[str] = []

    @handle
    async def wait(self, message: Wait) -> None:
        await asyncio.sleep(message.seconds)

    @handle
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @handle
    def read(self, message: Read) -> list[str]:
        return self.notes


async def full(system: System, seconds: float) -> Ref[Wait | Note | Read]:
    """A desk that is busy for so long, and has no room."""
    desk = await system.spawn(Desk, name="desk", mailbox=1)
    desk.tell(Wait(seconds))
    await settled()
    desk.tell(Note("first"))
    return desk


@simulated(seeds=SEEDS)
async def test_a_send_that_finds_no_room_in_time_says_so_and_is_not_sent() -> None:
    loop = asyncio.get_running_loop()
    async with System() as system:
        desk = await full(system, 100.0)

        with pytest.raises(SendTimeout, match=r"^desk did not take Note within 5 s: send less, give its mailbox more"):
            await desk.send(Note("late"), timeout=5.0)

        assert loop.time() == 5.0
        await asyncio.sleep(100)
        assert await desk.ask(Read()) == ["first"]


@simulated(seeds=SEEDS)
async def test_by_default_it_waits_for_a_minute() -> None:
    loop = asyncio.get_running_loop()
    async with System() as system:
        desk = await full(system, 100.0)

        with pytest.raises(SendTimeout):
            await desk.send(Note("late"))

        assert loop.time() == 60.0


@simulated(seeds=SEEDS)
async def test_without_a_limit_it_waits_as_long_as_it_takes() -> None:
    async with System() as system:
        desk = await full(system, 10_000.0)

        await desk.send(Note("second"), timeout=math.inf)

        assert await desk.ask(Read()) == ["first", "second"]


@simulated(seeds=SEEDS)
async def test_a_timeout_of_an_own_scope_stays_its_own() -> None:
    async with System() as system:
        desk = await full(system, 100.0)

        with pytest.raises(TimeoutError) as timed_out:
            async with asyncio.timeout(3.0):
                await desk.send(Note("late"), timeout=5.0)

        assert not isinstance(timed_out.value, SendTimeout)


@pytest.mark.parametrize("timeout", [0, -1, math.nan])
@simulated()
async def test_a_limit_that_is_none_is_refused(timeout: float) -> None:
    async with System() as system:
        desk = await system.spawn(Desk, name="desk")

        with pytest.raises(ValueError, match=r"^timeout=.* for sending to desk: give seconds above 0$"):
            await desk.send(Note("now"), timeout=timeout)
