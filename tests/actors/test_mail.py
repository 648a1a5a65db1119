"""Telling, sending and asking volatile actors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Never

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorStopped, AskTimeout, MailboxFull, SystemStopped, Unhandled
from choragus.actors.event import DeadLetter, Event
from choragus.actors.local_ref import LocalRef
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.system import System

Watch = Callable[[System], list[Event]]


@frozen
class Add(Request[int]):
    amount: int


@frozen
class Seen(Request[list[int]]):
    pass


@frozen
class Block:
    pass


@frozen
class Other:
    pass


class Counter(Actor[Add | Seen | Block]):
    """Adds up, and can be held."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.seen: list[int] = []
        self.gate = gate or asyncio.Event()
        self.inside = 0

    @handle
    async def add(self, message: Add) -> int:
        self.inside += 1
        assert self.inside == 1
        await asyncio.sleep(0)
        self.inside -= 1
        self.seen.append(message.amount)
        return sum(self.seen)

    @handle
    def look(self, message: Seen) -> list[int]:
        return list(self.seen)

    @handle
    async def block(self, message: Block) -> None:
        await self.gate.wait()


def depth(ref: Ref[Never]) -> int:
    assert isinstance(ref, LocalRef)
    return ref._cell.depth


async def test_ask_gives_the_handlers_reply() -> None:
    async with System() as system:
        counter = await system.spawn(Counter)

        assert await counter.ask(Add(2)) == 2
        assert await counter.ask(Add(3)) == 5


@simulated(seeds=range(5))
async def test_messages_of_one_sender_are_handled_in_order_and_one_at_a_time() -> None:
    async with System() as system:
        counter = await system.spawn(Counter)

        for number in range(1000):
            counter.tell(Add(number))

        assert await counter.ask(Seen()) == list(range(1000))


@simulated(seeds=range(5))
async def test_messages_that_are_sent_one_by_one_keep_their_order() -> None:
    async with System() as system:
        counter = await system.spawn(Counter, mailbox=2)

        for number in range(100):
            await counter.send(Add(number))

        await settled()
        assert depth(counter) == 0
        assert await counter.ask(Seen()) == list(range(100))


@pytest.mark.parametrize("way", ["tell", "send", "ask"])
async def test_a_message_without_a_handler_is_refused_at_the_call(way: str) -> None:
    async with System() as system:
        counter = await system.spawn(Counter, name="counter")

        with pytest.raises(Unhandled, match=r"^counter has no handler for Other: add a @handle method"):  # noqa: PT012  # telling, sending and asking alike
            result = getattr(counter, way)(Other())
            if way != "tell":
                await result


@simulated(seeds=range(5))
async def test_the_mailbox_bound_is_exact() -> None:
    gate = asyncio.Event()
    async with System() as system:
        counter = await system.spawn(Counter, gate, name="counter", mailbox=3)
        counter.tell(Block())
        await settled()
        for number in range(3):
            counter.tell(Add(number))

        with pytest.raises(MailboxFull, match=r"^counter has 3 messages waiting \(its limit\): use send, which waits$"):
            counter.tell(Add(3))
        with pytest.raises(AskTimeout):  # it waits for room, within its timeout
            await counter.ask(Add(3), timeout=3.0)
        gate.set()
        await settled()
        assert depth(counter) == 0
        assert await counter.ask(Seen()) == [0, 1, 2]


@simulated(seeds=range(5))
async def test_send_waits_for_room_and_is_let_in_message_by_message() -> None:
    gate = asyncio.Event()
    async with System() as system:
        counter = await system.spawn(Counter, gate, mailbox=1)
        counter.tell(Block())
        await settled()
        counter.tell(Add(1))
        senders: list[asyncio.Task[None]] = []
        for number in (2, 3, 4):
            senders.append(asyncio.create_task(counter.send(Add(number))))
            await settled()
        assert not any(sender.done() for sender in senders)

        gate.set()
        await asyncio.gather(*senders)

        await settled()
        assert depth(counter) == 0
        assert await counter.ask(Seen()) == [1, 2, 3, 4]


@simulated(seeds=range(5))
async def test_a_send_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    gate = asyncio.Event()
    async with System() as system:
        counter = await system.spawn(Counter, gate, mailbox=1)
        counter.tell(Block())
        await settled()
        counter.tell(Add(1))
        first, second = (asyncio.create_task(counter.send(Add(number))) for number in (2, 3))
        await settled()

        first.cancel()
        gate.set()
        await second

        await settled()
        assert depth(counter) == 0
        assert await counter.ask(Seen()) == [1, 3]


