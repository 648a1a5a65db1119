"""Turns stand upon each other before they are on disk; what leaves the system waits until they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import attrs
import pytest
from attrs import define, field, frozen

from choragus.actors import inbox, population, writer
from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.durable_life import DurableLife
from choragus.actors.effect import EffectContext
from choragus.actors.errors import AskTimeout
from choragus.actors.event import Degraded, Event, Recovered
from choragus.actors.message import Request
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import CommitUnknown, CorruptRecord, StoreError
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Batch, Committed, Envelope, OnInterrupt, Rejected, Snapshot
from choragus.supervision.errors import SystemFailed
from choragus.supervision.system import System

SEEDS = range(5)

Watch = Callable[[System], list[Event]]


@stored("test.pipeline.pass")
@frozen
class Pass(Request[int]):
    """Passed on, one hop fewer each time."""

    hops: int
    text: str = ""


@stored("test.pipeline.read")
@frozen
class Read(Request[list[str]]):
    pass


@stored("test.pipeline.out")
@frozen
class Out(Request[None]):
    """Let something out of the system."""


@stored("test.pipeline.wait")
@frozen
class Wait(Request[None]):
    """Tell the neighbour to wait for the gate."""

    here: bool = False


@stored("test.pipeline.settle")
@frozen
class Settle(Request[int]):
    """Wait inside the handler until all before it is on disk."""


@stored("test.pipeline.page")
@define
class Page:
    texts: list[str] = field(factory=list)


@frozen
class Heard:
    text: str


class Ear(Actor[Heard]):
    @handle
    def hear(self, message: Heard) -> None:
        HEARD.append(message.text)


HEARD: list[str] = []
STARTED: list[str] = []
COMMITS: list[int] = []


class Hop(DurableActor[Page, Pass | Read | Out | Wait | Settle], name="test.pipeline.hop"):
    gate: ClassVar[asyncio.Event]

    @handle
    def hop(self, message: Pass) -> int:
        self.state.texts.append(f"{message.hops}{message.text}")
        if message.hops:
            following = str(int(self.key) + 1) if self.key.isdigit() else self.key
            self.ref(Hop, following).tell(Pass(message.hops - 1, message.text))
        return message.hops

    @handle
    def read(self, message: Read) -> list[str]:
        return self.state.texts

    @handle
    def out(self, message: Out) -> None:
        self.resources.tell(Heard("told"))  # type: ignore[attr-defined]  # the ref of an Ear
        self.effect("note", Pass(0), then=self.noted, on_interrupt=OnInterrupt.RERUN)
        self.state.texts.append("out")

    @reply
    def noted(self, message: object) -> None:
        self.state.texts.append("noted")

    @handle
    async def wait(self, message: Wait) -> None:
        if message.here:
            self.state.texts.append("waits")
            STARTED.append(self.key)
            await self.gate.wait()
            self.state.texts.append("waited")
        else:
            self.ref(Hop, "waiting").tell(Wait(here=True))

    @handle
    async def settle(self, message: Settle) -> int:
        await self.committed()
        return len(COMMITS)


async def note(request: object, context: EffectContext) -> None:
    STARTED.append(context.id)


class Gated(MemoryStore):
    """A store whose commits wait for a gate, and may fail before or behind the write."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[Batch] = []
        self.fails: list[str] = []
        self.reopened = 0
        HEARD.clear()
        STARTED.clear()
        COMMITS.clear()
        Hop.gate = asyncio.Event()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await self.gate.wait()
        way = self.fails.pop(0) if self.fails else ""
        if way == "before":
            raise CommitUnknown("the disk is full")
        result = await super().commit(batch)
        if isinstance(result, Committed):
            self.batches.append(batch)
            COMMITS.append(1)
        if way == "behind":
            raise CommitUnknown("the flush failed")
        return result

    async def reopen(self) -> None:
        self.reopened += 1
        await super().reopen()


async def warm(system: System, *keys: str) -> None:
    """Have these actors in memory, and everything on disk."""
    for key in keys:
        await system.ref(Hop, key).ask(Read())
    await settled()


@simulated(seeds=SEEDS)
async def test_a_chain_of_turns_is_one_commit_and_its_messages_leave_no_row() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, *map(str, range(10)))
        before = len(store.batches)
        rows = store._messages
        store.gate.clear()

        system.ref(Hop, "0").tell(Pass(9))
        await settled()
        store.gate.set()
        await settled()

        assert [len(batch.turns) for batch in store.batches[before:]] in ([10], [0, 10])
        assert store._messages - rows <= 1


