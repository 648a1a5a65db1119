"""Durable tickers: one ring per beat, over failures, restarts, kills, and clocks that are set."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.beat import Missed
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MessageParked
from choragus.actors.message import Request
from choragus.actors.testing import crash, faults
from choragus.actors.testing.loop import clock as virtual
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Parking
from choragus.supervision.spec import Region
from choragus.supervision.system import System
from choragus.supervision.testing import crashing as surviving

from .noted import Noted
from .stores import Reopen, on_each_store, pause, settle, wall

Crashing = Callable[[System], AbstractAsyncContextManager[System]]


@stored("test.ticker.tick")
@frozen
class Tick(Request[None]):
    """Set a ticker."""

    name: str = "t"
    text: str = "tick"
    every: float = 10.0
    missed: Missed = "once"
    after: float | None = None


@stored("test.ticker.do")
@frozen
class Do(Request[None]):
    """Cancel, or end, after so many seconds."""

    what: str
    name: str = "t"
    hold: float = 0.0


@stored("test.ticker.ring")
@frozen
class Ring:
    text: str


@stored("test.ticker.heard")
@frozen
class Heard(Request[list[float]]):
    pass


@stored("test.ticker.times")
@define
class Times:
    times: list[float] = attrs.field(factory=list)


class Clock(DurableActor[Times, Tick | Do | Ring | Heard], name="test.ticker.clock"):
    @handle
    def tick(self, message: Tick) -> None:
        ring = Ring(message.text)
        self.ticker(message.name, ring, every=message.every, missed=message.missed, after=message.after)

    @handle
    async def do(self, message: Do) -> None:
        await asyncio.sleep(message.hold)
        if message.what == "cancel":
            self.cancel_timer(message.name)
        if message.what == "end":
            self.end()

    @handle
    async def ring(self, message: Ring) -> None:
        self.state.times.append(self.now)
        RUNG.note((message.text, self.now))
        if message.text == "slow":
            await asyncio.sleep(0.7)
        if message.text == "last":
            self.cancel_timer("t")
        if message.text == "end":
            self.end()
        if FAIL(self.now):
            raise ValueError("no")

    @handle
    def heard(self, message: Heard) -> list[float]:
        return self.state.times

    def on_parked(self, message: object, parking: Parking) -> None:
        PARKED.note(message)


RUNG: Noted[tuple[str, float]] = Noted()
"""What rang, outside every turn, and when."""
PARKED: Noted[object] = Noted()
FAIL: Callable[[float], bool] = lambda now: False  # noqa: E731  # replaced by tests


@pytest.fixture(autouse=True)
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], bool]], None]:
    """Say when a ring fails."""

    def when(fail: Callable[[float], bool]) -> None:
        monkeypatch.setitem(globals(), "FAIL", fail)

    when(lambda now: False)
    return when


def open_system(store: Store, clock: Callable[[], float] = virtual, attempts: int = 1) -> System:
    RUNG.forget()
    PARKED.forget()
    return System(store=store, actors=[Region(Clock, attempts=attempts)], clock=clock)


def seconds(began: float) -> list[float]:
    """When it rang, since then."""
    return [round(at - began, 1) for _, at in RUNG]


async def asked(system: System, *messages: Tick | Do) -> float:
    """Ask this of the actor, and give the time."""
    for message in messages:
        await system.ref(Clock, "a").ask(message, timeout=1000.0)
    return system.kernel.clock()


@simulated(seeds=range(3))
async def test_a_ticker_keeps_its_beat_however_long_its_handler_takes() -> None:
    async with open_system(MemoryStore()) as system:
        began = await asked(system, Tick(text="slow", every=1.0))
        await asyncio.sleep(1000.5)

        assert seconds(began) == list(range(1, 1001))


@simulated(seeds=range(3))
async def test_a_handler_slower_than_the_beat_leaves_beats_out() -> None:
    async with open_system(MemoryStore()) as system:
        began = await asked(system, Tick(text="slow", every=0.5))
        await asyncio.sleep(3.0)

        assert seconds(began) == [0.5, 1.2, 1.9, 2.6]


@simulated(seeds=range(3))
async def test_the_first_ring_comes_when_it_is_said_to() -> None:
    async with open_system(MemoryStore()) as system:
        began = await asked(system, Tick(after=0.0), Tick(name="late", after=25.0))
        await asyncio.sleep(46)

        assert seconds(began) == [0, 10, 20, 25, 30, 35, 40, 45]


DOWN = [("once", 45.0, [45.0, 50.0]), ("skip", 45.0, [50.0]), ("all", 45.0, [45.0] * 4 + [50.0])]


@pytest.mark.parametrize(("missed", "down", "expected"), DOWN, ids=["once", "skip", "all"])
@on_each_store(seeds=range(3))
async def test_what_was_missed_while_closed_is_rung_as_wanted_and_then_on_the_beat(
    missed: Missed, down: float, expected: list[float], reopen: Reopen, crashing: Crashing
) -> None:
    began = now = wall()
    async with crashing(open_system(await reopen(), lambda: now)) as system:
        await asked(system, Tick(missed=missed))
    now += down
    async with open_system(await reopen(), lambda: now) as system:
        while await system.kernel.store.next_due(now) is None:
            await pause()
        rung = seconds(began)
    now = began + 50  # due just when it is opened: not missed
    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1)
        await settle()

        assert rung + seconds(began) == expected
        assert [round(at - began, 1) for at in await system.ref(Clock, "a").ask(Heard())] == expected


@on_each_store(seeds=range(2))
async def test_all_is_bounded_to_the_latest_thousand(reopen: Reopen, crashing: Crashing) -> None:
    now = wall()
    async with crashing(open_system(await reopen(), lambda: now)) as system:
        await asked(system, Tick(missed="all", every=1.0))
    now += 1_000_000

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1000)
        await settle()

        assert len(RUNG) == 1000


@pytest.mark.parametrize("point", ["before commit", "after commit"])
@simulated(seeds=range(3))
async def test_killed_between_a_ring_and_the_next_each_beat_rings_once(point: str) -> None:
    store = MemoryStore()
    async with open_system(store) as system:
        began = await asked(system, Tick())
    for number in range(8):
        with faults(crash(point, skip=number % 3)):  # type: ignore[arg-type]  # one of the two points
            async with surviving(open_system(store)) as system:
                await asyncio.sleep(13)
    async with open_system(store) as system:
        await asyncio.sleep(30)
        times = [at - began for at in await system.ref(Clock, "a").ask(Heard())]

    beats = [int(at // 10) for at in times]
    assert beats == sorted(set(beats))
    assert beats == list(range(1, beats[-1] + 1))


@on_each_store(seeds=range(3))
async def test_setting_again_replaces_also_by_a_plain_timers_name(reopen: Reopen) -> None:
    now = wall()
    async with open_system(await reopen(), lambda: now) as system:
        await asked(system, Tick(text="old", after=0.0, every=1e6), Tick(text="older", after=5.0), Tick(text="new"))
        RUNG.forget()
    now += 11

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1)
        await settle()
        assert [text for text, _ in RUNG] == ["new"]


@simulated(seeds=range(3))
async def test_r43_a_cancelled_ticker_rings_no_more_also_when_it_waits_in_the_mailbox() -> None:
    async with open_system(MemoryStore()) as system:
        await asked(system, Tick(), Do("cancel", hold=15))
        await asyncio.sleep(50)

        assert RUNG == []


@simulated(seeds=range(3))
async def test_a_ring_may_be_its_last() -> None:
    store = MemoryStore()
    async with open_system(store) as system:
        await asked(system, Tick(text="last"))
        await asyncio.sleep(50)

        assert len(RUNG) == 1
    assert store._mail == {}


@simulated(seeds=range(3))
async def test_a_ring_that_fails_is_tried_again_and_does_not_lose_the_beat(
    fails: Callable[[Callable[[float], bool]], None],
) -> None:
    async with open_system(MemoryStore(), attempts=3) as system:
        began = await asked(system, Tick(missed="skip"))
        fails(lambda now: now < began + 10.05)
        await asyncio.sleep(31)

        times = await system.ref(Clock, "a").ask(Heard())
        assert len(RUNG) > len(times)
        assert [int((at - began) // 10) for at in times] == [1, 2, 3]
        assert PARKED == []


@simulated(seeds=range(3))
async def test_a_ring_that_was_tried_before_a_reopening_is_tried_again_even_with_skip(
    fails: Callable[[Callable[[float], bool]], None],
) -> None:
    store = MemoryStore()
    async with open_system(store, attempts=100) as system:
        began = await asked(system, Tick(missed="skip"))
        fails(lambda now: now < began + 11)
        await asyncio.sleep(10.01)
        assert len(RUNG) > 0
    await asyncio.sleep(3)

    async with open_system(store, attempts=100) as system:
        await asyncio.sleep(4)
        assert [int((at - began) // 10) for at in await system.ref(Clock, "a").ask(Heard())] == [1]


@on_each_store(seeds=range(3))
async def test_a_ring_that_is_parked_is_followed_by_the_next(
    reopen: Reopen, fails: Callable[[Callable[[float], bool]], None]
) -> None:
    began = now = wall()
    fails(lambda now: now < began + 15)
    async with open_system(await reopen(), lambda: now) as system:
        await asked(system, Tick(after=0.0))
        await PARKED.reaches(1)
    now += 20

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1)
        (parked,) = await system.kernel.store.parked()
        assert await system.kernel.store.requeue(parked.envelope.receiver, parked.envelope.id)
        await RUNG.reaches(2)
        await settle()
        assert seconds(began) == [20, 20]
    now += 10

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1)
        await settle()
        assert seconds(began) == [30]
        assert (await system.kernel.store.verify()).problems == ()


@simulated(seeds=range(3))
async def test_a_ticker_that_is_cancelled_does_not_come_back_with_a_requeued_ring(
    fails: Callable[[Callable[[float], bool]], None],
) -> None:
    store = MemoryStore()
    async with open_system(store) as system:
        began = await asked(system, Tick())
        fails(lambda now: now < began + 15)
        await asyncio.sleep(11)
        await asked(system, Do("cancel"))
        await asyncio.sleep(5)
        (parked,) = await store.parked()
        await store.requeue(parked.envelope.receiver, parked.envelope.id)
        await asyncio.sleep(50)

        assert len(RUNG) == 2
        assert store._mail == {}


@pytest.mark.parametrize("text", ["end", "tick"])
@simulated(seeds=range(3))
async def test_a_ticker_ends_with_its_actor_and_leaves_nothing_parked(text: str) -> None:
    store = MemoryStore()
    async with open_system(store) as system:
        await asked(system, Tick(text=text), *([Do("end")] if text == "tick" else []))
        await asyncio.sleep(50)

        assert len(RUNG) == (text == "end")
    assert (await store.parked(), store._mail) == ([], {})


@simulated(seeds=range(3))
async def test_a_clock_set_back_does_not_stop_a_ticker_for_long() -> None:
    shift = 0.0
    async with open_system(MemoryStore(), lambda: virtual() + shift) as system:
        began = await asked(system, Tick(), Tick(name="far", text="far", after=100.0))
        await asyncio.sleep(21)
        shift = -1_000_000.0
        await asyncio.sleep(30)
        rung = [round(at - began + (1_000_000 if number > 1 else 0)) for number, (_, at) in enumerate(RUNG)]
        assert rung == [10, 20, 30, 40, 50]
        await asyncio.sleep(72)  # the first ring of `far` waits anew

        assert [text for text, _ in RUNG].count("far") == 1


@on_each_store(seeds=range(3))
async def test_a_clock_set_back_between_two_openings_does_not_stop_a_ticker(reopen: Reopen) -> None:
    began = now = wall()
    async with open_system(await reopen(), lambda: now) as system:
        await asked(system, Tick())
    now -= 10_004
    async with open_system(await reopen(), lambda: now) as system:
        due = math.inf
        while due > now + 10:
            await pause()
            due = await system.kernel.store.next_due(now) or math.inf
    now += 5

    async with open_system(await reopen(), lambda: now) as system:
        await RUNG.reaches(1)
        await settle()
        assert seconds(began) == [-9999]


@simulated(seeds=range(3))
async def test_a_clock_set_back_a_little_rings_no_beat_twice() -> None:
    shift = 0.0
    async with open_system(MemoryStore(), lambda: virtual() + shift) as system:
        began = await asked(system, Tick())
        await asyncio.sleep(20.01)
        shift = -0.5
        await asyncio.sleep(20)

        assert [round((at - began) / 10) for _, at in RUNG] == [1, 2, 3]


@pytest.mark.parametrize("missed", ["once", "skip", "all"])
@simulated(seeds=range(3))
async def test_a_clock_set_forward_brings_no_storm(missed: Missed) -> None:
    shift = 0.0
    async with open_system(MemoryStore(), lambda: virtual() + shift) as system:
        await asked(system, Tick(missed=missed))
        await asyncio.sleep(21)
        shift = 1_000_000.0
        await asyncio.sleep(60)

        assert len(RUNG) == {"once": 2 + 1 + 6, "skip": 2 + 6, "all": 2 + 1000 + 6}[missed]


@simulated(seeds=range(3))
async def test_skip_goes_on_after_the_clock_was_set_back() -> None:
    shift = 0.0
    async with open_system(MemoryStore(), lambda: virtual() + shift) as system:
        await asked(system, Tick(missed="skip"))
        shift = -1_000_000.0
        await asyncio.sleep(51)

        assert len(RUNG) == 5


BAD: list[tuple[dict[str, object], str]] = [
    ({"every": 0.0}, r"every=0\.0 for ticker 't' of .*: give seconds, 0\.001 or more"),
    ({"every": math.inf}, "every=inf for ticker"),
    ({"every": math.nan}, "every=nan for ticker"),
    ({"every": 1.0, "after": -1.0}, r"after=-1\.0 for ticker 't' of .*: give seconds, 0 or more"),
    ({"every": 1.0, "after": math.nan}, "after=nan for ticker"),
    ({"every": 1.0, "missed": "never"}, "missed='never' for ticker 't' of .*: give one of once, skip, all"),
    ({"every": 1.0, "name": ""}, "needs a name"),
]


@pytest.mark.parametrize(("options", "why"), BAD)
@simulated(seeds=[0])
async def test_a_ticker_that_makes_no_sense_fails_the_turn(options: dict[str, object], why: str) -> None:
    class Bad(DurableActor[Times, Tick], name="test.ticker.bad"):
        @handle
        def tick(self, message: Tick) -> None:
            self.ticker(**{"name": "t", "message": Ring("x"), **options})  # type: ignore[arg-type]  # what a user may write

    async with System(actors=[Region(Bad, attempts=1)]) as system:
        with pytest.raises(MessageParked, match=why):
            await system.ref(Bad, "a").ask(Tick())
