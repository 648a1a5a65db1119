"""A probe: a ref that remembers, and answers as the test says."""

from __future__ import annotations

import asyncio

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import AskTimeout
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock
from choragus.actors.testing.probe import Probe
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import ChoragusError
from choragus.supervision.system import System

SEEDS = range(5)


@frozen
class Price(Request[int]):
    item: str


@frozen
class Sold:
    item: str
    cost: int


@stored("test.probe.sell")
@frozen
class Sell(Request[None]):
    item: str


class Shop(Actor[Sell]):
    """Asks one for the price, and tells another of the sale."""

    def __init__(self, prices: Ref[Price], ledger: Ref[Sold]) -> None:
        self.prices = prices
        self.ledger = ledger

    @handle
    async def sell(self, message: Sell) -> None:
        cost = await self.prices.ask(Price(message.item))
        self.ledger.tell(Sold(message.item, cost))


@simulated(seeds=SEEDS)
async def test_what_came_is_expected_and_replied_to() -> None:
    prices, ledger = Probe("prices"), Probe("ledger")
    async with System() as system:
        shop = await system.spawn(Shop, prices, ledger)

        shop.tell(Sell("pear"))
        asked = await prices.expect(Price)
        await ledger.expect_none(within=20.0)
        prices.reply(7)

        assert asked == Price("pear")
        assert await ledger.expect(Sold) == Sold("pear", 7)
        assert ledger.messages == [Sold("pear", 7)]


@simulated(seeds=SEEDS)
async def test_answers_are_given_as_they_are_asked_for() -> None:
    prices, ledger = Probe(), Probe()
    prices.answers(Price, lambda price: len(price.item))
    async with System() as system:
        shop = await system.spawn(Shop, prices, ledger)

        await shop.ask(Sell("apple"))

    assert ledger.messages == [Sold("apple", 5)]
    assert await prices.expect(Price) == Price("apple")


@simulated(seeds=SEEDS)
async def test_what_did_not_come_or_came_instead_is_said() -> None:
    probe = Probe("till")

    with pytest.raises(AssertionError, match=r"^till expected Sold, but nothing came within 3 s$"):
        await probe.expect(Sold)
    probe.tell(Price("fig"))
    with pytest.raises(AssertionError, match=r"^till expected nothing, but got Price\(item='fig'\)$"):
        await probe.expect_none()
    with pytest.raises(AssertionError, match=r"^till expected Sold, but got Price\(item='fig'\)$"):
        await probe.expect(Sold)
    await probe.expect_none()


@simulated(seeds=SEEDS)
async def test_fishing_passes_others_over() -> None:
    probe = Probe()
    await probe.send(Price("fig"))
    asyncio.get_running_loop().call_later(2, probe.tell, Sold("fig", 1))

    assert await probe.fish(Sold) == Sold("fig", 1)

    probe.tell(Price("fig"))
    with pytest.raises(AssertionError, match=r"^probe expected Sold, but nothing came within"):
        await probe.fish(Sold)


@simulated(seeds=SEEDS)
async def test_an_ask_times_out_fails_or_is_answered_once() -> None:
    probe = Probe()
    with pytest.raises(AskTimeout, match=r"^probe did not answer Price within 30 s"):
        await probe.ask(Price("fig"))
    await probe.expect(Price)
    with pytest.raises(RuntimeError, match=r"^probe has answered"):
        probe.reply(1)

    asked = asyncio.create_task(probe.ask(Price("fig")))
    await probe.expect(Price)
    probe.fail(ChoragusError("sold out"))
    with pytest.raises(ChoragusError, match=r"^sold out$"):
        await asked

    probe.tell(Price("fig"))
    await probe.expect(Price)
    with pytest.raises(RuntimeError, match=r"^probe has nobody to reply to"):
        probe.reply(1)


@simulated(seeds=SEEDS)
async def test_an_answer_that_raises_is_the_askers() -> None:
    probe = Probe()
    probe.answers(Price, lambda price: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        await probe.ask(Price("fig"))


@simulated(seeds=SEEDS)
async def test_from_inside_a_turn_it_is_told_once_the_turn_is_on_disk() -> None:
    probe = Probe()

    @stored("test.probe.nothing")
    @define
    class Nothing:
        pass

    class Stall(DurableActor[Nothing, Sell], name="test.probe.stall"):
        @handle
        def sell(self, message: Sell) -> None:
            probe.tell(Sold(message.item, 1))
            assert probe.messages == []

    async with System(actors=[Stall], clock=clock) as system:
        await system.ref(Stall, "a").ask(Sell("fig"))

    assert await probe.expect(Sold) == Sold("fig", 1)
