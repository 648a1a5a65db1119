"""Steps of a handler: finished ones are not taken again, interrupted ones are never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from attrs import define, field, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MessageParked, StepUnknown
from choragus.actors.message import AskFailed, Request
from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import decode, encode, stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, OnInterrupt, Rejected
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .stores import Reopen, on_each_store

Crashing = Callable[[System], AbstractAsyncContextManager[System]]

ONCE = Backoff(first=0.001, most=0.001)
NOTHING = encode(None)


@stored("test.step.buy")
@frozen
class Buy(Request[list[str]]):
    fails: int = 0
    on_interrupt: str = "rerun"
    hangs: bool = False


@stored("test.step.receipt")
@frozen
class Receipt:
    number: int


@stored("test.step.basket")
@define
class Basket:
    bought: list[str] = field(factory=list)


class World:
    """What happened outside."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures = 0
        self.hung = asyncio.Event()


class Shop(DurableActor[Basket, Buy], name="test.step.shop"):
    @handle
    async def buy(self, message: Buy) -> list[str]:
        world = self.resources
        assert isinstance(world, World)
        way = OnInterrupt(message.on_interrupt)

        def look() -> str:
            world.calls.append("look")
            return "seen"

        async def pay() -> Receipt:
            world.calls.append("pay")
            if message.hangs and len(world.calls) == 2:
                world.hung.set()
                await asyncio.Event().wait()
            return Receipt(len(world.calls))

        first = await self.step("look", look, on_interrupt=OnInterrupt.RERUN)
        paid = await self.step("pay", pay, on_interrupt=way)
        again = await self.step("pay", pay, on_interrupt=way)
        if world.failures < message.fails:
            world.failures += 1
            raise RuntimeError("no")
        self.state.bought += [first, f"{paid.number}", f"{again.number}"]
        return self.state.bought


def shop(store: Store, world: World) -> System:
    return System(store=store, actors=[Region(Shop, attempts=3, backoff=ONCE)], resources=world)


@on_each_store()
async def test_finished_steps_are_not_taken_again_when_the_handler_fails(reopen: Reopen) -> None:
    world = World()
    async with shop(await reopen(), world) as system:
        assert await system.ref(Shop, "a").ask(Buy(fails=2)) == ["seen", "2", "3"]

    assert world.calls == ["look", "pay", "pay"]


@on_each_store()
async def test_each_message_takes_its_own_steps_and_leaves_none_behind(reopen: Reopen) -> None:
    world = World()
    async with shop(await reopen(), world) as system:
        await system.ref(Shop, "a").ask(Buy())

        assert await system.ref(Shop, "a").ask(Buy()) == ["seen", "2", "3", "seen", "5", "6"]
        for number in (1, 2):
            assert await system.kernel.store.steps(actor_id("test.step.shop", "a"), f"host:1#{number}") == []


@on_each_store()
@pytest.mark.parametrize("way", ["rerun", "unknown"])
async def test_a_step_that_was_interrupted_is_taken_again_or_unknown(
    reopen: Reopen, crashing: Crashing, way: str
) -> None:
    world = World()
    async with crashing(shop(await reopen(), world)) as system:
        await system.ref(Shop, "a").send(Buy(hangs=True, on_interrupt=way))
        await world.hung.wait()
    assert world.calls == ["look", "pay"]

    async with shop(await reopen(), world) as system:
        again = system.ref(Shop, "a").ask(Buy())
        if way == "rerun":
            assert await again == ["seen", "3", "4", "seen", "6", "7"]
        else:
            assert await again == ["seen", "4", "5"]
            (parked,) = await system.kernel.store.parked()
            assert "StepUnknown: step 'pay' of test.step.shop/a was interrupted" in parked.reason

    assert world.calls.count("look") == 2


