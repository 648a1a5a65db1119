"""Actors that ask in a circle hear of it at once, and nobody else does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable
from itertools import pairwise

import pytest
from attrs import field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, AskCycle, AskTimeout, MailboxFull
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox, Overflow
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.mailbox.errors import ChoragusError
from choragus.supervision.spec import Child, DynamicSupervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System


@frozen
class Via(Request[str]):
    """Ask the next, and so on; each of `also` is asked at the same time."""

    way: tuple[Ref[Via | Hold], ...] = ()
    also: tuple[Ref[Via | Hold], ...] = ()
    timeout: float = 30.0
    first: float = field(default=0.0)
    """Seconds before it asks."""


@frozen
class Hold(Request[str]):
    seconds: float


class Link(Actor[Via | Hold]):
    @handle
    async def via(self, message: Via) -> str:
        await asyncio.sleep(message.first)
        if not message.way:
            return self.path[2:]
        rest = Via(message.way[1:], timeout=message.timeout)
        asks = [message.way[0].ask(rest, timeout=message.timeout), *(other.ask(Via()) for other in message.also)]
        return f"{self.path[2:]} " + " ".join(await asyncio.gather(*asks))

    @handle
    async def hold(self, message: Hold) -> str:
        await asyncio.sleep(message.seconds)
        return "held"


def crowd() -> System:
    return System(tree=DynamicSupervisor(name="t", strategy=OneForOne(max_restarts=99, within=60)), clock=clock)


async def spawn(system: System, kind: type[Link], name: str, mailbox: int | Mailbox = 10_000) -> Ref[Via | Hold]:
    return await system.supervisor("t").start_child(Child(kind, name=name, mailbox=mailbox))


async def links(system: System, names: Iterable[str]) -> list[Ref[Via | Hold]]:
    return [await spawn(system, Link, name) for name in names]


def root_of(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("size", [1, 2, 5])
@simulated(seeds=range(5))
async def test_a_circle_fails_at_once_with_the_chain(size: int) -> None:
    async with crowd() as system:
        circle = await links(system, "abcde"[:size])

        with pytest.raises(ActorFailed) as failed:
            await circle[0].ask(Via((*circle[1:], circle[0])))

        cycle = root_of(failed.value)
        assert isinstance(cycle, AskCycle)
        last = "abcde"[size - 1]
        assert [path[2:] for path in cycle.chain] == [last, *"abcde"[:size]]
        assert now() == 0


@simulated(seeds=range(10))
async def test_a_circle_through_one_of_several_open_asks_is_found() -> None:
    async with crowd() as system:
        a, b, c, d = await links(system, "abcd")

        with pytest.raises(ActorFailed) as failed:
            await a.ask(Via((b, a), also=(c, d)))

        cycle = root_of(failed.value)
        assert isinstance(cycle, AskCycle)
        assert cycle.chain == ("t/b", "t/a", "t/b")


@simulated(seeds=range(5))
async def test_a_circle_with_one_who_is_busy_is_found() -> None:
    """a's ask waits in b's mailbox while b, busy with something else, asks a."""
    async with crowd() as system:
        a, b = await links(system, "ab")
        busy = b.ask(Via((a,), first=1.0))
        waits = a.ask(Via((b,)))

        with pytest.raises(ActorFailed) as failed:
            await busy

        assert isinstance(root_of(failed.value), AskCycle)
        assert now() == 1
        assert await waits == "a b"


@simulated(seeds=range(5))
async def test_the_cycle_is_raised_at_the_call() -> None:
    caught: list[tuple[str, ...]] = []

    class Self(Link):
        @handle
        async def via(self, message: Via) -> str:
            try:
                await self.own_ref.ask(Via())
            except AskCycle as error:
                caught.append(error.chain)
            return "fine"

    async with crowd() as system:
        assert await (await spawn(system, Self, "self")).ask(Via()) == "fine"

    assert caught == [("t/self", "t/self")]


@simulated(seeds=range(10))
async def test_asks_in_a_diamond_are_no_circle() -> None:
    async with crowd() as system:
        a, b, c, d = await links(system, "abcd")

        both: list[str] = list(await asyncio.gather(a.ask(Via((b, d), also=(c, d))), c.ask(Via((d,))), d.ask(Via())))

        assert both == ["a b d c d", "c d", "d"]


@simulated(seeds=range(10))
async def test_asks_of_the_host_are_no_circle() -> None:
    async with crowd() as system:
        a, b = await links(system, "ab")

        answers = list(await asyncio.gather(a.ask(Via((b,))), b.ask(Via()), a.ask(Via((b,)))))

        assert answers == ["a b", "b", "a b"]


@simulated(seeds=range(5))
async def test_an_ask_by_a_task_that_a_handler_left_behind_is_no_circle() -> None:
    class Leaves(Link):
        @handle
        async def via(self, message: Via) -> str:
            async def ask() -> None:
                answers.append(await message.way[0].ask(Via(message.way[1:])))

            tasks.append(asyncio.create_task(ask()))
            await asyncio.sleep(2)
            return "left"

    answers: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    async with crowd() as system:
        leaves = await spawn(system, Leaves, "leaves")
        (b,) = await links(system, "b")
        leaves.tell(Via((b, b)))
        await settled()

        # b asks itself here, which is a circle; leaves, which does not wait, is none of it.
        assert await leaves.ask(Hold(0)) == "held"
        with pytest.raises(ActorFailed):
            await tasks[0]


@pytest.mark.parametrize("busy", [False, True])
@simulated(seeds=range(5))
async def test_an_ask_that_nobody_awaits_is_no_circle_once_its_handler_has_ended(busy: bool) -> None:
    class Forgets(Link):
        @handle
        async def via(self, message: Via) -> str:
            if message.way:
                open_.append(message.way[0].ask(Via((self.own_ref,), first=1.0)))
            return "forgotten"

    open_: list[Awaitable[str]] = []
    async with crowd() as system:
        forgets = await spawn(system, Forgets, "forgets")
        (b,) = await links(system, "b")
        assert await forgets.ask(Via((b,))) == "forgotten"
        if busy:
            assert await forgets.ask(Hold(2)) == "held"  # b asks it meanwhile

        assert await open_[0] == "b forgotten"


@simulated(seeds=range(5))
async def test_an_ask_that_has_timed_out_is_no_circle() -> None:
    class Patient(Link):
        @handle
        async def via(self, message: Via) -> str:
            if message.way:
                with pytest.raises(AskTimeout):
                    await message.way[0].ask(Via((self.own_ref,), first=1.0), timeout=0.5)
                await asyncio.sleep(1)
            return "went on"

    async with crowd() as system:
        failed: list[object] = []
        system.events.subscribe(failed.append)
        patient = await spawn(system, Patient, "patient")
        (b,) = await links(system, "b")

        assert await patient.ask(Via((b,))) == "went on"
        await asyncio.sleep(5)
        assert [event for event in failed if "AskCycle" in str(event)] == []


@simulated(seeds=range(5))
async def test_an_ask_that_was_refused_for_want_of_room_is_no_circle() -> None:
    class Stubborn(Link):
        @handle
        async def via(self, message: Via) -> str:
            if message.way:
                with pytest.raises(MailboxFull):
                    await message.way[0].ask(Via())
                await asyncio.sleep(5)
            return "went on"

    async with crowd() as system:
        full = await spawn(system, Link, "full", Mailbox(limit=1, overflow=Overflow.REJECT))
        stubborn = await spawn(system, Stubborn, "stubborn")
        asks = full.ask(Via((stubborn,), first=1.0))
        await settled()
        full.tell(Hold(0))
        stubborn.tell(Via((full,)))

        assert await asks == "full went on"


@simulated(seeds=range(2))
async def test_a_chain_of_a_thousand_is_followed() -> None:
    async with crowd() as system:
        chain = await links(system, [f"n{n}" for n in range(1500)])
        chain[-1].tell(Hold(20))
        for one, other in pairwise(chain):
            one.tell(Via((other,)))
        await settled()
        (first,) = await links(system, "a")

        assert await first.ask(Via((chain[0],), timeout=60.0), timeout=60.0) == "a n0"


@simulated(seeds=range(1))
async def test_a_handler_that_asks_for_ever_keeps_no_replies() -> None:
    sizes: list[int] = []

    class Asks(Link):
        @handle
        async def via(self, message: Via) -> str:
            for _ in range(2_000):
                await message.way[0].ask(Hold(0))
            ref = self.own_ref
            assert isinstance(ref, LocalRef)
            sizes.append(len(ref.cell.annex.asking))
            return "done"

    async with crowd() as system:
        (b,) = await links(system, "b")
        assert await (await spawn(system, Asks, "asks")).ask(Via((b,))) == "done"

    assert sizes[0] <= 64


@simulated(seeds=range(25))
async def test_of_any_asks_at_random_none_waits_for_its_timeout() -> None:
    """Whatever they ask each other, somebody hears of the circle, and all others get an answer or that failure."""
    async with crowd() as system:
        actors = await links(system, "abcde")
        asks = [
            actor.ask(Via(tuple(random.choices(actors, k=random.randint(0, 3))), first=random.choice([0.0, 0.1])))
            for actor in random.choices(actors, k=8)
        ]
        results = await asyncio.gather(*asks, return_exceptions=True)

        assert all(isinstance(result, str) or isinstance(root_of(result), ChoragusError) for result in results)
        assert not any(isinstance(root_of(result), AskTimeout) for result in results if isinstance(result, Exception))
        assert now() < 5
