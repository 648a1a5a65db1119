"""Where a handler runs, and that a method stays what it was written as."""

from __future__ import annotations

from typing import assert_type

from choragus.actors import Actor, handle
from choragus.supervision import System

from .counter import Add, Clear, Names


class Busy(Actor[Add | Names | Clear]):
    @handle(blocking="process")
    @staticmethod
    def add(message: Add) -> int:
        return message.amount

    @handle(blocking="thread")
    def list_names(self, message: Names) -> list[str]:
        return []

    @handle
    async def clear(self, message: Clear) -> None: ...


async def methods(busy: Busy, system: System) -> None:
    assert_type(Busy.add(Add(1)), int)
    assert_type(busy.add(Add(1)), int)
    assert_type(busy.list_names(Names()), list[str])
    assert_type(await busy.clear(Clear()), None)
    busy.add(Clear())  # error: arg-type
    busy.list_names(Clear())  # error: arg-type
    busy.list_names()  # error: call-arg
    spawned = await system.spawn(Busy)
    assert_type(await spawned.ask(Add(1)), int)
    assert_type(await spawned.ask(Names()), list[str])


def values() -> None:
    handle(blocking="thread")
    handle(blocking="process")
    handle(blocking="fork")  # error: call-overload
    handle(blocking=True)  # error: call-overload
    handle("thread")  # error: call-overload
    handle()
    handle(reentrant=True)
    handle(reentrant="yes")  # error: call-overload
