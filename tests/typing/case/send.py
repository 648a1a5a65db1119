"""`tell`, `send` and `ask` take what the actor handles, and nothing else."""

from __future__ import annotations

from typing import Never

from choragus.actors import Ref
from choragus.actors.testing import Probe
from choragus.supervision import System

from .counter import Account, Add, Adder, AddTwice, Clear, Counter, Names, Note, Stranger

AnyCounter = Ref[Add | Names | Clear | Note]


async def tells(counter: AnyCounter, adder: Ref[Add], nobody: Ref[Never]) -> None:
    counter.tell(Add(1))
    counter.tell(Names())
    counter.tell(Note("one"))
    counter.tell(AddTwice(1))
    counter.tell(Stranger())  # error: arg-type
    counter.tell("one")  # error: arg-type
    counter.tell(Add)  # error: arg-type
    counter.tell()  # error: call-arg
    adder.tell(Add(1))
    adder.tell(Note("one"))  # error: arg-type
    adder.tell(Add("one"))  # error: arg-type
    nobody.tell(Add(1))  # error: arg-type


async def sends(counter: AnyCounter, adder: Ref[Add]) -> None:
    await counter.send(Clear())
    await counter.send(AddTwice(1))
    await counter.send(Stranger())  # error: arg-type
    await adder.send(Add(1))
    await adder.send(Clear())  # error: arg-type


async def asks(counter: AnyCounter, adder: Ref[Add], nobody: Ref[Never]) -> None:
    await counter.ask(Add(1))
    await counter.ask(AddTwice(1))
    await counter.ask(Note("is no request"))  # error: arg-type
    await counter.ask(Stranger())  # error: arg-type
    await counter.ask(Add)  # error: arg-type
    await counter.ask(Add(1), timeout="soon")  # error: arg-type
    await adder.ask(Add(1))
    await adder.ask(Names())  # error: arg-type
    await nobody.ask(Add(1))  # error: arg-type


async def passes(counter: AnyCounter, adder: Ref[Add]) -> None:
    """A ref of more messages stands in for one of fewer, and not the other way round."""
    fewer: Ref[Add] = counter
    fewest: Ref[Never] = adder
    more: AnyCounter = adder  # error: assignment
    probe: AnyCounter = Probe()
    del fewer, fewest, more, probe


async def durable(system: System) -> None:
    account = system.ref(Account, "anna")
    account.tell(Add(1))
    await account.ask(Add(1), key="once")
    account.tell(Note("one"))  # error: arg-type
    await account.ask(Names())  # error: arg-type


async def found(system: System) -> None:
    adder = system.find(Adder, "adder")
    adder.tell(Add(1))
    adder.tell(Clear())  # error: arg-type
    spawned = await system.spawn(Counter)
    spawned.tell(Note("one"))
    spawned.tell(Stranger())  # error: arg-type