@simulated(seeds=range(5))
async def test_a_step_begins_when_all_before_it_and_its_intent_are_on_disk() -> None:
    class Watching(MemoryStore):
        async def commit(self, batch: Batch) -> Committed | Rejected:
            for step in batch.steps:
                order.append(f"{step.name} {'begins' if step.result is None else 'ends'}")
            order.extend("message" for _ in batch.appends)
            order.extend("turn" for _ in batch.turns)
            await asyncio.sleep(0.01)
            return await super().commit(batch)

    class Listening(World):
        def __init__(self) -> None:
            super().__init__()
            self.calls = order

    order: list[str] = []
    async with shop(Watching(), Listening()) as system:
        await system.ref(Shop, "a").ask(Buy())

    assert order == [
        *("message", "look begins", "look", "look ends"),
        *("pay begins", "pay", "pay ends", "pay begins", "pay", "pay ends", "turn"),
    ]


@simulated(seeds=range(3))
async def test_a_step_whose_result_cannot_be_stored_fails_the_turn() -> None:
    class Odd(DurableActor[Basket, Buy], name="test.step.odd"):
        @handle
        async def buy(self, message: Buy) -> list[str]:
            await self.step("odd", object, on_interrupt=OnInterrupt.UNKNOWN)
            return []

    async with System(actors=[Region(Odd, attempts=2, backoff=ONCE)]) as system:
        with pytest.raises(MessageParked) as parked:
            await system.ref(Odd, "a").ask(Buy())

    assert isinstance(parked.value.__cause__, StepUnknown)


@simulated(seeds=range(5))
async def test_what_is_done_about_a_missing_answer_is_not_done_when_the_answer_comes_meanwhile() -> None:
    rung, answers = asyncio.Event(), asyncio.Event()

    class Slow(DurableActor[Basket, Buy], name="test.step.slow"):
        @handle
        async def buy(self, message: Buy) -> list[str]:
            await answers.wait()
            return ["bought"]

    class Buyer(DurableActor[Basket, Buy], name="test.step.buyer"):
        @handle
        def buy(self, message: Buy) -> list[str]:
            self.ask(self.ref(Slow, "s"), Buy(), then=self.bought, timeout=0.1)
            return self.state.bought

        @reply
        async def bought(self, message: object) -> None:
            self.state.bought.append(type(message).__name__)
            if isinstance(message, AskFailed):
                rung.set()
                await asyncio.sleep(1)
                await self.step("complain", lambda: complaints.append(1), on_interrupt=OnInterrupt.RERUN)

    complaints: list[int] = []
    store = MemoryStore()
    async with System(store=store, actors=[Slow, Buyer], clock=clock) as system:
        buyer = system.ref(Buyer, "b")
        await buyer.ask(Buy())
        await rung.wait()

        answers.set()
        await asyncio.sleep(5)

        snapshot = await store.load(actor_id("test.step.buyer", "b"))
        assert snapshot.state is not None
        assert decode(snapshot.state) == Basket(bought=["list"])
        assert (complaints, store._steps) == ([], {})


@simulated(seeds=range(5))
async def test_an_answer_that_comes_between_two_tries_at_its_absence_takes_the_steps_along() -> None:
    failed, answers = asyncio.Event(), asyncio.Event()

    class Silent(DurableActor[Basket, Buy], name="test.step.silent"):
        @handle
        async def buy(self, message: Buy) -> list[str]:
            await answers.wait()
            return ["bought"]

    class Asker(DurableActor[Basket, Buy], name="test.step.asker"):
        @handle
        def buy(self, message: Buy) -> list[str]:
            self.ask(self.ref(Silent, "s"), Buy(), then=self.bought, timeout=0.1)
            return self.state.bought

        @reply
        async def bought(self, message: object) -> None:
            self.state.bought.append(type(message).__name__)
            if isinstance(message, AskFailed):
                await self.step("complain", lambda: 1, on_interrupt=OnInterrupt.RERUN)
                failed.set()
                raise RuntimeError("no")

    store = MemoryStore()
    region = Region(Asker, backoff=Backoff(first=3.0, most=3.0))
    async with System(store=store, actors=[Silent, region], clock=clock) as system:
        await system.ref(Asker, "b").ask(Buy())
        await failed.wait()
        await asyncio.sleep(0.1)
        assert store._steps

        answers.set()
        await asyncio.sleep(5)

        assert decode((await store.load(actor_id("test.step.asker", "b"))).state or NOTHING) == Basket(bought=["list"])
        assert store._steps == {}
