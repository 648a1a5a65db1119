"""Durable actors that set messages aside: on disk, in order, uncounted, while whoever asked goes on waiting."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MessageParked, SystemStopped
from choragus.actors.message import AskFailed, Request
from choragus.actors.ref import Ref
from choragus.actors.testing import crash, faults
from choragus.actors.testing.loop import clock as virtual
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.supervision.spec import Region
from choragus.supervision.system import System
from choragus.supervision.testing import crashing as surviving

from .noted import Noted
from .stores import Reopen, on_each_store, pause, settle, wall

Crashing = Callable[[System], AbstractAsyncContextManager[System]]


@stored("test.aside.order")
@frozen
class Order(Request[str]):
    dish: str


@stored("test.aside.open")
@frozen
class Open(Request[str]):
    """Take up what was set aside, and then do this."""

    then: str = ""


@stored("test.aside.seen")
@frozen
class Seen(Request[list[str]]):
    pass


@stored("test.aside.ring")
@frozen
class Ring:
    pass


@stored("test.aside.oven")
@define
class Oven:
    is_hot: bool = False
    dishes: list[str] = attrs.field(factory=list)


class Kitchen(DurableActor[Oven, Order | Open | Seen | Ring], name="test.aside.kitchen"):
    stash_limit = 3

    @handle
    def cook(self, message: Order) -> str:
        if not self.state.is_hot:
            TRIED.note(message.dish)
            if message.dish == "ring":
                self.ticker("t", Ring(), every=10.0)
                return "set"
            self.stash()
            if message.dish == "twice":
                self.stash()
            if message.dish == "burnt":
                raise ValueError("burnt")
            return "never seen"
        self.state.dishes.append(message.dish)
        return f"{message.dish} is ready"

    @handle
    def open(self, message: Open) -> str:
        if message.then == "end":
            self.end()
            return "closed"
        self.state.is_hot = True
        self.unstash_all()
        if message.then == "fail":
            raise ValueError("cold")
        return "open"

    @handle
    def seen(self, message: Seen) -> list[str]:
        return self.state.dishes

    @handle
    def ring(self, message: Ring) -> None:
        if self.state.is_hot:
            self.state.dishes.append("ring")
        else:
            self.stash()


TRIED: Noted[str] = Noted()
"""What was set aside or tried to, outside every turn."""


@stored("test.aside.wish")
@frozen
class Wish(Request[None]):
    dish: str


@stored("test.aside.got")
@define
class Got:
    replies: list[str] = attrs.field(factory=list)


class Guest(DurableActor[Got, Wish], name="test.aside.guest"):
    @handle
    def wish(self, message: Wish) -> None:
        self.ask(self.ref(Kitchen, "k"), Order(message.dish), then=self.got, timeout=1e6)

    @reply
    def got(self, reply: str | AskFailed) -> None:
        ATE.note(reply if isinstance(reply, str) else reply.reason)


ATE: Noted[str] = Noted()


def open_system(store: Store, clock: Callable[[], float] = virtual) -> System:
    TRIED.forget()
    ATE.forget()
    return System(store=store, actors=[Region(Kitchen, attempts=2), Guest], clock=clock)


async def order(kitchen: Ref[Order], *dishes: str) -> list[asyncio.Task[str]]:
    """Ask for these, one after the other; each is tried before the next is asked for."""
    waits: list[asyncio.Task[str]] = []
    for dish in dishes:
        waits.append(asyncio.ensure_future(kitchen.ask(Order(dish), timeout=1000.0, key=dish)))
        await settle()
    return waits


@on_each_store()
async def test_what_was_set_aside_is_handled_next_in_its_order_and_its_askers_wait(reopen: Reopen) -> None:
    async with open_system(await reopen(), wall) as system:
        kitchen = system.ref(Kitchen, "k")
        orders = await order(kitchen, "soup", "bread")
        await TRIED.reaches(2)
        for message in (Open(), Order("cake"), Order("tea")):
            kitchen.tell(message)

        assert await asyncio.gather(*orders) == ["soup is ready", "bread is ready"]
        assert await kitchen.ask(Seen()) == ["soup", "bread", "cake", "tea"]
        assert await system.kernel.store.parked() == []
        assert (await system.kernel.store.verify()).problems == ()


@on_each_store()
async def test_it_survives_a_kill_and_whoever_asks_again_gets_the_reply(reopen: Reopen, crashing: Crashing) -> None:
    async with crashing(open_system(await reopen(), wall)) as system:
        killed = await order(system.ref(Kitchen, "k"), "soup", "bread")
        await TRIED.reaches(2)
        while len((await system.kernel.store.load(system.ref(Kitchen, "k").id)).stash) < 2:  # type: ignore[arg-type]  # a durable ref has an id
            await pause()
    assert all(isinstance(error, SystemStopped) for error in await asyncio.gather(*killed, return_exceptions=True))

    async with open_system(await reopen(), wall) as system:
        kitchen = system.ref(Kitchen, "k")
        again = await order(kitchen, "bread")
        await settle()
        assert TRIED == []
        later = await order(kitchen, "tea")
        await TRIED.reaches(1)
        await kitchen.ask(Open())

        assert await asyncio.gather(*again, *later) == ["bread is ready", "tea is ready"]
        assert await kitchen.ask(Seen()) == ["soup", "bread", "tea"]


@on_each_store(seeds=range(3))
async def test_a_durable_asker_gets_its_reply_after_a_restart(reopen: Reopen, crashing: Crashing) -> None:
    async with crashing(open_system(await reopen(), wall)) as system:
        await system.ref(Guest, "g").ask(Wish("soup"))
        await TRIED.reaches(1)

    async with open_system(await reopen(), wall) as system:
        await settle()
        assert ATE == []
        while not (await system.kernel.store.load(system.ref(Kitchen, "k").id)).stash:  # type: ignore[arg-type]  # a durable ref has an id
            await pause()
        await system.ref(Kitchen, "k").ask(Open())
        await ATE.reaches(1)
        assert ATE == ["soup is ready"]


@pytest.mark.parametrize("point", ["before commit", "after commit"])
@simulated(seeds=range(3))
async def test_killed_at_any_commit_everything_is_handled_once_and_in_order(point: str) -> None:
    for skip in range(1, 9):
        store = MemoryStore()
        lost: list[asyncio.Task[str]] = []
        dishes = ["soup", "bread", "cake"]
        with faults(crash(point, skip=skip)):  # type: ignore[arg-type]  # one of the two points
            async with surviving(open_system(store)) as system:
                kitchen = system.ref(Kitchen, "k")
                for dish in dishes:
                    lost.append(asyncio.ensure_future(kitchen.ask(Order(dish), timeout=1000.0, key=dish)))
                    await settle()
                lost.append(asyncio.ensure_future(kitchen.ask(Open(), key="open")))
                await asyncio.sleep(5)
        await asyncio.gather(*lost, return_exceptions=True)
        async with open_system(store) as system:
            kitchen = system.ref(Kitchen, "k")
            waits = await order(kitchen, *dishes)
            await asyncio.sleep(1)
            await kitchen.ask(Open(), key="open")
            await asyncio.gather(*waits)

            assert await kitchen.ask(Seen()) == dishes


@simulated(seeds=range(3))
async def test_a_handler_that_fails_after_setting_aside_has_set_nothing_aside() -> None:
    store = MemoryStore()
    async with open_system(store) as system:
        kitchen = system.ref(Kitchen, "k")
        with pytest.raises(MessageParked, match="failed 2 times, last with ValueError: burnt"):
            await kitchen.ask(Order("burnt"))

        assert (await store.load(system.ref(Kitchen, "k").id)).stash == ()  # type: ignore[arg-type]  # a durable ref has an id


@simulated(seeds=range(3))
async def test_when_the_turn_that_takes_up_fails_everything_stays_set_aside() -> None:
    async with open_system(MemoryStore()) as system:
        kitchen = system.ref(Kitchen, "k")
        orders = await order(kitchen, "soup")
        with pytest.raises(MessageParked, match="ValueError: cold"):
            await kitchen.ask(Open("fail"))

        assert TRIED == ["soup"]
        assert await kitchen.ask(Open()) == "open"
        assert await asyncio.gather(*orders) == ["soup is ready"]


@on_each_store(seeds=range(3))
async def test_one_more_than_the_limit_fails_its_turn_also_after_a_reopening(reopen: Reopen) -> None:
    async with open_system(await reopen(), wall) as system:
        waits = await order(system.ref(Kitchen, "k"), "1", "2", "3")
        await TRIED.reaches(3)
    await asyncio.gather(*waits, return_exceptions=True)

    async with open_system(await reopen(), wall) as system:
        kitchen = system.ref(Kitchen, "k")
        with pytest.raises(
            MessageParked, match=r"StashFull: test\.aside\.kitchen/k has 3 messages set aside \(its stash"
        ):
            await kitchen.ask(Order("4"))
        await kitchen.ask(Open())
        assert await kitchen.ask(Seen()) == ["1", "2", "3"]


@simulated(seeds=[0])
async def test_a_message_is_set_aside_once() -> None:
    async with open_system(MemoryStore()) as system:
        with pytest.raises(MessageParked, match=r"RuntimeError: .* has no message in hand to stash: call stash\(\) in"):
            await system.ref(Kitchen, "k").ask(Order("twice"))


@on_each_store(seeds=range(3))
async def test_when_the_actor_ends_what_it_set_aside_is_parked_and_its_askers_told(reopen: Reopen) -> None:
    async with open_system(await reopen(), wall) as system:
        kitchen = system.ref(Kitchen, "k")
        (soup,) = await order(kitchen, "soup")
        await TRIED.reaches(1)
        await kitchen.ask(Open("end"))

        with pytest.raises(MessageParked, match="has ended"):
            await soup


@simulated(seeds=range(3))
async def test_a_ticker_whose_ring_is_set_aside_goes_on() -> None:
    async with open_system(MemoryStore()) as system:
        kitchen = system.ref(Kitchen, "k")
        await kitchen.ask(Order("ring"))
        await asyncio.sleep(25)
        await kitchen.ask(Open())
        await asyncio.sleep(10)

        assert await kitchen.ask(Seen()) == ["ring"] * 3


async def test_one_that_was_damaged_while_set_aside_is_parked_and_the_rest_is_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    reopen = Reopen(tmp_path_factory.mktemp("aside") / "store.db")
    async with open_system(await reopen(), wall) as system:
        waits = await order(system.ref(Kitchen, "k"), "soup", "bread")
        await TRIED.reaches(2)
    await asyncio.gather(*waits, return_exceptions=True)
    with closing(sqlite3.connect(str(reopen.path), isolation_level=None)) as connection:
        damaged = "CAST(replace(CAST(body AS TEXT), 'soup', 'soap') AS BLOB)"
        connection.execute(f"UPDATE message SET body = {damaged}")

    async with open_system(await reopen(), wall) as system:
        kitchen = system.ref(Kitchen, "k")
        await kitchen.ask(Open())

        assert await kitchen.ask(Seen()) == ["bread"]
        (parked,) = await system.kernel.store.parked()
        assert parked.reason.startswith("corrupt")