@simulated(seeds=SEEDS)
async def test_nothing_leaves_before_it_is_on_disk() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop], runners={"note": note}) as system:
        system.kernel.resources = await system.spawn(Ear)
        await warm(system, "a")
        store.gate.clear()

        asked = asyncio.ensure_future(system.ref(Hop, "a").ask(Out()))
        await settled()

        assert (asked.done(), HEARD, STARTED) == (False, [], [])
        store.gate.set()
        await asked
        await settled()
        assert (HEARD, len(STARTED)) == (["told"], 1)


@simulated(seeds=SEEDS)
async def test_a_handler_may_wait_until_all_before_it_is_on_disk() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "a")
        hop = system.ref(Hop, "a")
        before = len(store.batches)

        hop.tell(Pass(0))

        assert await hop.ask(Settle()) in (before + 1, before + 2)
        await settled()
        assert await hop.ask(Settle()) == len(COMMITS) - 1  # the message in hand is on disk, its own turn is not


@simulated(seeds=SEEDS)
async def test_what_stands_upon_a_turn_that_was_overtaken_is_undone_and_done_again() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "0", "1", "2", "8", "9")
        store.gate.clear()
        system.ref(Hop, "0").tell(Pass(2, "x"))
        system.ref(Hop, "8").tell(Pass(1, "y"))
        await settled()
        first = system.ref(Hop, "0")
        id = next(id for id in store._actors if id.endswith("/0"))
        store._actors[id] = attrs.evolve(store._actors[id], revision=store._actors[id].revision + 5)

        store.gate.set()

        assert await first.ask(Read()) == ["2x"]
        await settled()
        assert [await system.ref(Hop, key).ask(Read()) for key in "1289"] == [["1x"], ["0x"], ["1y"], ["0y"]]
        assert not await store.parked()


@simulated(seeds=SEEDS)
async def test_a_handler_that_works_on_what_was_undone_is_cancelled_and_runs_once_for_good() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "0", "waiting")
        store.gate.clear()
        system.ref(Hop, "0").tell(Wait())
        await settled()
        assert STARTED == ["waiting"]
        id = next(id for id in store._actors if id.endswith("/0"))
        store._actors[id] = attrs.evolve(store._actors[id], revision=store._actors[id].revision + 5)

        store.gate.set()
        await settled()
        Hop.gate.set()

        assert await system.ref(Hop, "waiting").ask(Read()) == ["waits", "waited"]
        assert STARTED == ["waiting", "waiting"]


@simulated(seeds=SEEDS)
@pytest.mark.parametrize("way", ["before", "behind"])
async def test_a_commit_that_fails_is_repeated_unless_it_is_on_disk(way: str, watch: Watch) -> None:
    store = Gated()
    async with System(store=store, actors=[Hop], runners={"note": note}) as system:
        events = watch(system)
        system.kernel.resources = await system.spawn(Ear)
        await warm(system, "0", "1", "2")
        store.fails = [way, *(["before"] * 3 if way == "before" else [])]

        assert await system.ref(Hop, "0").ask(Pass(2)) == 2
        await system.ref(Hop, "2").ask(Out())
        await settled()

        assert [await system.ref(Hop, key).ask(Read()) for key in "012"] == [["2"], ["1"], ["0", "out", "noted"]]
        assert (HEARD, len(STARTED)) == (["told"], 1)
        assert [type(event) for event in events if isinstance(event, Degraded | Recovered)] == [Degraded, Recovered]
        assert store.reopened == (4 if way == "before" else 1)
        repeated = [entry for entry in await store.log() if entry.kind == "commit.repeated"]
        assert len(repeated) == (1 if way == "before" else 0)


@simulated(seeds=SEEDS)
@pytest.mark.parametrize("way", ["before", "behind"])
async def test_a_keyed_ask_whose_commit_fails_happens_once(way: str) -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "a")
        store.fails = [way]

        first = await system.ref(Hop, "a").ask(Pass(0, "k"), key="k")
        store.fails = [way]
        again = await system.ref(Hop, "a").ask(Pass(7, "k"), key="k")

        assert (first, again) == (0, 0)
        assert await system.ref(Hop, "a").ask(Read()) == ["0k"]


