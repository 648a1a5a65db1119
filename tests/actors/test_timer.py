"""Durable timers: set, replaced, taken back, and kept over a reopening."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MessageParked
from choragus.actors.message import Request
from choragus.actors.testing.loop import clock as virtual
from choragus.actors.testing.loop import running
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .noted import Noted
from .stores import Reopen, on_each_store, wall

Crashing = Callable[[System], AbstractAsyncContextManager[System]]


@stored("test.timer.set")
@frozen
class Set(Request[None]):
    """Timers to set, as (name, text, after), and names to take back before or after that."""

    timers: tuple[tuple[str, str, float], ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    hold: float = 0.0


@stored("test.timer.ring")
@frozen
class Ring:
    text: str


@stored("test.timer.heard")
@frozen
class Heard(Request[list[str]]):
    pass


@stored("test.timer.notes")
@define
class Notes:
    lines: list[str] = attrs.field(factory=list)


class Clock(DurableActor[Notes, Set | Ring | Heard], name="test.timer.clock"):
    @handle
    async def set(self, message: Set) -> None:
        for name in message.before:
            self.cancel_timer(name)
        for name, text, after in message.timers:
            self.timer(name, Ring(text), after=after)
        for name in message.after:
            self.cancel_timer(name)
        await asyncio.sleep(message.hold)

    @handle
    def ring(self, message: Ring) -> None:
        self.state.lines.append(message.text)
        RUNG.note(message.text)

    @handle
    def heard(self, message: Heard) -> list[str]:
        return self.state.lines


RUNG: Noted[str] = Noted()
"""What rang, outside every turn."""


def open_system(store: Store, clock: Callable[[], float] = virtual) -> System:
    return System(store=store, actors=[Region(Clock, attempts=1)], clock=clock)


@simulated(seeds=range(5))
async def test_timers_ring_in_the_order_of_their_times() -> None:
    RUNG.forget()
    async with open_system(MemoryStore()) as system:
        began = running().time()
        await system.ref(Clock, "a").ask(Set((("x", "second", 25.0), ("y", "first", 15.0), ("z", "at once", 0.0))))
        rang: list[float] = []

        for number in (1, 2, 3):
            await RUNG.reaches(number)
            rang.append(running().time() - began)

        assert rang == pytest.approx([0, 15, 25], abs=0.01)
        assert await system.ref(Clock, "a").ask(Heard()) == RUNG == ["at once", "first", "second"]


@on_each_store()
async def test_setting_a_name_again_replaces_it(reopen: Reopen) -> None:
    RUNG.forget()
    now = wall()
    async with open_system(await reopen(), lambda: now) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 20.0), ("x", "two", 20.0))))
        await clock.ask(Set((("x", "three", 3.0), ("y", "last", 30.0))))
    now += 60

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(2)
        assert await system.ref(Clock, "a").ask(Heard()) == ["three", "last"]


@simulated(seeds=range(3))
async def test_timers_are_taken_back_before_and_after_they_are_set() -> None:
    RUNG.forget()
    async with open_system(MemoryStore()) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 100.0), ("y", "two", 100.0))))
        await clock.ask(Set((("x", "three", 10.0), ("z", "four", 10.0)), before=("x", "y", "nothing"), after=("z",)))
        await asyncio.sleep(120)

        assert await clock.ask(Heard()) == ["three"]


@simulated(seeds=range(3))
async def test_r43_a_cancelled_timer_that_is_already_queued_is_not_delivered() -> None:
    RUNG.forget()
    async with open_system(MemoryStore()) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 10.0), ("y", "two", 10.0))))

        await clock.ask(Set(after=("x",), hold=20.0))
        await asyncio.sleep(10)

        assert await clock.ask(Heard()) == RUNG == ["two"]


@simulated(seeds=range(3))
async def test_a_timer_rings_when_the_clock_is_set_forward_past_it() -> None:
    RUNG.forget()
    jump = 0.0
    async with open_system(MemoryStore(), lambda: wall() + jump) as system:
        await system.ref(Clock, "a").ask(Set((("x", "one", 3600.0),)))

        jump = 3600.0
        await asyncio.sleep(0.1)

        assert RUNG == ["one"]


@on_each_store()
async def test_a_timer_survives_a_crash_and_rings_late_rather_than_never(reopen: Reopen, crashing: Crashing) -> None:
    RUNG.forget()
    now = wall()

    async with crashing(open_system(await reopen(), lambda: now)) as system:
        await system.ref(Clock, "a").ask(Set((("x", "due", 50.0), ("y", "later", 600.0))))
    now += 60
    assert RUNG == []

    async with open_system(await reopen(), lambda: now):
        await RUNG.reaches(1)
        assert RUNG == ["due"]
    now += 600
    async with open_system(await reopen(), lambda: now):
        await RUNG.reaches(2)
        assert RUNG == ["due", "later"]


@simulated(seeds=range(3))
async def test_a_timer_that_a_visitor_put_wakes_its_actor() -> None:
    RUNG.forget()
    from choragus.actors.recovery import KEEPER
    from choragus.mailbox.address import actor_id
    from choragus.mailbox.codec import encode
    from choragus.mailbox.turn import Envelope

    store = MemoryStore()
    async with open_system(store):
        due = virtual() + 80
        visitor = Envelope(
            id="v#1", receiver=actor_id("test.timer.clock", "a"), sender=KEEPER, record=encode(Ring("hello")), due=due
        )
        await store.append([visitor])

        await asyncio.sleep(79.9)
        assert RUNG == []
        await asyncio.sleep(0.2)
        assert RUNG == ["hello"]


@pytest.mark.parametrize("after", [float("nan"), float("inf")])
@simulated(seeds=[0])
async def test_a_timer_needs_a_time(after: float) -> None:
    @stored("test.timer.odd")
    @frozen
    class Odd(Request[None]):
        pass

    class Bad(DurableActor[Notes, Odd], name="test.timer.bad"):
        @handle
        def odd(self, message: Odd) -> None:
            self.timer("x", Ring("x"), after=after)

    async with System(actors=[Region(Bad, attempts=1)]) as system:
        with pytest.raises(MessageParked, match=r"ValueError: after=(nan|inf) for timer 'x' of test\.timer\.bad/a"):
            await system.ref(Bad, "a").ask(Odd())
