"""Actors of one group and key: what they send each other is handled in the turn that sends it, or else as ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import attrs
import pytest

from choragus.actors.actor import M
from choragus.actors.chain import MOST
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.errors import MessageParked
from choragus.actors.event import Event, Failed, Parked, Restarted
from choragus.actors.fault import Point
from choragus.actors.message import AskFailed, Request
from choragus.actors.testing.faults import crash, faults
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulate, simulated
from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Batch, Committed, OnInterrupt, Rejected
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import SystemFailed
from choragus.supervision.spec import Region
from choragus.supervision.system import System

KEY = "k"


@stored("test.group.pass")
@attrs.frozen
class Pass(Request[None]):
    """Has the first of some words done, such as `left:fail`; the next one's hand has the rest."""

    words: tuple[str, ...]


@stored("test.group.ping")
@attrs.frozen
class Ping:
    left: int


@stored("test.group.stop")
@attrs.frozen
class Stop:
    pass


@stored("test.group.ask")
@attrs.frozen
class Ask:
    amounts: tuple[int, ...]
    slow: int = -1


@stored("test.group.double")
@attrs.frozen
class Double(Request[int]):
    amount: int
    is_slow: bool


@stored("test.group.get")
@attrs.frozen
class Get(Request[list[str]]):
    pass


@stored("test.group.state")
@attrs.define
class Had:
    words: list[str] = attrs.field(factory=list)
    is_stopped: bool = False


S = TypeVar("S", bound=Had)


@attrs.define
class World:
    """Outside: which words fail, and how often; what handlers did; what happens at a ping."""

    fails: Counter[str] = attrs.field(factory=Counter)
    did: list[str] = attrs.field(factory=list)
    at_ping: dict[int, Callable[[], None]] = attrs.field(factory=dict)
    noted: list[str] = attrs.field(factory=list)


class Hand(DurableActor[S, M], Generic[S, M]):
    """One of a group."""

    group: ClassVar[str] = "test.hands"

    @property
    def world(self) -> World:
        world = self.resources
        assert isinstance(world, World)
        return world

    @handle
    async def pass_on(self, message: Pass) -> None:
        word, rest = message.words[0], message.words[1:]
        self.world.did.append(word)
        self.state.words.append(word)
        self.log("passed", word=word)
        self.view("word", word, {"by": self.id})
        await self.do(word)
        if rest:
            self.tell_at(hand(rest[0]), Pass(rest))

    async def do(self, word: str) -> None:
        match word.partition(":")[2]:
            case "fail" if self.world.fails[word]:
                self.world.fails[word] -= 1
                raise RuntimeError(word)
            case "wait":
                await asyncio.sleep(1)
            case "both":
                self.tell_at(hand("right"), Pass(("right:wait",)))
                self.tell_at(hand("right"), Ping(0))
            case "late":
                await asyncio.sleep(1)
                raise RuntimeError(word)
            case "committed":
                await self.committed()
            case "stash" if self.state.words.count(word) == 1:
                self.state.words.append("later")
                self.stash()
            case "unstash":
                self.unstash_all()
            case "end":
                self.end()
            case "effect":
                self.effect("note", Pass((word,)), then=self.noted, on_interrupt=OnInterrupt.RERUN)
            case "bad":
                self.state.words.append(object())  # type: ignore[arg-type]  # on purpose

    @reply
    def noted(self, result: object) -> None:
        self.state.words.append("noted")

    @handle
    def ping(self, message: Ping) -> None:
        self.world.did.append(str(message.left))
        if message.left in self.world.at_ping:
            self.world.at_ping[message.left]()
        if message.left and not self.state.is_stopped:
            other = "right" if self.type_name.endswith("left") else "left"
            self.tell_at(hand(other), Ping(message.left - 1))

    @handle
    def hold_on(self, message: Stop) -> None:
        self.world.did.append("stop")
        self.state.is_stopped = True

    @handle
    def ask_other(self, message: Ask) -> None:
        for amount in message.amounts:
            self.ask_at(hand("right"), Double(amount, amount == message.slow), then=self.doubled, about=str(amount))

    @handle
    async def double(self, message: Double) -> int:
        if message.is_slow:
            await asyncio.sleep(1)
        self.state.words.append(f"doubled {message.amount}")
        return 2 * message.amount

    @reply
    def doubled(self, result: int | AskFailed) -> None:
        self.state.words.append(f"{self.about}:{result}")

    @handle
    def get(self, message: Get) -> list[str]:
        return self.state.words


