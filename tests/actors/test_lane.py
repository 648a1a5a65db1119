"""The system lane: ends and broken links before user messages, stops and failures without waiting at all."""

from __future__ import annotations

import asyncio
import math

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorStopped, LinkBroken, MailboxFull
from choragus.actors.event import Failed
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox, Overflow
from choragus.actors.message import Request
from choragus.actors.notice import Notice
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.actors.watch import Terminated
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System

from .desk import BACKOFF, Fail, Note, held

SEEDS = range(5)
TEMPORARY = Restart.TEMPORARY


@frozen
class Go:
    pass


@frozen
class Count(Request[int]):
    pass


class Mortal(Actor[Go]):
    @handle
    def end(self, message: Go) -> None:
        self.stop()


class Watcher(Actor[Note | Go | Count | Terminated]):
    """Watches, is held by Go, and fails on the first end if so wanted."""

    def __init__(self, log: list[str], gate: asyncio.Event, watched: list[Ref[Go]], failing: list[str]) -> None:
        self.log = log
        self.gate = gate
        self.watched = watched
        self.failing = failing

    async def on_start(self) -> None:
        for ref in self.watched:
            self.watch(ref)

    @handle
    def note(self, message: Note) -> None:
        self.log.append(message.text)

    @handle
    async def hold(self, message: Go) -> None:
        await self.gate.wait()

    @handle
    def count(self, message: Count) -> int:
        return len(self.log)

    @handle
    def ended(self, message: Terminated) -> None:
        self.log.append(message.ref.path)
        if message.ref.path in self.failing:
            raise RuntimeError(message.ref.path)


MAILBOXES = [
    Mailbox(limit=2),
    Mailbox(limit=2, overflow=Overflow.REJECT),
    Mailbox(limit=2, overflow=Overflow.DROP_NEWEST),
    Mailbox(limit=2, overflow=Overflow.DROP_OLDEST),
    Mailbox(limit=2, priority=lambda _: math.inf),
]
NAMES = ["wait", "reject", "newest", "oldest", "priority"]


@pytest.mark.parametrize("mailbox", MAILBOXES, ids=NAMES)
@simulated(seeds=SEEDS)
async def test_r45_ends_go_before_messages_in_their_order_also_in_a_full_mailbox(mailbox: Mailbox) -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock, strategy=BACKOFF) as system:
        mortals = [await system.spawn(Mortal, name=f"m{number}", restart=TEMPORARY) for number in range(3)]
        watcher = await system.spawn(Watcher, log, gate, mortals, [], mailbox=mailbox)
        watcher.tell(Go())
        await settled()
        watcher.tell(Note("a"))
        watcher.tell(Note("b"))

        for mortal in mortals:
            mortal.tell(Go())
            await settled()
        gate.set()
        await settled()

        assert log == ["m0", "m1", "m2", "a", "b"]


@simulated(seeds=SEEDS)
async def test_r45_an_end_goes_before_what_was_set_aside() -> None:
    log: list[str] = []
    gate = asyncio.Event()

    class Stasher(Actor[Note | Go | Terminated]):
        @handle
        async def note(self, message: Note) -> None:
            if gate.is_set():
                log.append(message.text)
            else:
                self.stash()

        @handle
        async def go(self, message: Go) -> None:
            self.watch(mortal)
            await gate.wait()
            self.unstash_all()

        @handle
        def ended(self, message: Terminated) -> None:
            log.append("ended")

    async with System(clock=clock) as system:
        mortal = await system.spawn(Mortal, name="m", restart=TEMPORARY)
        stasher = await system.spawn(Stasher)
        for message in (Note("a"), Note("b"), Go(), Note("c")):
            stasher.tell(message)
        await settled()
        mortal.tell(Go())
        await settled()

        gate.set()
        await settled()

        assert log == ["ended", "a", "b", "c"]


