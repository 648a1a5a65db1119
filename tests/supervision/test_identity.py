"""What a restart keeps, and which order messages have."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref

from attrs import define, field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.event import Failed, Parked, Restarted
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, Region, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch

OFTEN = OneForOne(max_restarts=1000, within=60.0)
SENDERS = 5
MESSAGES = 20


@stored("test.identity.step")
@frozen
class Step:
    sender: int
    number: int
    fails: bool = False


@frozen
class Go:
    pass


@stored("test.identity.steps")
@define
class Steps:
    seen: list[str] = field(factory=list)


class Log:
    """What was handled: by whom, in which incarnation, in this order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, Step]] = []
        self.made = 0


class Receiver(Actor[Step]):
    def __init__(self, log: Log) -> None:
        log.made += 1
        self.log = log
        self.number = log.made

    @handle
    async def step(self, message: Step) -> None:
        self.log.seen.append((self.path, self.number, message))
        if random.random() < 0.3:
            await asyncio.sleep(random.random())
        if message.fails:
            raise ValueError(message.number)


class Sender(Actor[Go]):
    """Sends its steps to all receivers in turn, some of which they fail on."""

    def __init__(self, number: int, to: list[Ref[Step]]) -> None:
        self.number = number
        self.to = to

    @handle
    async def go(self, message: Go) -> None:
        for number in range(MESSAGES):
            for ref in self.to:
                step = Step(self.number, number, fails=random.random() < 0.1)
                if random.random() < 0.5:
                    ref.tell(step)
                else:
                    await ref.send(step)
            if random.random() < 0.3:
                await asyncio.sleep(random.random())


SEEN: list[tuple[str, Step]] = []
"""What durable actors handled: outside every turn, so that failed ones count too."""


class Durable(DurableActor[Steps, Step], name="test.identity.durable"):
    @handle
    def take(self, message: Step) -> None:
        SEEN.append((self.key, message))
        if message.fails:
            raise ValueError(message.number)
        self.state.seen.append(f"{message.sender}/{message.number}")


@simulated(seeds=range(10))
async def test_r39_a_volatile_actor_keeps_ref_and_mailbox_and_does_not_see_the_crashed_message_again() -> None:
    log = Log()
    tree = Supervisor(name="top", strategy=OFTEN, children=[Child(Receiver, name="a", args=(log,))])
    async with System(tree=tree, clock=clock) as system:
        before = system.find(Receiver, "top/a")
        for number in range(6):
            before.tell(Step(0, number, fails=number in (1, 2, 4)))
        await asyncio.sleep(60)

        assert system.find(Receiver, "top/a") == before
        assert [(made, step.number) for _, made, step in log.seen] == [(1, 0), (1, 1), (2, 2), (3, 3), (3, 4), (4, 5)]


@simulated(seeds=range(10))
async def test_r39_a_durable_actor_gets_the_message_again_and_parks_it_after_the_limit() -> None:
    SEEN.clear()
    store = MemoryStore()
    region = Region(Durable, attempts=3, backoff=Backoff(first=1, most=1))
    async with System(store=store, actors=[region], clock=clock) as system:
        events = watch(system)
        durable = system.ref(Durable, "a")
        attempts: list[int] = []
        for number in range(3):
            durable.tell(Step(0, number, fails=number == 1))
        for _ in range(30):
            await asyncio.sleep(0.1)
            attempts.append(system.tree().find("test.identity.durable/a").attempts)

        assert system.ref(Durable, "a") == durable
        assert [step.number for _, step in SEEN] == [0, 1, 1, 1, 2]
        assert list(dict.fromkeys(attempts)) == [1, 2, 0]
        assert [type(event) for event in events] == [Failed, Restarted, Failed, Restarted, Failed, Parked]
        (parked,) = await store.parked()
        assert "failed 3 times, last with ValueError: 1" in parked.reason


@simulated(seeds=range(10))
async def test_r47_order_holds_per_sender_and_receiver() -> None:
    log = Log()
    receivers = [Child(Receiver, name=name, args=(log,)) for name in "ab"]
    async with System(tree=Supervisor(name="top", strategy=OFTEN, children=receivers), clock=clock) as system:
        to: list[Ref[Step]] = [system.find(Receiver, f"top/{name}") for name in "ab"]
        senders = [await system.spawn(Sender, number, to) for number in range(SENDERS)]
        for sender in senders:
            sender.tell(Go())
        await asyncio.sleep(1000)

        for sender_number in range(SENDERS):
            for path in ("top/a", "top/b"):
                numbers = [step.number for at, _, step in log.seen if (at, step.sender) == (path, sender_number)]
                assert numbers == list(range(MESSAGES))


@simulated(seeds=range(4))
async def test_r47_order_holds_on_the_way_to_durable_actors_and_through_their_retries() -> None:
    SEEN.clear()
    region = Region(Durable, attempts=2, backoff=Backoff(first=1, most=1))
    async with System(actors=[region], clock=clock) as system:
        to: list[Ref[Step]] = [system.ref(Durable, key) for key in "ab"]
        senders = [await system.spawn(Sender, number, to) for number in range(SENDERS)]
        for sender in senders:
            sender.tell(Go())
        await asyncio.sleep(1000)

        for sender_number in range(SENDERS):
            for key in "ab":
                numbers = [step.number for at, step in SEEN if (at, step.sender) == (key, sender_number)]
                assert list(dict.fromkeys(numbers)) == list(range(MESSAGES)) == sorted(set(numbers))
                assert numbers == sorted(numbers)


@frozen
class Break:
    """Fail."""


@simulated(seeds=range(1))
async def test_a_failed_incarnation_is_let_go_of_when_its_failure_counts_no_more() -> None:
    kept: list[weakref.ref[object]] = []

    class Noted(Actor[Break]):
        def __init__(self) -> None:
            kept.append(weakref.ref(self))

        @handle
        def fail(self, message: Break) -> None:
            raise ValueError

    async with System(tree=Supervisor(name="top", children=[Child(Noted, name="noted")])) as system:
        system.find(Noted, "top/noted").tell(Break())
        await asyncio.sleep(6.0)
        gc.collect()

        assert [ref() is None for ref in kept] == [True, False]