@simulated(seeds=SEEDS)
async def test_while_the_disk_fails_the_system_says_so_and_goes_on_when_it_works() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop], runners={"note": note}) as system:
        system.kernel.resources = await system.spawn(Ear)
        await warm(system, "a")
        assert system.degraded == ""
        store.fails = ["before"] * 6

        with pytest.raises(AskTimeout):
            await system.ref(Hop, "a").ask(Out(), timeout=0.5)

        assert system.degraded == "the disk is full"
        assert (HEARD, STARTED) == ([], [])
        assert await system.ref(Hop, "a").ask(Read()) == ["out"]
        assert system.degraded == ""


@simulated(seeds=SEEDS)
async def test_what_cannot_be_read_for_now_is_read_again() -> None:
    class Deaf(Gated):
        failing = 0

        async def load(self, actor: ActorId) -> Snapshot:
            self._fail()
            return await super().load(actor)

        async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
            self._fail()
            return await super().fetch(actor, limit, now)

        async def renew(self, node: str, ttl: float, now: float) -> bool:
            self._fail()
            return await super().renew(node, ttl, now)

        async def changed(self) -> bool:
            self._fail()
            return await super().changed()

        async def waiting(self, now: float) -> list[ActorId]:
            self._fail()
            return await super().waiting(now)

        def _fail(self) -> None:
            if self.failing:
                self.failing -= 1
                raise StoreError("the disk does not answer")

    store = Deaf()
    async with System(store=store, actors=[Hop]) as system:
        store.failing = 40
        hop = system.ref(Hop, "a")

        assert await hop.ask(Pass(0)) == 0
        store.failing = 40
        await asyncio.sleep(20)
        assert await hop.ask(Read()) == ["0"]


@simulated(seeds=SEEDS)
async def test_rings_that_cannot_be_read_when_the_clock_is_set_back_are_looked_for_again() -> None:
    class Deaf(Gated):
        failing = 0
        looked = 0

        async def rings(self, now: float) -> list[Envelope]:
            if self.failing:
                self.failing -= 1
                raise StoreError("the disk does not answer")
            self.looked += 1
            return await super().rings(now)

    store = Deaf()
    shift = 0.0
    async with System(store=store, actors=[Hop], clock=lambda: clock() + shift) as system:
        await asyncio.sleep(0.1)
        before = store.looked
        store.failing = 3
        shift = -3600.0

        await asyncio.sleep(1)

        assert await system.ref(Hop, "a").ask(Pass(0)) == 0
        assert (store.failing, store.looked - before) == (0, 1)


@simulated(seeds=SEEDS)
async def test_a_damaged_file_ends_the_system() -> None:
    class Rotten(Gated):
        async def reopen(self) -> None:
            raise CorruptRecord("the file is damaged")

    store = Rotten()

    async def scenario() -> None:
        async with System(store=store, actors=[Hop]) as system:
            await warm(system, "a")
            store.fails = ["before"]
            await system.ref(Hop, "a").ask(Pass(0))

    with pytest.raises(SystemFailed) as failed:
        await scenario()

    assert [str(error) for error in failed.value.exceptions] == ["the file is damaged"]


@simulated(seeds=SEEDS)
async def test_durable_actors_pause_when_too_many_turns_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TURNS", 3)
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "a")
        store.gate.clear()

        system.ref(Hop, "a").tell(Pass(20))
        await settled()

        cell = next(iter(system.kernel.population))
        assert len(cell._standing.instance().state.texts) == 3  # type: ignore[attr-defined]  # a Page
        store.gate.set()
        while len(await system.ref(Hop, "a").ask(Read())) < 21:
            await settled()


@simulated(seeds=SEEDS)
async def test_a_keyed_message_keeps_its_place_before_those_that_come_after_it() -> None:
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "a")
        hop = system.ref(Hop, "a")

        store.gate.clear()

        keyed = asyncio.ensure_future(hop.ask(Pass(0, "first"), key="k"))
        await settled()
        hop.tell(Pass(0, "second"))
        await settled()
        store.gate.set()
        await keyed

        assert await hop.ask(Read()) == ["0first", "0second"]


