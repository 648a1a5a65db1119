"""Whatever the store and the actors do: each message is handled once, in order, and nothing leaves too early."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict

import pytest

from choragus.actors import inbox, kernel, population, writer
from choragus.actors.durable_cell import DurableCell
from choragus.actors.errors import AskTimeout, MessageParked, SystemStopped
from choragus.actors.scheduler import Runnable, Scheduler
from choragus.actors.testing.loop import clock
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import decode
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .chaos import KEYS, MORTAL, Chaos, Diary, Do, Ear, Program, Puppet, World, program

ALL = (*KEYS, *MORTAL)
QUIET = 60.0
"""Seconds after which nothing goes on any more."""


class Host:
    """Tells and asks at random, and keeps what it told."""

    def __init__(self, system: System, world: World, counts: Counter[str]) -> None:
        self.system = system
        self.world = world
        self.counts = counts
        self.told: list[str] = []
        self.asks: list[asyncio.Future[str]] = []

    def label(self, key: str) -> str:
        self.counts[key] += 1
        return f"host>{key}>{self.counts[key]}"

    async def act(self, depth: int) -> None:
        key = random.choice(ALL)
        ref = self.system.ref(Puppet, key)
        message = Do(self.label(key), json.dumps(program(depth, ALL)))
        self.told.append(message.label)
        match random.choice(["tell", "tell", "send", "ask", "keyed", "requeue"]):
            case "send":
                await ref.send(message, timeout=600)
            case "ask":
                await self._begin(key, message, "")
            case "keyed":
                for _ in range(random.choice([1, 2, 3])):
                    await self._begin(key, message, message.label)
                    await asyncio.sleep(random.choice([0, 0, 0.01]))
            case "requeue":
                ref.tell(message)
                parked = await self.system.kernel.store.parked()
                if parked:
                    one = random.choice(parked).envelope
                    body = decode(one.record)
                    self.world.requeued.add(body.label if isinstance(body, Do) else "")
                    await self.system.kernel.store.requeue(one.receiver, one.id)
            case _:
                ref.tell(message)

    async def _begin(self, key: str, message: Do, once: str) -> None:
        begun = asyncio.Event()
        self.asks.append(asyncio.ensure_future(self._ask(key, message, once, begun)))
        await begun.wait()

    async def _ask(self, key: str, message: Do, once: str, begun: asyncio.Event) -> str:
        timeout = random.choice([0.01, 1, 300])
        begun.set()
        try:
            label = await self.system.ref(Puppet, key).ask(message, timeout=timeout, key=once)
        except (AskTimeout, MessageParked, SystemStopped):
            return ""
        if label != message.label:
            self.world.wrong.append(f"{message.label} was answered by {label}")
        self.world.check(label, "a reply")
        return label


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Make every bound small."""
    patch.setattr(inbox, "WINDOW", random.choice([1, 2, 3, 8, 128]))
    patch.setattr(writer, "BATCH", random.choice([1, 2, 5, 256]))
    patch.setattr(writer, "TURNS", random.choice([1, 2, 5, 1000]))
    patch.setattr(writer, "SLICE", random.choice([1, 2, 64]))
    patch.setattr(kernel, "POLL", random.choice([0.04, 1, 1, 1, 1, 1]))
    patch.setattr(population, "CELLS", random.choice([1, 2, 4, 1000]))


def watch(world: World, patch: pytest.MonkeyPatch) -> None:
    """Notice a cell that is ready twice, and two cells of one actor at work."""
    activate, drain = Scheduler.activate, DurableCell.drain

    def activated(scheduler: Scheduler, cell: Runnable) -> None:
        if cell in scheduler.ready:
            world.wrong.append(f"{cell.path} is ready twice")
        activate(scheduler, cell)

    async def drained(cell: DurableCell, *args: object) -> int:
        known = cell._host.population.cell(cell.id)  # type: ignore[attr-defined]  # the kernel
        if known is not None and known is not cell:
            world.wrong.append(f"a cell of {cell.id} works that is not known any more")
        return await drain(cell, *args)  # type: ignore[arg-type]  # as it came

    patch.setattr(Scheduler, "activate", activated)
    patch.setattr(DurableCell, "drain", drained)


async def run(world: World, store: Chaos, *, rounds: int, acts: int, depth: int) -> list[Host]:
    hosts: list[Host] = []
    counts: Counter[str] = Counter()
    for number in range(rounds):
        last = number == rounds - 1
        harm, store.harm = store.harm, 0.0
        async with opened(world, store) as system:
            store.harm = harm
            world.ear = await system.spawn(Ear, world)
            host = Host(system, world, counts)
            hosts.append(host)
            for _ in range(acts):
                await host.act(depth)
                await asyncio.sleep(random.choice([0, 0, 0, 0.01, 0.5]))
            if last:
                await end(system, store, world)
            else:
                await asyncio.sleep(random.choice([0, 0.1, 5]))
        await asyncio.gather(*host.asks)
    return hosts


