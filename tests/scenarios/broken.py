"""Scenarios that a crash breaks, each by one common mistake: what `crash_everywhere` has to find."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from uuid import uuid4

from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext, Effects
from choragus.actors.message import EffectFailed, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger


@stored("broken.sell")
@frozen
class Sell(Request[int]):
    item: str


@stored("broken.sold")
@frozen
class Sold(Request[int]):
    pass


@stored("broken.stock")
@define
class Stock:
    sold: int = 0


class Impatient(DurableActor[Stock, Sell], name="broken.impatient"):
    """Ships from inside its handler."""

    @handle
    def sell(self, message: Sell) -> int:
        assert isinstance(self.resources, Ledger)
        self.resources.note(f"ship {message.item}")
        self.state.sold += 1
        return self.state.sold


SOLD: Counter[str] = Counter()


class Forgetful(DurableActor[Stock, Sell], name="broken.forgetful"):
    """Counts in a global."""

    @handle
    def sell(self, message: Sell) -> int:
        SOLD[self.key] += 1
        return SOLD[self.key]


class Careless(DurableActor[Stock, Sell | Sold], name="broken.careless"):
    """Ships by an effect of the kind that it is given."""

    @handle
    def sell(self, message: Sell) -> int:
        assert isinstance(self.resources, OnInterrupt)
        self.effect("ship", message, then=self.shipped, on_interrupt=self.resources)
        return self.state.sold

    @reply
    def shipped(self, result: str | EffectFailed) -> None:
        self.state.sold += 1

    @handle
    def sold(self, message: Sold) -> int:
        return self.state.sold


class Chatty(DurableActor[Stock, Sell], name="broken.chatty"):
    """Logs more in a process that is not the first."""

    @handle
    def sell(self, message: Sell) -> int:
        assert isinstance(self.resources, int)
        self.state.sold += 1
        for _ in range(self.resources):
            self.log("sold", item=message.item)
        return self.state.sold


ITEMS = ("fig", "pear")


async def impatient(path: Path, ledger: Ledger) -> int:
    """An effect that is none."""
    async with System(path, actors=[Impatient], resources=ledger) as system:
        return [await system.ref(Impatient, "a").ask(Sell(item), key=item) for item in ITEMS][-1]


async def forgetful(path: Path, ledger: Ledger) -> int:
    """State that is not in the state."""
    async with System(path, actors=[Forgetful]) as system:
        return [await system.ref(Forgetful, "a").ask(Sell(item), key=item) for item in ITEMS][-1]


async def careless(path: Path, ledger: Ledger) -> int:
    """An effect that is declared as rerunnable, and does harm when it runs again."""
    return await _shipping(path, ledger, OnInterrupt.RERUN)


async def guessing(path: Path, ledger: Ledger) -> int:
    """A runtime that runs again what it must not; for a process of its own: nothing is put back."""
    setattr(Effects, "recover", Effects.start)  # noqa: B010  # a method is no assignable name to mypy
    return await _shipping(path, ledger, OnInterrupt.UNKNOWN)


async def _shipping(path: Path, ledger: Ledger, on_interrupt: OnInterrupt) -> int:
    async def ship(request: object, context: EffectContext) -> str:
        assert isinstance(request, Sell)
        ledger.note(f"ship {request.item}")
        return "shipped"

    async with System(path, actors=[Careless], runners={"ship": ship}, resources=on_interrupt) as system:
        shop = system.ref(Careless, "a")
        for item in ITEMS:
            await shop.ask(Sell(item), key=item)
        while (sold := await shop.ask(Sold())) < len(ITEMS):  # noqa: ASYNC110  # a durable actor tells nobody outside
            await asyncio.sleep(0.002)
        return sold


async def chatty(path: Path, ledger: Ledger) -> int:
    """A logbook that depends on how often the process was started."""
    life = 2 if _is_there(path) else 1
    async with System(path, actors=[Chatty], resources=life) as system:
        return [await system.ref(Chatty, "a").ask(Sell(item), key=item) for item in ITEMS][-1]


async def stuck(path: Path, ledger: Ledger) -> int:
    """Does not open a file that is there already."""
    if _is_there(path):
        await asyncio.sleep(3600)
    async with System(path, actors=[Forgetful]) as system:
        return await system.ref(Forgetful, "a").ask(Sell("fig"), key="fig")


async def unloved(path: Path, ledger: Ledger) -> int:
    """Raises when it is opened again."""
    if _is_there(path):
        raise LookupError("who are you?")
    return await forgetful(path, ledger)


def _is_there(path: Path) -> bool:
    return path.exists()


async def another_each_time(path: Path, ledger: Ledger) -> str:
    """Cannot be compared."""
    async with System(path, actors=[Forgetful]):
        return uuid4().hex


async def fails(path: Path, ledger: Ledger) -> None:
    """Fails also undisturbed."""
    raise LookupError(f"no such thing in {path.name}")


async def leaves_no_file(path: Path, ledger: Ledger) -> None:
    """Does not open its path."""


async def no_json(path: Path, ledger: Ledger) -> object:
    """Gives back what cannot be compared."""
    async with System(path, actors=[Forgetful]):
        return object()
