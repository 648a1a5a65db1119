"""Durable timers: set, replaced, taken back, and kept over a reopening."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MessageParked
from choragus.actors.message import Request
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.supervision.spec import Region
from choragus.supervision.system import System

Until = Callable[[Callable[[], object]], Awaitable[None]]
Reopen = Callable[[], Awaitable[Store]]
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
        RUNG.append(message.text)

    @handle
    def heard(self, message: Heard) -> list[str]:
        return self.state.lines


RUNG: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    RUNG.clear()


def open_system(store: Store) -> System:
    return System(store=store, actors=[Region(Clock, attempts=1)])


async def test_timers_ring_in_the_order_of_their_times(reopen: Reopen, until: Until) -> None:
    async with open_system(await reopen()) as system:
        await system.ref(Clock, "a").ask(Set((("x", "first", 0.15), ("y", "second", 0.25), ("z", "at once", 0.0))))

        await until(lambda: len(RUNG) == 3)

        assert RUNG == ["at once", "first", "second"]
        assert await system.ref(Clock, "a").ask(Heard()) == RUNG


async def test_setting_a_name_again_replaces_it(reopen: Reopen, until: Until) -> None:
    async with open_system(await reopen()) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 0.2), ("x", "two", 0.2))))
        await clock.ask(Set((("x", "three", 0.03),)))

        await until(lambda: RUNG)
        await asyncio.sleep(0.2)

        assert await clock.ask(Heard()) == ["three"]


async def test_timers_are_taken_back_before_and_after_they_are_set(until: Until) -> None:
    async with open_system(MemoryStore()) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 0.1), ("y", "two", 0.1))))
        await clock.ask(Set((("x", "three", 0.01), ("z", "four", 0.01)), before=("x", "y", "nothing"), after=("z",)))
        await until(lambda: RUNG)
        await asyncio.sleep(0.12)

        assert await clock.ask(Heard()) == ["three"]


async def test_r43_a_cancelled_timer_that_is_already_queued_is_not_delivered(until: Until) -> None:
    async with open_system(MemoryStore()) as system:
        clock = system.ref(Clock, "a")
        await clock.ask(Set((("x", "one", 0.2), ("y", "two", 0.2))))

        await clock.ask(Set(after=("x",), hold=0.3))
        await until(lambda: RUNG)

        assert await clock.ask(Heard()) == RUNG == ["two"]


async def test_a_timer_survives_a_crash_and_rings_late_rather_than_never(
    reopen: Reopen, crashing: Crashing, until: Until
) -> None:
    async with crashing(open_system(await reopen())) as system:
        await system.ref(Clock, "a").ask(Set((("x", "due", 0.05), ("y", "later", 0.6))))
    await asyncio.sleep(0.06)
    assert RUNG == []

    async with open_system(await reopen()) as system:
        await until(lambda: RUNG)
        await until(lambda: RUNG == ["due", "later"])


async def test_a_timer_that_a_visitor_put_wakes_its_actor(until: Until) -> None:
    from choragus.actors.recovery import KEEPER
    from choragus.mailbox.address import actor_id
    from choragus.mailbox.codec import encode
    from choragus.mailbox.turn import Envelope

    store = MemoryStore()
    async with open_system(store) as system:
        due = system.kernel.clock() + 0.08
        visitor = Envelope(
            id="v#1", receiver=actor_id("test.timer.clock", "a"), sender=KEEPER, record=encode(Ring("hello")), due=due
        )
        await store.append([visitor])

        await until(lambda: RUNG == ["hello"])
        assert system.kernel.clock() >= due


@pytest.mark.parametrize("after", [float("nan"), float("inf")])
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
