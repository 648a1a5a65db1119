"""A bank in a process of its own: `python -m vault PATH LABEL LEASE SEED` moves money until it is killed.

It says what happens to it on stdout, one JSON object a line: when it owns the file, which moves it has been told are
done, with which errors its callers were left. When it loses the file it waits until it may have it again.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import define, frozen

import choragus.actors.lease
from choragus.actors import Actor, AskTimeout, DurableActor, MessageParked, Request, handle
from choragus.mailbox import ChoragusError, FileInUse, stored
from choragus.supervision import (
    Backoff,
    Child,
    Directive,
    OneForOne,
    Region,
    Supervisor,
    System,
    SystemFailed,
)

ACCOUNTS = 8
START = 1000
POISON = 13
"""An amount that no account takes until it is mended."""
CALLERS = 6


@stored("vault.move")
@frozen
class Move(Request[int]):
    name: str
    to: str
    amount: int


@stored("vault.put")
@frozen
class Put:
    amount: int


@stored("vault.peek")
@frozen
class Peek(Request[int]):
    pass


@stored("vault.holding")
@define
class Holding:
    amount: int = START


@define
class Place:
    """Which process this is, and whether accounts take the poison."""

    label: str
    is_mended: bool = False
    chance: float = 0.1


class Vault(DurableActor[Holding, Move | Put | Peek], name="vault.vault"):
    @handle
    def move(self, message: Move) -> int:
        self.state.amount -= message.amount
        self._perhaps()
        self.ref(Vault, message.to).tell(Put(message.amount))
        self.log("moved", by=self._place.label, name=message.name)
        return self.state.amount

    @handle
    def put(self, message: Put) -> None:
        self.state.amount += message.amount
        self._perhaps()
        if message.amount == POISON and not self._place.is_mended:
            raise ValueError("not this amount")
        self.log("put", by=self._place.label)

    @handle
    def peek(self, message: Peek) -> int:
        return self.state.amount

    def _perhaps(self) -> None:
        """Fail now and then, with the state changed already."""
        if random.random() < self._place.chance:
            raise OSError("now and then")

    @property
    def _place(self) -> Place:
        assert isinstance(self.resources, Place)
        return self.resources


@frozen
class Order:
    number: int


class Teller(Actor[Order]):
    """A volatile actor that sends moves of its own, and fails in all ways that its supervisor knows."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @handle
    async def order(self, message: Order) -> None:
        await asyncio.sleep(0)
        error = random.choice([None, None, OSError, KeyError, ValueError])
        if error is not None:
            raise error("as a teller does")


TREE_DECIDER: Mapping[type[BaseException], Directive] = {
    KeyError: Directive.ESCALATE,
    ValueError: Directive.RESUME,
    OSError: Directive.RESTART,
}


def system(path: Path, place: Place) -> System:
    """The bank over that file, its tellers under a supervisor that restarts and escalates."""
    tellers = Supervisor(
        name="tellers",
        strategy=OneForOne(max_restarts=1000, within=1.0, decider=TREE_DECIDER, backoff=Backoff(first=0.01, most=0.01)),
        children=[Child(Teller, name=f"teller-{number}", args=(place,)) for number in range(2)],
    )
    region = Region(Vault, attempts=5, backoff=Backoff(first=0.005, most=0.02))
    strategy = OneForOne(max_restarts=1000, within=1.0, backoff=Backoff(first=0.01, most=0.01))
    return System(path, tree=[tellers], strategy=strategy, actors=[region], resources=place, shutdown=2.0)


async def main(path: Path, label: str) -> None:
    """Own the file whenever it can be had, and move money."""
    life = 0
    while True:
        life += 1
        place, callers = Place(label), list[asyncio.Task[None]]()
        try:
            async with system(path, place) as bank:
                say("owns", fence=bank.kernel.fence)
                names = [f"{label}-{life}-{number}" for number in range(CALLERS)]
                callers += [asyncio.create_task(call(bank, name)) for name in names]
                await order(bank)
        except FileInUse:
            await asyncio.sleep(0.02)
        except SystemFailed as failed:
            _, left = await asyncio.wait(callers, timeout=5.0)
            errors = [type(error).__name__ for error in failed.exceptions]
            say("lost", errors=sorted({*errors}), hanging=len(left))


async def order(bank: System) -> None:
    """Keep the tellers failing."""
    while True:
        for number in range(2):
            with suppress(ChoragusError):
                bank.find(Teller, f"tellers/teller-{number}").tell(Order(number))
        await asyncio.sleep(0.02)


async def call(bank: System, name: str) -> None:
    """One caller: move after move, each under a key of its own."""
    for number in range(1_000_000):
        giver, taker = random.sample(range(ACCOUNTS), 2)
        amount = random.choice([POISON, 1, 5, 20, 50])
        key = f"{name}-{number}"
        try:
            await bank.ref(Vault, str(giver)).ask(Move(key, str(taker), amount), key=key, timeout=20.0)
        except MessageParked:
            say("parked", key=key)
        except AskTimeout as error:
            say("refused", key=key, error=type(error).__name__)
        except ChoragusError as error:
            say("refused", key=key, error=type(error).__name__)
            return
        else:
            say("done", key=key)
        await asyncio.sleep(0.01)


def say(what: str, **fields: object) -> None:
    """One line."""
    sys.stdout.write(json.dumps({"what": what, **fields}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    choragus.actors.lease.LEASE = float(sys.argv[3])
    random.seed(int(sys.argv[4]))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
