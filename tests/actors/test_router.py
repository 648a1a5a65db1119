"""Routers over refs that somebody else looks after."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorStopped, BroadcastAsked, MailboxFull, Unhandled
from choragus.actors.event import DeadLetter
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.router import Router
from choragus.actors.routing import Broadcast, ConsistentHash, LeastLoaded, RoundRobin
from choragus.actors.testing.loop import settled
from choragus.actors.testing.probe import Probe
from choragus.actors.testing.simulation import simulated
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch


@frozen
class Work(Request[str]):
    user: str = ""


@frozen
class Hold:
    gate: asyncio.Event


@frozen
class Other:
    pass


class Worker(Actor[Work | Hold]):
    def __init__(self) -> None:
        self.seen: list[str] = []

    @handle
    def work(self, message: Work) -> str:
        self.seen.append(message.user)
        return self.path

    @handle
    async def hold(self, message: Hold) -> None:
        await message.gate.wait()


async def workers(system: System, *names: str, mailbox: int = 100) -> list[Ref[Work | Hold]]:
    return [await system.spawn(Worker, name=name, restart=Restart.TEMPORARY, mailbox=mailbox) for name in names]


@simulated(seeds=range(4))
async def test_each_in_turn_and_one_that_has_ended_is_passed_over() -> None:
    async with System() as system:
        router = Router(await workers(system, "a", "b", "c"))

        before = [await router.ask(Work()) for _ in range(4)]
        await system.supervisor().stop_child("b")
        after = [await router.ask(Work()) for _ in range(4)]

        assert before == ["a", "b", "c", "a"]
        assert set(after) == {"a", "c"}
        assert [member.path for member in router.members] == ["a", "c"]


@simulated(seeds=range(5))
async def test_the_least_loaded_gets_it_and_the_message_in_hand_counts() -> None:
    gate = asyncio.Event()
    async with System() as system:
        busy, free = await workers(system, "busy", "free")
        router = Router([busy, free], LeastLoaded())
        busy.tell(Hold(gate))
        await settled()

        assert await router.ask(Work()) == "free"
        free.tell(Hold(gate))
        free.tell(Work())
        asked = asyncio.create_task(router.ask(Work()))
        await settled()
        gate.set()
        assert await asked == "busy"


@simulated(seeds=[0])
async def test_all_of_one_key_go_to_one_member_in_order() -> None:
    probes = [Probe(f"probe-{number}") for number in range(4)]
    router = Router(probes, ConsistentHash(key=lambda message: str(getattr(message, "user", ""))))

    for number in range(40):
        router.tell(Work(f"user-{number % 10}"))

    homes = [set(probe.messages) for probe in probes]
    assert sum(map(len, homes)) == 10
    assert all(probe.messages == list(dict.fromkeys(probe.messages)) * 4 for probe in probes)


@simulated(seeds=range(4))
async def test_when_all_have_ended_it_is_as_a_dead_ref() -> None:
    async with System() as system:
        events = watch(system)
        router = Router(await workers(system, "a", "b"), path="crew")
        for name in ("a", "b"):
            await system.supervisor().stop_child(name)

        with pytest.raises(ActorStopped, match=r"^crew has stopped"):
            await router.ask(Work())
        with pytest.raises(ActorStopped, match=r"^crew has stopped"):
            await router.send(Work())
        router.tell(Work("lost"))

        assert [(event.actor, event.message) for event in events if isinstance(event, DeadLetter)] == [
            ("crew", Work("lost"))
        ]


@simulated(seeds=[0])
async def test_a_chosen_member_without_room_says_so() -> None:
    async with System() as system:
        router = Router(await workers(system, "a", mailbox=1))
        router.tell(Work())

        with pytest.raises(MailboxFull, match=r"^a has 1 messages waiting"):
            router.tell(Work())
        await router.send(Work("waited"))


@simulated(seeds=range(4))
async def test_a_broadcast_reaches_all_but_those_without_room() -> None:
    async with System() as system:
        events = watch(system)
        a, full = (await workers(system, "a"))[0], (await workers(system, "full", mailbox=1))[0]
        router = Router([full, a], Broadcast())

        router.tell(Work("1"))
        router.tell(Work("2"))
        await router.send(Work("3"))

        assert [(event.actor, event.message) for event in events if isinstance(event, DeadLetter)] == [
            ("full", Work("2"))
        ]


@simulated(seeds=[0])
async def test_a_broadcast_cannot_be_asked() -> None:
    router = Router([Probe()], Broadcast(), path="all")

    with pytest.raises(BroadcastAsked, match=r"^all gives each message to all.*router\.members"):
        await router.ask(Work())


@simulated(seeds=[0])
async def test_a_broadcast_that_nobody_takes_is_refused_and_to_nobody_is_a_dead_letter() -> None:
    async with System() as system:
        events = watch(system)
        router = Router(await workers(system, "a"), Broadcast(), path="all")

        with pytest.raises(Unhandled, match=r"^all has no handler for Other"):
            router.tell(Other())  # type: ignore[arg-type]  # that is the point
        await system.supervisor().stop_child("a")
        router.tell(Work())

        assert [event.actor for event in events if isinstance(event, DeadLetter)] == ["all"]
        with pytest.raises(ActorStopped, match=r"^all has stopped"):
            await router.send(Work())


@simulated(seeds=[0])
async def test_bad_arguments_are_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"^crew has no members: give it at least one ref"):
        Router([], path="crew")
    with pytest.raises(TypeError, match=r"^routing='random' is none: use RoundRobin"):
        Router([Probe()], "random")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(Unhandled, match=r"^a has no handler for Other"):
        async with System() as system:
            Router(await workers(system, "a"), RoundRobin()).tell(Other())  # type: ignore[arg-type]  # likewise
