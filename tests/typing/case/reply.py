"""The reply of an ask has the type that its message names."""

from __future__ import annotations

from typing import assert_type

from choragus.actors import Ref
from choragus.supervision import System

from .counter import Account, Add, AddTwice, Clear, Counter, Names


async def replies(counter: Ref[Add | Names | Clear]) -> None:
    assert_type(await counter.ask(Add(1)), int)
    assert_type(await counter.ask(AddTwice(1)), int)
    assert_type(await counter.ask(Names()), list[str])
    number: str = await counter.ask(Add(1))  # error: arg-type
    names: list[int] = await counter.ask(Names())  # error: arg-type
    (await counter.ask(Names())).append("one")
    (await counter.ask(Names())).append(1)  # error: arg-type
    cleared: int = await counter.ask(Clear())  # error: arg-type
    del number, names, cleared


async def spawned(system: System) -> None:
    counter = await system.spawn(Counter, 3)
    assert_type(await counter.ask(Names()), list[str])
    account = system.ref(Account, "anna")
    assert_type(await account.ask(Add(1)), int)


async def either(counter: Ref[Add | Names], message: Add | Names) -> None:
    answer: int | list[str] = await counter.ask(message)
    del answer


async def in_parallel(first: Ref[Add], second: Ref[Add]) -> int:
    async def one(ref: Ref[Add]) -> int:
        return await ref.ask(Add(1))

    return await one(first) + await one(second)
