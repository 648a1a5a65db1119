"""Handlers that chose to interleave: only they do, and the actor still fails and stops as a whole."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorFailed, ActorStopped, HandlerFault
from choragus.actors.event import DeadLetter, Failed, Restarted, Zombie
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System

SEEDS = range(10)
CANCELLED: list[float] = []


@attrs.frozen
class Fetch(Request[str]):
    """Waits so many seconds, beside others; `error`: and then fails. `resists`: not even a cancellation ends it."""

    seconds: float
    name: str = "fetched"
    error: bool = False
    resists: bool = False


@attrs.frozen
class Look(Request[list[str]]):
    """What has ended so far."""


@attrs.frozen
class Slow(Request[str]):
    """Waits so many seconds, alone."""

    seconds: float


@attrs.frozen
class Leave:
    """Stop yourself."""


class Library(Actor[Fetch | Look | Slow | Leave]):
    def __init__(self) -> None:
        self.ended: list[str] = []

    @handle(reentrant=True)
    async def fetch(self, message: Fetch) -> str:
        await wait(message.seconds, message.resists)
        if message.error:
            raise ValueError(message.name)
        self.ended.append(message.name)
        return message.name

    @handle
    async def slow(self, message: Slow) -> str:
        await asyncio.sleep(message.seconds)
        return "slow"

    @handle
    def look(self, message: Look) -> list[str]:
        return list(self.ended)

    @handle
    def leave(self, message: Leave) -> None:
        self.stop()


async def wait(seconds: float, resists: bool) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while (left := ends - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            CANCELLED.append(seconds)
            if not resists:
                raise


def tree(shutdown: float = 5.0) -> Supervisor:
    return Supervisor(name="top", children=[Child(Library, name="library", shutdown=shutdown)])


@simulated(seeds=SEEDS)
async def test_other_messages_are_handled_while_one_waits() -> None:
    async with System(tree=tree()) as system:
        library = system.find(Library, "top/library")
        asks = [library.ask(Fetch(seconds, f"after {seconds:g}")) for seconds in (3.0, 1.0, 2.0)]

        assert await library.ask(Look()) == []
        assert await asyncio.gather(*asks) == ["after 3", "after 1", "after 2"]
        assert await library.ask(Look()) == ["after 1", "after 2", "after 3"]


@simulated(seeds=SEEDS)
async def test_a_handler_that_did_not_choose_it_holds_up_the_rest() -> None:
    loop = asyncio.get_running_loop()
    async with System(tree=tree()) as system:
        library = system.find(Library, "top/library")
        library.tell(Slow(5.0))

        await library.ask(Fetch(1.0))

        assert loop.time() == 6.0


@simulated(seeds=SEEDS)
async def test_when_one_fails_all_in_hand_are_cancelled_and_their_askers_told() -> None:
    CANCELLED.clear()
    async with System(tree=tree()) as system:
        events: list[object] = []
        system.events.subscribe(events.append, Failed)
        system.events.subscribe(events.append, Restarted)
        library = system.find(Library, "top/library")
        asks = [library.ask(Fetch(10.0)), library.ask(Fetch(1.0, "broken", error=True)), library.ask(Slow(10.0))]
        behind = library.ask(Look())

        results = await asyncio.gather(*asks, return_exceptions=True)
        await settled()

        assert CANCELLED == [10.0]
        assert [type(result) for result in results] == [ActorFailed] * 3
        assert [type(event) for event in events] == [Failed, Restarted]
        assert await behind == []
        await asyncio.sleep(20)
        assert await library.ask(Look()) == []


@simulated(seeds=SEEDS)
async def test_one_that_ends_after_the_failure_changes_nothing() -> None:
    async with System(tree=tree()) as system:
        letters: list[object] = []
        system.events.subscribe(letters.append, DeadLetter)
        library = system.find(Library, "top/library")
        library.tell(Fetch(10.0, "stubborn", resists=True))
        with pytest.raises(ActorFailed):
            await library.ask(Fetch(1.0, error=True))

        await asyncio.sleep(20)

        assert await library.ask(Look()) == []
        assert letters == []


@simulated(seeds=SEEDS)
async def test_a_stop_waits_for_all_in_hand() -> None:
    loop = asyncio.get_running_loop()
    async with System(tree=tree()) as system:
        asks = [system.find(Library, "top/library").ask(Fetch(seconds)) for seconds in (1.0, 4.0)]
        await settled()

        await system.supervisor("top").stop_child("library")

        assert [ask.result() for ask in asks] == ["fetched", "fetched"]  # type: ignore[attr-defined]  # futures
        assert loop.time() == 4.0


@simulated(seeds=SEEDS)
async def test_past_the_deadline_they_are_cancelled_and_then_cut_off() -> None:
    async with System(tree=tree()) as system:
        zombies: list[object] = []
        system.events.subscribe(zombies.append, Zombie)
        library = system.find(Library, "top/library")
        asks = [library.ask(Fetch(100.0)), library.ask(Fetch(100.0, resists=True))]
        await settled()

        await system.supervisor("top").stop_child("library")
        results = await asyncio.gather(*asks, return_exceptions=True)

        assert [type(result) for result in results] == [ActorStopped] * 2
        assert len(zombies) == 1


@simulated(seeds=SEEDS)
async def test_an_actor_that_stops_itself_ends_when_the_last_has_ended() -> None:
    loop = asyncio.get_running_loop()
    async with System() as system:
        library = await system.spawn(Library, restart=Restart.TEMPORARY)
        ends: list[float] = []
        library.when_ended(lambda exit: ends.append(loop.time()))
        asked = library.ask(Fetch(3.0))
        library.tell(Leave())

        assert await asked == "fetched"
        await settled()
        assert ends == [3.0]


@attrs.frozen
class Call(Request[str]):
    """Ask the other one."""


class Answering(Actor[Call]):
    def __init__(self, asks: list[Ref[Call]]) -> None:
        self.asks = asks

    @handle(reentrant=True)
    async def call(self, message: Call) -> str:
        return "done" if not self.asks else await self.asks.pop().ask(Call())


@simulated(seeds=SEEDS)
async def test_a_circle_of_asks_through_a_reentrant_handler_is_answered() -> None:
    async with System() as system:
        first_asks: list[Ref[Call]] = []
        first = await system.spawn(Answering, first_asks)
        second = await system.spawn(Answering, [first])
        first_asks.append(second)

        assert await first.ask(Call()) == "done"


def test_one_that_never_waits_cannot_be_reentrant() -> None:
    with pytest.raises(HandlerFault, match=r"^Plain\.call is reentrant, but never waits: write async def$"):

        class Plain(Actor[Call]):
            @handle(reentrant=True)
            def call(self, message: Call) -> str:
                return ""


@stored("test.reentrant.state")
@attrs.define
class State:
    """Nothing."""


def test_a_turn_cannot_be_reentrant() -> None:
    with pytest.raises(
        HandlerFault, match=r"^Turning\.call: a handler of a durable actor is one turn, and turns do not"
    ):

        class Turning(DurableActor[State, Call], name="test.reentrant.turning"):
            @handle(reentrant=True)
            async def call(self, message: Call) -> str:
                return ""