Told = Pass | Ping | Stop | Ask | Double | Get


class Left(Hand[Had, Told], name="test.group.left"):
    """One."""


class Right(Hand[Had, Told], name="test.group.right"):
    """Another."""


class Other(Hand[Had, Told], name="test.group.other"):
    """A third."""


HANDS: tuple[type[Hand[Had, Told]], ...] = (Left, Right, Other)


def hand(word: str) -> ActorId:
    return actor_id(f"test.group.{word.partition(':')[0]}", KEY)


class Seen(MemoryStore):
    """Keeps the batches that were written."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> Committed | Rejected:
        result = await super().commit(batch)
        if isinstance(result, Committed):
            self.batches.append(batch)
        return result


def open_system(store: MemoryStore, world: World, attempts: int = 5) -> System:
    async def note(request: object, context: EffectContext) -> str:
        assert isinstance(request, Pass)
        world.noted.append(context.id)
        return request.words[0]

    regions = [Region(one, attempts=attempts, backoff=Backoff(first=0.01, most=0.01)) for one in HANDS]
    return System(store=store, actors=regions, resources=world, runners={"note": note}, clock=clock)


async def warm(system: System) -> None:
    """Have all of them in memory: only who is there can be handed a message."""
    for one in HANDS:
        await system.ref(one, KEY).ask(Get())
    await settled()


async def played(store: MemoryStore, world: World, *words: str) -> dict[str, list[str]]:
    async with open_system(store, world) as system:
        await warm(system)
        system.ref(Left, KEY).tell(Pass(words))
        await asyncio.sleep(8)
        return {one.type_name[11:]: await had(system, one) for one in HANDS}


async def had(system: System, one: type[Hand[Had, Told]]) -> list[str]:
    try:
        return await system.ref(one, KEY).ask(Get())
    except MessageParked:
        return ["ended"]


def passed(store: Seen) -> list[Batch]:
    return [
        batch for batch in store.batches if any(entry.kind == "passed" for one in batch.turns for entry in one.entries)
    ]


async def passes(store: Seen) -> list[bytes]:
    return sorted(line.body for line in await store.read("system") if line.kind == "passed")


WORDS = ("left:a", "right:b", "other:c", "left:d", "right:e")
THERE = {"left": ["left:a", "left:d"], "right": ["right:b", "right:e"], "other": ["other:c"]}


@simulated(seeds=range(2))
async def test_what_a_group_does_is_one_turn_of_each_in_one_transaction() -> None:
    store = Seen()

    assert await played(store, World(), *WORDS) == THERE

    (batch,) = passed(store)
    assert [turn.actor for turn in batch.turns] == [hand("left"), hand("right"), hand("other")]
    assert not any(turn.sends for turn in batch.turns)
    lines = [line.body for line in await store.read("system") if line.kind == "passed"]
    assert [word for word in WORDS for line in lines if word.encode() in line] == list(WORDS)
    assert [line.find(word.encode()) > 0 for word, line in zip(WORDS, lines, strict=True)] == [True] * len(WORDS)
    assert len(await store.views("word")) == len(WORDS)


@simulated(seeds=range(2))
async def test_nobody_who_takes_part_is_idle_and_may_leave_memory() -> None:
    world, idle = World(), dict[str, bool]()
    async with open_system(Seen(), world) as system:
        await warm(system)
        cells = system.kernel.population
        world.at_ping[0] = lambda: idle.update({cell.id: cell.is_idle for cell in cells})
        system.ref(Left, KEY).tell(Ping(2))
        await settled()

        assert idle == {hand("left"): False, hand("right"): False, hand("other"): True}
        assert all(cell.is_idle for cell in cells)


@simulated(seeds=range(2))
async def test_a_handler_that_fails_in_a_group_counts_its_own_attempts() -> None:
    """What went before it is on disk, once; the failure is that of the message that failed."""
    world, happened = World(fails=Counter({"other:fail": 2})), list[Event]()
    async with open_system(store := Seen(), world) as system:
        system.events.subscribe(happened.append)
        await warm(system)
        system.ref(Left, KEY).tell(Pass(("left:a", "right:b", "other:fail", "left:d")))
        await asyncio.sleep(8)
        assert await system.ref(Left, KEY).ask(Get()) == ["left:a", "left:d"]
        assert await system.ref(Other, KEY).ask(Get()) == ["other:fail"]

    assert [event.actor.endswith("other/k") for event in happened if isinstance(event, Failed)] == [True, True]
    assert len([event for event in happened if isinstance(event, Restarted)]) == 2
    assert world.did.count("other:fail") == 3  # each try is one call
    attempts = [one.attempts for batch in store.batches for turn in batch.turns for one in turn.attempts]
    assert attempts == [1, 2]
    assert [line.kind for line in await store.read("system")].count("passed") == 4


@simulated(seeds=range(2))
async def test_a_message_that_always_fails_in_a_group_is_parked_and_no_other() -> None:
    world, happened = World(fails=Counter({"other:fail": 100})), list[Event]()
    async with open_system(store := Seen(), world, attempts=3) as system:
        system.events.subscribe(happened.append)
        await warm(system)
        system.ref(Left, KEY).tell(Pass(("left:a", "right:b", "other:fail", "left:d")))
        await asyncio.sleep(8)
        assert await system.ref(Right, KEY).ask(Get()) == ["right:b"]
        assert await system.ref(Other, KEY).ask(Get()) == []

    assert [event.actor.endswith("other/k") for event in happened if isinstance(event, Parked)] == [True]
    (parked,) = await store.parked()
    assert (parked.envelope.receiver, parked.envelope.attempts) == (hand("other"), 2)
    assert world.did.count("other:fail") == 3


@pytest.mark.parametrize("first", [False, True], ids=["in the middle", "of one that was there before"])
@pytest.mark.parametrize("word", ["wait", "late", "committed", "stash", "unstash", "end", "fail", "bad"])
@simulated(seeds=range(2))
async def test_what_takes_a_turn_of_its_own_gets_it(word: str, first: bool) -> None:
    """And what went before it, and comes after it, is there once."""
    who = "left" if first else "other"
    words = ("left:a", "right:b", f"{who}:{word}", "right:e", "right:unstash", f"{who}:unstash")
    fails = Counter({f"{who}:{word}": 1})
    joined, alone = World(fails=fails.copy()), World(fails=fails.copy())

    there = await played(together := Seen(), joined, *words)

    Hand.group = ""
    try:
        assert there == await played(apart := Seen(), alone, *words)
    finally:
        Hand.group = "test.hands"
    assert await passes(together) == await passes(apart)


@simulated(seeds=range(2))
async def test_what_is_sent_behind_a_message_that_takes_its_own_turn_comes_behind_it() -> None:
    world = World()
    await played(Seen(), world, "left:both")

    assert world.did == ["left:both", "right:wait", "right:wait", "0"]


@simulated(seeds=range(2))
async def test_a_handler_that_waited_once_is_not_tried_in_a_group_again() -> None:
    world = World()
    await played(Seen(), world, "left:a", *(f"{one}:wait" for one in ("right", "other") for _ in range(3)))

    assert [count for word, count in Counter(world.did).items() if word.endswith(":wait")] == [4, 4]


@pytest.mark.parametrize("slow", [-1, 1, 3], ids=["none waits", "the first waits", "the last waits"])
@simulated(seeds=range(2))
async def test_each_question_in_a_group_is_answered_once_and_in_order(slow: int) -> None:
    store = Seen()
    async with open_system(store, World()) as system:
        await warm(system)
        system.ref(Left, KEY).tell(Ask((1, 2, 3), slow))
        await asyncio.sleep(8)
        assert sorted(await system.ref(Left, KEY).ask(Get())) == ["1:2", "2:4", "3:6"]
        assert await system.ref(Right, KEY).ask(Get()) == ["doubled 1", "doubled 2", "doubled 3"]
        assert not await store.waiting(clock() + 1e6)


@simulated(seeds=range(2))
async def test_more_questions_than_a_group_turn_holds_are_all_answered() -> None:
    amounts = tuple(range(2 * MOST))
    async with open_system(store := Seen(), World()) as system:
        await warm(system)
        system.ref(Left, KEY).tell(Ask(amounts))
        await asyncio.sleep(8)
        answers = await system.ref(Left, KEY).ask(Get())

    assert sorted(answers) == sorted(f"{one}:{2 * one}" for one in amounts)
    assert not await store.waiting(clock() + 1e6)


@simulated(seeds=range(2))
async def test_a_chain_without_end_lets_others_speak_after_each_group_turn() -> None:
    """What the host says in the middle of it is handled before it has gone on for another turn."""
    world = World()
    async with open_system(Seen(), world) as system:
        await warm(system)
        left, right = system.ref(Left, KEY), system.ref(Right, KEY)

        def say_stop() -> None:
            left.tell(Stop())
            right.tell(Stop())

        world.at_ping[1_000_000 - 5] = say_stop
        left.tell(Ping(1_000_000))
        await asyncio.sleep(8)

    assert world.did.count("stop") == 2
    assert len(world.did) <= 3 * MOST


@simulated(seeds=range(2))
async def test_messages_of_one_sender_keep_their_order() -> None:
    """Also of more than one group turn holds, and when some are left for later."""
    world = World()
    async with open_system(Seen(), world) as system:
        await warm(system)
        for number in range(100):
            word = "wait" if number in (3, 50) else str(number)
            system.ref(Left, KEY).tell(Pass((f"left:{number}", f"right:{word}")))
        await asyncio.sleep(12)
        words = await system.ref(Right, KEY).ask(Get())

    assert words == [f"right:{'wait' if number in (3, 50) else number}" for number in range(100)]


@pytest.mark.parametrize("point", ["before commit", "after commit"])
@simulated(seeds=range(2))
async def test_a_crash_at_a_commit_of_a_group_repeats_and_loses_nothing(point: Point) -> None:
    words = ("left:a", "right:effect", "other:c", "left:effect", "right:e")
    there = {"left": ["left:a", "left:effect", "noted"], "right": ["right:effect", "right:e", "noted"]}
    for skip in range(1, 7):
        store, world = Seen(), World()
        with faults(crash(point, skip=skip)):
            try:
                async with open_system(store, world) as system:
                    await system.ref(Left, KEY).ask(Pass(words), key="once")
                    await asyncio.sleep(8)
            except SystemFailed:
                pass
        async with open_system(store, world) as system:
            await system.ref(Left, KEY).ask(Pass(words), key="once")
            await asyncio.sleep(8)
            for one, wanted in there.items():
                hands = {type.type_name[11:]: type for type in HANDS}
                assert sorted(await system.ref(hands[one], KEY).ask(Get())) == sorted(wanted)
        assert len(set(world.noted)) == 2
        assert [line.kind for line in await store.read("system")].count("passed") == len(words)


@pytest.mark.parametrize("refused", range(3), ids=["the first's", "the second's", "the third's"])
@simulated(seeds=range(2))
async def test_when_one_turn_of_a_group_is_refused_all_of_them_are(refused: int) -> None:
    class Refuses(Seen):
        refusals = 0

        async def commit(self, batch: Batch) -> Committed | Rejected:
            if len(batch.turns) == 3 and self.refusals < 2:
                self.refusals += 1
                return Rejected(offenders={batch.turns[refused].id: "revision"})
            return await super().commit(batch)

    store = Refuses()

    assert await played(store, World(), *WORDS) == THERE

    assert store.refusals == 2
    assert [line.kind for line in await store.read("system")].count("passed") == len(WORDS)


def test_every_order_of_things_has_the_same_outcome() -> None:
    words = ("left:a", "right:effect", "other:fail", "left:wait", "right:e", "other:effect")

    async def once() -> tuple[dict[str, list[str]], int]:
        world = World(fails=Counter({"other:fail": 1}))
        there = await played(Seen(), world, *words)
        return {one: sorted(had) for one, had in there.items()}, len(set(world.noted))

    assert {str(simulate(once, seed=seed)) for seed in range(12)} == {
        str(
            (
                {
                    "left": ["left:a", "left:wait"],
                    "right": ["noted", "right:e", "right:effect"],
                    "other": ["noted", "other:effect", "other:fail"],
                },
                2,
            )
        )
    }
