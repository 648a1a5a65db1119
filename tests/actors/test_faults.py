"""Faults on purpose: at commits, before effects, and to messages on their way."""

from __future__ import annotations

import asyncio

import pytest
from attrs import define, frozen

from choragus.actors import fault
from choragus.actors.actor import Actor
from choragus.actors.cell import Cell
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.errors import AskTimeout, SystemStopped
from choragus.actors.fault import Point
from choragus.actors.message import EffectFailed, Request
from choragus.actors.testing.faults import crash, delay, drop, fail, faults, late
from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System
from choragus.supervision.testing.crash import crashing, watch

SEEDS = range(8)


@stored("test.faults.add")
@frozen
class Add(Request[int]):
    amount: int = 1


@stored("test.faults.call")
@frozen
class Call:
    pass


@stored("test.faults.total")
@define
class Total:
    amount: int = 0
    heard: str = ""


class Counter(DurableActor[Total, Add | Call], name="test.faults.counter"):
    @handle
    def add(self, message: Add) -> int:
        self.state.amount += message.amount
        return self.state.amount

    @handle
    def call(self, message: Call) -> None:
        self.effect("ring", Add(), then=self.rang, on_interrupt=OnInterrupt.UNKNOWN)

    @reply
    def rang(self, message: object) -> None:
        self.state.heard = type(message).__name__
        HEARD.append(message)


HEARD: list[object] = []


async def ring(request: object, context: EffectContext) -> object:
    return Add()


def counting(store: Store) -> System:
    return System(store=store, actors=[Counter], runners={"ring": ring}, clock=clock)


@pytest.mark.parametrize(("point", "kept"), [("before commit", 0), ("after commit", 5)])
@simulated(seeds=SEEDS)
async def test_a_crash_before_the_commit_loses_the_message_and_one_after_it_keeps_it(point: Point, kept: int) -> None:
    store = MemoryStore()
    async with crashing(counting(store)) as system:
        counter = system.ref(Counter, "a")
        await counter.ask(Add(0))
        with faults(crash(point)) as happened, pytest.raises(SystemStopped):
            await counter.ask(Add(5))

    assert len(happened) == 1
    async with counting(store) as system:
        assert await system.ref(Counter, "a").ask(Add(0)) == kept


@simulated(seeds=SEEDS)
async def test_a_commit_that_fails_ends_the_system() -> None:
    with faults(fail("before commit", OSError("the disk is gone"))), pytest.raises(SystemFailed) as failed:
        async with counting(MemoryStore()) as system:
            await system.ref(Counter, "a").ask(Add())

    assert [str(error) for error in failed.value.exceptions] == ["the disk is gone"]


@simulated(seeds=SEEDS)
async def test_a_slow_disk_only_takes_time() -> None:
    with faults(delay("before commit", 2.0)):
        async with counting(MemoryStore()) as system:
            await system.ref(Counter, "a").ask(Add(0))
            began = clock()

            assert await system.ref(Counter, "a").ask(Add(3)) == 3
            assert clock() - began in (2.0, 4.0)  # the message and its turn together, or one by one


@simulated(seeds=SEEDS)
async def test_an_effect_that_fails_before_it_starts_is_told_to_its_actor() -> None:
    HEARD.clear()
    with faults(fail("before effect", OSError("no line"))) as happened:
        async with counting(MemoryStore()) as system:
            system.ref(Counter, "a").tell(Call())
            while not HEARD:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    assert happened == ["before effect ring"]
    assert isinstance(HEARD[0], EffectFailed)
    assert HEARD[0].reason == "no line"


@frozen
class Note:
    number: int


@frozen
class Read(Request[tuple[int, ...]]):
    pass


class Log(Actor[Note | Read]):
    def __init__(self) -> None:
        self.numbers: list[int] = []

    @handle
    def note(self, message: Note) -> None:
        self.numbers.append(message.number)

    @handle
    def read(self, message: Read) -> tuple[int, ...]:
        return tuple(self.numbers)


@simulated(seeds=SEEDS)
async def test_messages_are_dropped_and_come_late() -> None:
    second = late(lambda path, message: message == Note(2), 10.0)
    third = drop(lambda path, message: path == "log" and message == Note(3))
    async with System() as system:
        log = await system.spawn(Log, name="log")

        with faults(second, third) as happened:
            for number in range(5):
                log.tell(Note(number))

        assert happened == ["late log Note(number=2)", "dropped log Note(number=3)"]
        assert await log.ask(Read()) == (0, 1, 4)
        await asyncio.sleep(10.1)
        assert await log.ask(Read()) == (0, 1, 4, 2)


@simulated(seeds=SEEDS)
async def test_who_asks_a_message_that_is_lost_waits_until_the_timeout() -> None:
    async with System() as system:
        log = await system.spawn(Log)
        with faults(drop(lambda path, message: isinstance(message, Read))), pytest.raises(AskTimeout):
            await log.ask(Read())


@simulated(seeds=[0])
async def test_afterwards_nothing_is_left_of_it() -> None:
    put = Cell.put
    with faults(drop(lambda path, message: True)):
        assert Cell.put is not put
        with pytest.raises(RuntimeError, match=r"^faults\(\) is on already"), faults():
            raise AssertionError

    assert Cell.put is put
    assert fault.hook is None


@simulated(seeds=[0])
async def test_crashing_lets_another_failure_out_and_watch_sees_events() -> None:
    with pytest.raises(SystemFailed, match=r"^the system ended: kernel"):  # noqa: PT012
        async with crashing(counting(MemoryStore())) as system:
            events = watch(system)
            system.kernel.fail(OSError("of its own"))
    assert events == []
