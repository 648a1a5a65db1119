"""Choragus's side of the work: one actor class, and the ways in which a user starts and stops many of it.

Everything through the public doors, every default on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.workload import Add, Crash, Crashed, Get, Hop, Meet, Message, Passing, Work

from choragus.actors import Actor, Ref, handle
from choragus.supervision import Child, DynamicSupervisor, OneForOne, System

ROOM = 1_000_001
"""Messages that may wait where all are told at once: the most of them, and one that is asked."""


class Clerk(Actor[Message]):
    """Does what the hand-written behaviour does."""

    def __init__(self) -> None:
        self.count = 0
        self.peer: Passing | None = None
        self.done: asyncio.Event | None = None

    @handle
    async def add(self, message: Add) -> None:
        self.count += message.value

    @handle
    async def get(self, message: Get) -> int:
        return self.count

    @handle
    async def work(self, message: Work) -> int:
        return message.value + 1

    @handle
    async def hop(self, message: Hop) -> None:
        if message.left:
            self.peer.tell(Hop(message.left - 1))  # type: ignore[union-attr]  # it has met somebody
        else:
            self.done.set()  # type: ignore[union-attr]  # as above

    @handle
    async def meet(self, message: Meet) -> None:
        self.peer, self.done = message.peer, message.done

    @handle
    async def crash(self, message: Crash) -> None:
        raise Crashed


@asynccontextmanager
async def spawned(amount: int) -> AsyncIterator[Sequence[Ref[Message]]]:
    """Started by `System.spawn`; leaving the system stops them."""
    async with System() as system:
        yield [await system.spawn(Clerk) for _ in range(amount)]


@asynccontextmanager
async def roomy(amount: int) -> AsyncIterator[Sequence[Ref[Message]]]:
    """As `spawned`, with room for more messages than by default."""
    async with System() as system:
        yield [await system.spawn(Clerk, mailbox=ROOM) for _ in range(amount)]


@asynccontextmanager
async def started(amount: int) -> AsyncIterator[Sequence[Ref[Message]]]:
    """Started by `start_child` of a dynamic supervisor that allows any number of restarts; stopped one by one."""
    office = DynamicSupervisor(name="office", strategy=OneForOne(max_restarts=1_000_000_000))
    async with System(tree=office) as system:
        supervisor = system.supervisor("office")
        clerks = [await supervisor.start_child(Child(Clerk, name=f"clerk-{n}")) for n in range(amount)]
        yield clerks
        for clerk in clerks:
            await supervisor.stop_child(clerk)
