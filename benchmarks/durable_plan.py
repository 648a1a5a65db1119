"""Choragus at a plan of many steps, each of which adds a text of 200 characters; and at a queue.

Two forms of a step. A turn: a message to itself, handled, and its text a line of the actor's stream. A `step`: a call
to the outside from within one handler, whose begin is on disk before the call, and its result before the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

import attrs
from benchmarks.raw_commit import fresh

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System

TEXT = "x" * 200
LOT = 1_000
"""Messages told between two asks: a tenth of those for which there is room."""
SENDERS = 100

Plans: TypeAlias = Callable[[System, int, int], Awaitable[None]]
"""So many plans at once, of so many steps each."""
Puts: TypeAlias = Callable[[Path, int], float]
"""In a folder, so many messages; gives back seconds for one."""


@stored("benchmark.plan.begin")
@attrs.frozen
class Begin(Request[int]):
    """Take so many steps, and answer when the last one is on disk."""

    steps: int


@stored("benchmark.plan.on")
@attrs.frozen
class GoOn:
    """Take the next step."""


@stored("benchmark.plan.count")
@attrs.define
class Count:
    """How far it is."""

    done: int = 0
    steps: int = 0


class TurnPlan(DurableActor[Count, Begin | GoOn], name="benchmark.plan.turns"):
    """A step is a turn."""

    @property
    def stream(self) -> str:
        return f"plan/{self.key}"

    @handle
    async def begin(self, message: Begin) -> int | None:
        if not self.state.steps:
            self.state.steps = message.steps
            self.ref(TurnPlan, self.key).tell(GoOn())
        if self.state.done < self.state.steps:
            self.stash()  # its asker waits until the last step has it taken up again
        return self.state.done

    @handle
    async def go_on(self, message: GoOn) -> None:
        self.state.done += 1
        self.log("step", text=TEXT)
        if self.state.done < self.state.steps:
            self.ref(TurnPlan, self.key).tell(GoOn())
        else:
            self.unstash_all()


class StepPlan(DurableActor[Count, Begin], name="benchmark.plan.steps"):
    """A step is a call to the outside."""

    @property
    def stream(self) -> str:
        return f"plan/{self.key}"

    @handle
    async def begin(self, message: Begin) -> int:
        for _ in range(message.steps):
            self.log("step", text=await self.step("look", _look, on_interrupt=OnInterrupt.RERUN))
            self.state.done += 1
        return self.state.done


@stored("benchmark.queue.item")
@attrs.frozen
class Item:
    """What is put and taken."""

    text: str


@stored("benchmark.queue.taken")
@attrs.frozen
class Taken(Request[int]):
    """How many have been taken?"""


class Queue(DurableActor[Count, Item | Taken], name="benchmark.queue"):
    """Takes what is put, one by one."""

    @handle
    async def item(self, message: Item) -> None:
        self.state.done += 1

    @handle
    async def taken(self, message: Taken) -> int:
        return self.state.done


ACTORS = (TurnPlan, StepPlan, Queue)


async def turns(system: System, plans: int, steps: int) -> None:
    """Of turns."""
    done = await asyncio.gather(*(system.ref(TurnPlan, str(n)).ask(Begin(steps), timeout=600.0) for n in range(plans)))
    assert done == [steps] * plans


async def calls(system: System, plans: int, steps: int) -> None:
    """Of calls."""
    done = await asyncio.gather(*(system.ref(StepPlan, str(n)).ask(Begin(steps), timeout=600.0) for n in range(plans)))
    assert done == [steps] * plans


def seconds(work: Plans, folder: Path, plans: int, steps: int, waves: int = 1) -> float:
    """Seconds for one step, of plans that run at the same time, in a new file for each wave."""

    async def main() -> float:
        taken = 0.0
        for _ in range(waves):
            async with _opened(folder) as system:
                begin = perf_counter()
                await work(system, plans, steps)
                taken += perf_counter() - begin
        return taken / (plans * steps * waves)

    return asyncio.run(main())


def told(folder: Path, amount: int) -> float:
    """Seconds for one message that is told to the queue and taken by it; an ask behind each lot says that it is so."""

    async def put(box: Ref[Item | Taken]) -> None:
        for put in range(0, amount, LOT):
            for _ in range(put, min(put + LOT, amount)):
                box.tell(Item(TEXT))
            await box.ask(Taken(), timeout=600.0)

    return asyncio.run(_queued(folder, amount, put))


def sent(folder: Path, amount: int) -> float:
    """Seconds for one message that is sent to the queue, each known to be on disk before its sender's next."""

    async def send(box: Ref[Item | Taken], messages: int) -> None:
        for _ in range(messages):
            await box.send(Item(TEXT))

    async def put(box: Ref[Item | Taken]) -> None:
        await asyncio.gather(*(send(box, amount // SENDERS) for _ in range(SENDERS)))

    return asyncio.run(_queued(folder, amount, put))


async def _queued(folder: Path, amount: int, put: Callable[[Ref[Item | Taken]], Awaitable[None]]) -> float:
    async with _opened(folder) as system:
        box = system.ref(Queue, "queue")
        await box.ask(Taken())
        begin = perf_counter()
        await put(box)
        assert await box.ask(Taken(), timeout=600.0) == amount
        return (perf_counter() - begin) / amount


def grown(folder: Path, steps: int, plans: int = 10) -> float:
    """Bytes that a plan of so many steps adds to the file: the mean of plans one after the other.

    One plan alone would be measured to a page of each table, and the first finds room that the file was made with.
    """

    async def main() -> float:
        sizes: list[int] = []
        for first, last in ((0, 1), (1, plans + 1)):
            async with System(folder / "plan.db", actors=ACTORS) as system:
                for number in range(first, last):
                    assert await system.ref(TurnPlan, str(number)).ask(Begin(steps), timeout=600.0) == steps
            sizes.append(size(folder / "plan.db"))
        return (sizes[1] - sizes[0]) / plans

    fresh(folder, "plan")
    return asyncio.run(main())


def size(path: Path) -> int:
    """Bytes of a database and its write-ahead log."""
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*") if not one.name.endswith("-shm"))


def _opened(folder: Path) -> System:
    return System(fresh(folder, "plan"), actors=ACTORS)


def _look() -> str:
    return TEXT