@simulated(seeds=range(10))
async def test_order_holds_whatever_is_in_memory_or_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WINDOW", 3)
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        hop = system.ref(Hop, "a")
        for number in range(30):
            hop.tell(Pass(0, f":{number}"))
            if number % 7 == 0:
                await asyncio.sleep(0.001 * (number % 3))

        texts = await hop.ask(Read())

        assert texts == [f"0:{number}" for number in range(30)]


@simulated(seeds=range(10))
async def test_an_actor_that_is_undone_while_it_is_ready_waits_for_what_is_kept_of_it() -> None:
    class Busy(Gated):
        refused = 0
        overtakes = ""

        async def commit(self, batch: Batch) -> Committed | Rejected:
            await self.gate.wait()
            if self.overtakes and len(batch.turns) > 1:
                id = next(id for id in self._actors if id.endswith(self.overtakes))
                self._actors[id] = attrs.evolve(self._actors[id], revision=self._actors[id].revision + 5)
                self.overtakes = ""
            result = await super().commit(batch)
            if isinstance(result, Rejected):
                self.refused += 1
                if self.refused == 1:
                    system.ref(Hop, "9").tell(Pass(1, "late"))
            return result

    store = Busy()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "8", "9", "10")
        store.gate.clear()
        system.ref(Hop, "8").tell(Pass(0, "first"))  # what comes now is in the batch behind it
        await settled()
        system.ref(Hop, "9").tell(Pass(1, "kept"))
        await settled()
        system.ref(Hop, "8").tell(Pass(1, "lost"))
        await settled()
        store.overtakes = "/8"

        store.gate.set()

        assert await system.ref(Hop, "8").ask(Read()) == ["0first", "1lost"]
        await settled()
        assert sorted(await system.ref(Hop, "9").ask(Read())) == ["0lost", "1kept", "1late"]
        assert await system.ref(Hop, "10").ask(Read()) == ["0kept", "0late"]
        assert store.refused == 1


@simulated(seeds=SEEDS)
async def test_a_repeated_ask_that_gives_up_leaves_nobody_waiting() -> None:
    class Closing(Gated):
        closes_after = 0

        async def commit(self, batch: Batch) -> Committed | Rejected:
            result = await super().commit(batch)
            self.closes_after -= 1
            if not self.closes_after:
                self.gate.clear()
            return result

    store = Closing()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, "a", "b")
        hop = system.ref(Hop, "a")
        first = asyncio.ensure_future(hop.ask(Wait(here=True), key="k"))
        await settled()
        store.gate.clear()
        system.ref(Hop, "b").tell(Pass(0))
        await settled()
        Hop.gate.set()
        await settled()
        again = asyncio.ensure_future(hop.ask(Wait(here=True), key="k", timeout=0.5))
        await settled()

        store.closes_after = 2  # the first reply is out; the second ask looks for it on disk
        store.gate.set()
        with pytest.raises(AskTimeout):
            await again
        store.gate.set()

        await first
        await settled()
        assert not system.kernel.asked._replies


@simulated(seeds=SEEDS)
async def test_no_more_turns_wait_for_the_disk_than_may_however_many_actors_are_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "TURNS", 3)
    keys = [f"k{number}" for number in range(20)]
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        await warm(system, *keys)
        store.gate.clear()

        for key in keys:
            system.ref(Hop, key).tell(Pass(0))
        await settled()

        assert system.kernel.writer._turns == 3
        store.gate.set()
        assert [await system.ref(Hop, key).ask(Read()) for key in keys] == [["0"]] * 20


@simulated(seeds=[0])
async def test_beyond_the_limit_of_actors_in_memory_busy_ones_are_looked_through_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0
    is_idle = vars(DurableLife)["is_idle"]

    def counted(cell: DurableLife) -> object:
        nonlocal looked
        looked += 1
        return is_idle.__get__(cell)

    monkeypatch.setattr(population, "CELLS", 20)
    monkeypatch.setattr(DurableLife, "is_idle", property(counted))
    store = Gated()
    async with System(store=store, actors=[Hop]) as system:
        store.gate.clear()

        for number in range(300):
            system.ref(Hop, f"k{number}").tell(Pass(0))
        await settled()

        assert looked < 20 * 300  # each new one at all the others: 150 * 300
        store.gate.set()
        await warm(system, *map(str, range(50)))
        assert len(system.kernel.population) <= 20