@simulated(seeds=range(5))
async def test_an_ask_times_out_and_its_late_reply_is_a_dead_letter(watch: Watch) -> None:
    gate = asyncio.Event()
    async with System() as system:
        events = watch(system)
        counter = await system.spawn(Counter, gate, name="counter")
        counter.tell(Block())

        with pytest.raises(AskTimeout, match=r"^counter did not answer Add within 2 s; it may still do so$"):
            await counter.ask(Add(7), timeout=2.0)
        gate.set()
        await settled()
        assert DeadLetter("counter", 7) in events


@simulated(seeds=range(5))
async def test_an_ask_that_is_cancelled_ends_at_once_and_its_reply_is_a_dead_letter(watch: Watch) -> None:
    gate = asyncio.Event()
    async with System() as system:
        events = watch(system)
        counter = await system.spawn(Counter, gate, name="counter")
        counter.tell(Block())
        asking = asyncio.create_task(counter.ask(Add(7)))
        await settled()

        asking.cancel()
        await asyncio.wait({asking})
        gate.set()

        await settled()
        assert DeadLetter("counter", 7) in events


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
async def test_an_ask_without_time_is_refused(timeout: float) -> None:
    async with System() as system:
        counter = await system.spawn(Counter, name="counter")

        with pytest.raises(ValueError, match=r"for asking counter: give seconds above 0$"):
            await counter.ask(Add(1), timeout=timeout)


async def test_a_key_is_for_durable_actors() -> None:
    async with System() as system:
        counter = await system.spawn(Counter, name="counter")

        with pytest.raises(ValueError, match=r"^counter keeps nothing on disk: key='k' is for durable actors$"):
            await counter.ask(Add(1), key="k")


async def test_r40_an_ask_of_a_stopped_actor_fails_at_once_and_names_it(watch: Watch) -> None:
    async with System() as system:
        events = watch(system)
        counter = await system.spawn(Counter, name="counter")
        await system._root.stop()

        with pytest.raises(ActorStopped, match=r"^counter has stopped"):
            await counter.ask(Add(1))
        with pytest.raises(ActorStopped, match=r"^counter has stopped"):
            await counter.send(Add(1))
        counter.tell(Add(1))
        assert events == [DeadLetter("counter", Add(1))]


@simulated(seeds=range(5))
async def test_r40_an_ask_that_waits_when_the_actor_stops_fails_and_tells_become_dead_letters(watch: Watch) -> None:
    gate = asyncio.Event()
    async with System() as system:
        events = watch(system)
        counter = await system.spawn(Counter, gate, name="counter", mailbox=2)
        counter.tell(Block())
        await settled()
        counter.tell(Add(1))
        asking = asyncio.create_task(counter.ask(Add(2)))
        sending = asyncio.create_task(counter.send(Add(3)))
        await settled()
        stopping = asyncio.create_task(system._root.stop())
        await settled()
        gate.set()
        await stopping

        with pytest.raises(ActorStopped):
            await asking
        with pytest.raises(ActorStopped):
            await sending
        assert DeadLetter("counter", Add(1)) in events


async def test_after_the_system_an_ask_says_so() -> None:
    async with System() as system:
        counter = await system.spawn(Counter, name="counter")

    with pytest.raises(SystemStopped, match=r"^the system has stopped; counter cannot be asked$"):
        await counter.ask(Add(1))


async def test_refs_are_equal_when_they_mean_the_same_actor() -> None:
    async with System() as system:
        counter = await system.spawn(Counter, name="counter")
        other = await system.spawn(Counter, name="other")

        assert system.find(Counter, "counter") == counter
        assert hash(system.find(Counter, "counter")) == hash(counter)
        assert counter != other
        assert repr(counter) == "<Ref counter>"
        assert depth(counter) == 0


async def test_a_subscriber_that_fails_harms_nobody(watch: Watch) -> None:
    async with System() as system:

        def broken(event: object) -> None:
            raise RuntimeError("no")

        system.events.subscribe(broken)
        events = watch(system)
        counter = await system.spawn(Counter, name="counter")
        await system._root.stop()

        counter.tell(Add(1))

        assert events == [DeadLetter("counter", Add(1))]