def opened(world: World, store: Chaos) -> System:
    region = Region(Puppet, attempts=3, backoff=Backoff(first=0.01, most=0.1))
    return System(store=store, actors=[region], resources=world, runners={"note": world.note}, clock=clock)


async def end(system: System, store: Chaos, world: World) -> None:
    """Let everything come to its end, and look whether it did."""
    await asyncio.sleep(QUIET)
    store.harm = 0.0
    stop: Program = [["cancel", name] for name in ("tx", "ty")]
    for _ in range(3):
        for key in ALL:
            system.ref(Puppet, key).tell(Do(f"end>{key}", json.dumps([*stop, ["unstash"]])))
        await asyncio.sleep(QUIET)
    core = system.kernel
    left = {str(actor): [one.id for one in mail.values()] for actor, mail in store._mail.items()}
    assert left == {}, left
    assert (core.writer._bytes, core.writer._turns, core.writer.backlog) == (0, 0, 0)
    assert not core.writer._pausing
    assert not core.running
    assert not core.asked._replies, str(core.asked._replies)
    assert not core.asked._writes
    assert not core.effects._running
    assert not core.effects._waiting
    for cell in core.population:
        box = cell.inbox
        sets = (box._held, box._aside, box._early, box._barred, box._spent, box._gone, box._answers)
        assert not any(sets), (cell.id, sets)
        assert cell._suspended is None, cell._suspended
        assert cell.is_idle, (cell.id, vars(cell))
    assert set(store._steps) <= set(store._parked)


def judge(world: World, store: Chaos, hosts: list[Host]) -> None:
    """Exactly once, in order, and nothing too early."""
    assert not world.wrong, world.wrong[:5]
    bodies = [decode(one.envelope.record) for one in store._parked.values()]
    parked = Counter(body.label for body in bodies if isinstance(body, Do))
    seen = {key: view.key for (_, key), view in store._views.items()}
    diaries: dict[str, Diary] = {}
    for actor, snapshot in store._actors.items():
        if not snapshot.ended:
            diaries[actor.rpartition("/")[2]] = decode(snapshot.state) if snapshot.state else Diary()  # type: ignore[assignment]  # a Diary
    told = [label for host in hosts for label in host.told]
    for key, diary in diaries.items():
        told += diary.told
        once = Counter(one for one in diary.seen if not one.startswith(("tick", "end")))
        assert [one for one, times in once.items() if times > 1] == [], key
        assert Counter(diary.asked) == Counter(diary.answered), (key, diary)
        for label in once:
            if not label.startswith("timer"):
                assert label.split(">")[1] == key
        assert set(diary.intended) >= set(diary.noted) >= {*diary.intended} - {*diary.dropped}, (key, diary)
        assert len(set(diary.noted)) == len(diary.noted), (key, diary)
        stood: dict[str, list[int]] = defaultdict(list)
        for label in once:
            sender, _, number = label.split(">")
            if not label.startswith("timer") and not world.tries[f"{label} stashed"] and label not in world.requeued:
                stood[sender].append(int(number))
        for sender, numbers in stood.items():
            assert numbers == sorted(numbers), (key, sender, numbers)
    for label in told:
        assert (label in seen) + parked[label] == 1, label
    assert max(world.ran.values(), default=0) <= len(hosts)  # an end interrupts effects, and they run again
    for label, times in (*world.heard.items(), *world.steps.items()):
        assert times == 1, (label, times)


async def scenario(*, rounds: int = 1, acts: int = 12, depth: int = 2, harm: float | None = None) -> list[str]:
    """One world from beginning to end; gives what the store refused for no reason of its own."""
    world = World()
    store = Chaos(world, harm=random.choice([0.0, 0.05, 0.2, 0.6]) if harm is None else harm)
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        watch(world, patch)
        hosts = await run(world, store, rounds=rounds, acts=acts, depth=depth)
    judge(world, store, hosts)
    return store.unexplained


@simulated(seeds=range(15))
async def test_each_message_is_handled_once_and_nothing_leaves_too_early() -> None:
    await scenario()


@simulated(seeds=range(8))
async def test_that_holds_over_the_ends_of_a_system() -> None:
    await scenario(rounds=2, acts=8)


@pytest.mark.slow
@simulated(seeds=range(100, 1100), steps=3_000_000)
async def test_that_holds_for_longer_programs() -> None:
    await scenario(rounds=random.choice([1, 1, 2, 3]), acts=25)