@simulated(seeds=SEEDS)
async def test_r45_ends_are_not_lost_when_the_handler_of_one_raises() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock, strategy=BACKOFF) as system:
        mortals = [await system.spawn(Mortal, name=f"m{number}", restart=TEMPORARY) for number in range(3)]
        watcher = await system.spawn(Watcher, log, gate, mortals, ["m0", "m1"])
        watcher.tell(Go())
        await settled()
        watcher.tell(Note("a"))
        for mortal in mortals:
            mortal.tell(Go())
            await settled()

        gate.set()
        mortals.clear()  # the next incarnation watches nobody anew
        await asyncio.sleep(30.0)

        assert log == ["m0", "m1", "m2", "a"]


@simulated(seeds=SEEDS)
async def test_r45_the_lane_counts_what_it_holds() -> None:
    opened: list[int] = []

    class Numbered(Notice):
        is_urgent = True

        def __init__(self, number: int) -> None:
            self.number = number

        def open(self) -> None:
            opened.append(self.number)

    async with held(10) as desk:
        assert isinstance(desk.ref, LocalRef)
        cell = desk.ref.cell
        for number in range(2000):
            cell.put_first(Numbered(number))
        desk.ref.tell(Note("a"))

        await desk.release()

        assert opened == list(range(2000))
        assert desk.log == ["a"]
        assert (cell.annex.urgent, cell.annex.notices, cell.depth) == (0, 0, 0)


@simulated(seeds=SEEDS)
async def test_r45_a_broken_link_goes_before_messages() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    failures: list[Failed] = []

    class Linked(Actor[Note | Go]):
        @handle
        def note(self, message: Note) -> None:
            log.append(message.text)

        @handle
        async def go(self, message: Go) -> None:
            self.link(weak)
            await gate.wait()

    async with held(10, by=Fail()) as desk:
        weak = desk.ref
        desk.system.events.subscribe(failures.append, Failed)
        linked = await desk.system.spawn(Linked, name="linked", mailbox=1)
        linked.tell(Go())
        await settled()
        linked.tell(Note("a"))

        await desk.release()
        gate.set()
        await settled()

        assert log == []
        assert [type(failed.error) for failed in failures if failed.actor == "linked"] == [LinkBroken]
        await asyncio.sleep(11.0)
        assert log == ["a"]


@simulated(seeds=SEEDS)
async def test_r45_a_link_broken_twice_fails_one_incarnation_once() -> None:
    gate, go = asyncio.Event(), asyncio.Event()
    failures: list[Failed] = []

    class Weak(Actor[Go]):
        @handle
        async def go(self, message: Go) -> None:
            await go.wait()
            raise RuntimeError

    class Linked(Actor[Go]):
        @handle
        async def go(self, message: Go) -> None:
            for one in weak:
                self.link(one)
            await gate.wait()

    async with System(clock=clock, strategy=BACKOFF) as system:
        system.events.subscribe(failures.append, Failed)
        weak = [await system.spawn(Weak, name=f"weak{number}") for number in range(2)]
        linked = await system.spawn(Linked, name="linked")
        for one in (*weak, linked):
            one.tell(Go())
        await settled()

        go.set()
        await settled()
        gate.set()
        await asyncio.sleep(60.0)

        assert [failed.actor for failed in failures].count("linked") == 1


@pytest.mark.parametrize("waiting", [0, 1000])
@simulated(seeds=SEEDS)
async def test_r45_a_stop_waits_for_the_message_in_hand_only(waiting: int) -> None:
    async with held(1000) as desk:
        for _ in range(waiting):
            desk.ref.tell(Note("waits"))
        stopping = asyncio.create_task(desk.system.supervisor().stop_child("desk"))
        await settled()

        await desk.release()
        await stopping

        assert desk.log == []
        with pytest.raises(ActorStopped):
            await desk.ref.send(Note("late"))


@simulated(seeds=SEEDS)
async def test_r45_a_failure_does_not_wait_behind_messages() -> None:
    async with held(1000, by=Fail()) as desk:
        for _ in range(1000):
            desk.ref.tell(Note("waits"))
        with pytest.raises(MailboxFull):
            desk.ref.tell(Note("more"))

        await desk.release()

        assert [type(failed.error) for failed in desk.events if isinstance(failed, Failed)] == [RuntimeError]
        assert desk.log == []
        assert desk.depth == 1000
