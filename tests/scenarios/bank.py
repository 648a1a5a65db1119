"""A bank to crash: accounts that are asked durably, a clearing time, a wire with a key, and a letter without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import AskFailed, EffectFailed, EffectUnknown, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger

CLEARING = 0.01
"""Seconds that a transfer waits."""


@stored("bank.take")
@frozen
class Take(Request[bool]):
    amount: int


@stored("bank.put")
@frozen
class Put(Request[int]):
    amount: int


@stored("bank.pay")
@frozen
class Pay(Request[bool]):
    giver: str
    taker: str
    amount: int


@stored("bank.clear")
@frozen
class Clear:
    pass


@stored("bank.settle")
@frozen
class Settle(Request[None]):
    """A person looked whether the letter went out."""

    happened: bool


@stored("bank.call")
@frozen
class Call:
    what: str


@stored("bank.balance")
@define
class Balance:
    amount: int = 100


@stored("bank.progress")
@define
class Progress:
    pay: Pay | None = None
    stage: str = "new"
    letter: str = ""


class Account(DurableActor[Balance, Take | Put], name="bank.account"):
    @handle
    def take(self, message: Take) -> bool:
        if self.state.amount < message.amount:
            return False
        return self._move(-message.amount) >= 0

    @handle
    def put(self, message: Put) -> int:
        return self._move(message.amount)

    def _move(self, amount: int) -> int:
        self.state.amount += amount
        self.log("moved", by=amount)
        self.view("account", self.key, {"amount": self.state.amount})
        return self.state.amount


class Transfer(DurableActor[Progress, Pay | Clear | Settle], name="bank.transfer"):
    @handle
    def pay(self, message: Pay) -> bool:
        if self.state.pay is None:
            self.state.pay = message
            self.ask(self.ref(Account, message.giver), Take(message.amount), then=self.taken)
            self._go("taking")
        return True

    @reply
    def taken(self, result: bool | AskFailed) -> None:
        pay = self._pay
        if result is True:
            self.ask(self.ref(Account, pay.taker), Put(pay.amount), then=self.put)
            self._go("putting")
        else:
            self._go("refused")

    @reply
    def put(self, result: int | AskFailed) -> None:
        self.timer("clear", Clear(), after=CLEARING)
        self._go("clearing")

    @handle
    def clear(self, message: Clear) -> None:
        self.effect("wire", Call(self.key), then=self.wired, on_interrupt=OnInterrupt.RERUN)
        self._go("wiring")

    @reply
    def wired(self, result: str | EffectFailed) -> None:
        self._send()

    @reply
    def sent(self, result: str | EffectFailed | EffectUnknown) -> None:
        self._go("asks" if isinstance(result, EffectUnknown) else "done")

    @handle
    def settle(self, message: Settle) -> None:
        if self.state.stage == "asks":
            self.settle_effect(self.state.letter)
            if message.happened:
                self._go("done")
            else:
                self._send()

    def _send(self) -> None:
        self.state.letter = self.effect("letter", Call(self.key), then=self.sent, on_interrupt=OnInterrupt.UNKNOWN)
        self._go("writing")

    def _go(self, stage: str) -> None:
        self.state.stage = stage
        self.log(stage)
        self.view("transfer", self.key, {"stage": stage})

    @property
    def _pay(self) -> Pay:
        assert self.state.pay is not None
        return self.state.pay


class Outside:
    """The other bank, which takes an idempotency key, and the post, which does not."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def wire(self, request: object, context: EffectContext) -> str:
        """Harmless when it is called again."""
        assert isinstance(request, Call)
        self.ledger.note(f"wire {request.what}", key=context.id)
        return "wired"

    async def letter(self, request: object, context: EffectContext) -> str:
        """A second one would be a second letter."""
        assert isinstance(request, Call)
        self.ledger.note(f"letter {request.what}")
        return "sent"


TRANSFERS = {"1": Pay("alice", "bob", 30), "2": Pay("bob", "alice", 5), "3": Pay("carol", "bob", 500)}

INTERRUPTED = ("asks", "writing")
"""Stages that a transfer comes to once more, or at all, when its letter was interrupted."""


async def transfers(path: Path, ledger: Ledger) -> dict[str, object]:
    """Three transfers at once, one of which is refused; a person answers for letters of unknown outcome."""
    outside = Outside(ledger)
    runners = {"wire": outside.wire, "letter": outside.letter}
    async with System(path, actors=[Account, Transfer], runners=runners) as system:
        for key, pay in TRANSFERS.items():
            await system.ref(Transfer, key).ask(pay, key=key)
        store = system.kernel.store
        while True:
            stages = {view.key: (view.body or b"").decode() for view in await store.views("transfer")}
            for key, stage in stages.items():
                if "asks" in stage:
                    await system.ref(Transfer, key).ask(Settle(happened=ledger.count(f"letter {key}") > 0))
            if all("done" in stage or "refused" in stage for stage in stages.values()):
                break
            await asyncio.sleep(0.002)
        accounts = {view.key: (view.body or b"").decode() for view in await store.views("account")}
        return {"transfers": stages, "accounts": accounts}
