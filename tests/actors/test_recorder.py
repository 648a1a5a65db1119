"""The flight recorder: what was handled last."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.actors.trace import RECORDED, Handled, Trace
from choragus.supervision.system import System

from .desk import BACKOFF, Ask, Note

SEEDS = range(5)


class Sleeper(Actor[Note]):
    """Sleeps for so many seconds, and fails when that is odd."""

    async def on_start(self) -> None:
        self.timer("timer", Note("0"), after=100.0)

    @handle
    async def note(self, message: Note) -> None:
        await asyncio.sleep(float(message.text))
        if float(message.text) % 2:
            raise ValueError


class Sender(Actor[Ask]):
    def __init__(self, to: Ref[Note]) -> None:
        self.to = to

    @handle
    def ask(self, message: Ask) -> str:
        self.to.tell(Note(message.text))
        return "sent"


@simulated(seeds=SEEDS)
async def test_it_says_who_handled_what_from_whom_when_and_for_how_long() -> None:
    async with System(clock=clock) as system:
        sleeper = await system.spawn(Sleeper, name="sleeper")
        sender = await system.spawn(Sender, sleeper, name="sender")
        await asyncio.sleep(1.0)

        await sender.ask(Ask("4"))
        await asyncio.sleep(5.0)

        assert system.recent() == (
            Handled("sender", "Ask", "", 1.0, 0.0),
            Handled("sleeper", "Note", "sender", 1.0, 4.0),
        )


@simulated(seeds=SEEDS)
async def test_a_failure_is_recorded_with_its_error() -> None:
    async with System(clock=clock, strategy=BACKOFF) as system:
        sleeper = await system.spawn(Sleeper, name="sleeper")

        sleeper.tell(Note("3"))
        await asyncio.sleep(4.0)

        assert system.recent() == (Handled("sleeper", "Note", "", 0.0, 3.0, "ValueError"),)


@simulated(seeds=SEEDS)
async def test_a_timers_message_is_recorded_under_its_own_name() -> None:
    async with System(clock=clock) as system:
        await system.spawn(Sleeper, name="sleeper")

        await asyncio.sleep(101.0)

        assert [handled.message for handled in system.recent()] == ["Note"]


@simulated(seeds=SEEDS)
async def test_it_gives_the_last_of_one_actor_or_of_all() -> None:
    async with System(clock=clock) as system:
        for name in "ab":
            ref = await system.spawn(Sleeper, name=name)
            for _ in range(3):
                ref.tell(Note("0"))
            await settled()

        assert [handled.actor for handled in system.recent()] == list("aaabbb")
        assert [handled.actor for handled in system.recent(4)] == list("abbb")
        assert [handled.actor for handled in system.recent(2, "a")] == ["a", "a"]
        assert system.recent(path="nobody") == ()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, math.inf, "x"])
@simulated(seeds=range(1))
async def test_a_number_of_records_that_is_none_is_refused(n: int) -> None:
    async with System(clock=clock) as system:
        with pytest.raises(ValueError, match=r"^recent\(.*\): give how many records, 1 or more; 4,096 are kept$"):
            system.recent(n)


def test_before_the_system_runs_there_is_nothing_to_ask() -> None:
    with pytest.raises(RuntimeError, match=r"^this System does not run yet"):
        System().recent()


def test_the_ring_is_bounded() -> None:
    trace = Trace()

    for number in range(RECORDED + 10):
        trace.record((str(number), int, "", 0.0, 0.0))

    assert len(trace.recent(10_000, None)) == RECORDED
    assert trace.recent(1, None)[0].actor == str(RECORDED + 9)


@frozen
class Heavy:
    """What must not be kept."""


@simulated(seeds=range(1))
async def test_records_keep_no_actor_and_no_message_alive() -> None:
    class Taker(Actor[Heavy]):
        @handle
        def take(self, message: Heavy) -> None:
            held.append(weakref.ref(self))

    held: list[weakref.ref[object]] = []
    async with System(clock=clock) as system:
        taker = await system.spawn(Taker, name="taker")
        message = Heavy()
        held.append(weakref.ref(message))

        taker.tell(message)
        del message
        await settled()
        await system.supervisor().stop_child("taker")
        del taker

        gc.collect()
        assert len(system.recent()) == 1
        assert [one() for one in held] == [None, None]


@simulated(seeds=SEEDS)
async def test_the_record_of_a_failure_is_names_and_numbers() -> None:
    async with System(clock=clock, strategy=BACKOFF) as system:
        sleeper = await system.spawn(Sleeper, name="sleeper")
        sleeper.tell(Note("3"))
        await asyncio.sleep(4.0)

        kinds = {type(part) for record in system.kernel.trace._ring for part in record}

        assert kinds == {str, float}
