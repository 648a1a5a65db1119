"""Mailboxes whose messages are handled by urgency."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from choragus.actors import mail
from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import MailboxFull
from choragus.actors.event import Dropped
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox, Overflow
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.system import System

from .desk import Ask, Desk, Fail, Hold, Note, held

SEEDS = range(5)


def urgency(message: Note | Ask | Hold | Fail) -> float:
    return message.urgency


BY_URGENCY = Mailbox(priority=urgency)


@simulated(seeds=SEEDS)
async def test_the_greater_is_handled_first_and_equals_in_the_order_of_their_arrival() -> None:
    async with held(BY_URGENCY) as desk:
        sent = [Note(str(number), random.choice([-math.inf, -1.5, 0, 1, 2, math.inf])) for number in range(500)]
        for note in sent:
            desk.ref.tell(note)

        await desk.release()

        assert desk.log == [note.text for note in sorted(sent, key=lambda note: -note.urgency)]


@simulated(seeds=SEEDS)
async def test_what_arrives_while_a_handler_runs_overtakes_what_a_worker_has_taken_over() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        ref = await system.spawn(Desk, log, gate, mailbox=BY_URGENCY)
        for message in (Hold(), Note("low", -1), Note("middle")):  # taken over together
            ref.tell(message)
        await settled()

        ref.tell(Note("high", 1))
        ref.tell(Note("middle too"))
        gate.set()
        await settled()

        assert log == ["high", "middle", "middle too", "low"]


class Busy(Actor[Note | Hold]):
    """Rings after 1 s."""

    def __init__(self, log: list[str], gate: asyncio.Event) -> None:
        self.log = log
        self.gate = gate

    async def on_start(self) -> None:
        self.timer("timer", Note("timer"), after=1.0)

    @handle
    def note(self, message: Note) -> None:
        self.log.append(message.text)

    @handle
    async def hold(self, message: Hold) -> None:
        await self.gate.wait()


@simulated(seeds=SEEDS)
async def test_a_timer_has_urgency_0() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        ref: Ref[Note | Hold] = await system.spawn(Busy, log, gate, mailbox=BY_URGENCY)
        ref.tell(Hold())
        for note in (Note("low", -1), Note("high", 1), Note("before")):
            ref.tell(note)
        await asyncio.sleep(2.0)
        for note in (Note("behind"), Note("lower", -2), Note("lowish", -0.5), Note("highest", 2)):
            ref.tell(note)

        gate.set()
        await settled()

        assert log == ["highest", "high", "before", "timer", "behind", "lowish", "low", "lower"]


@pytest.mark.parametrize("way", ["tell", "send", "ask", "ask, full", "send, full"])
@pytest.mark.parametrize("wrong", ["raises", "nan", "text"])
@simulated(seeds=SEEDS)
async def test_a_priority_that_raises_is_the_senders_error_and_nothing_is_lost(way: str, wrong: str) -> None:
    def odd(message: Note | Ask | Hold | Fail) -> float:
        if isinstance(message, Note | Ask) and message.text == "odd":
            if wrong == "raises":
                raise ValueError("odd")
            return math.nan if wrong == "nan" else "text"  # type: ignore[return-value]
        return message.urgency

    async with held(Mailbox(limit=2, priority=odd)) as desk:
        desk.ref.tell(Note("a"))
        if "full" in way:
            desk.ref.tell(Note("b"))

        with pytest.raises(ValueError, match=r"^odd$|^the priority of \w+ is nan: give|could not convert"):  # noqa: PT012  # telling, sending and asking alike
            if way == "tell":
                desk.ref.tell(Note("odd"))
            elif way.startswith("send"):
                await desk.ref.send(Note("odd"))
            else:
                await desk.ref.ask(Ask("odd"))

        sending = asyncio.create_task(desk.ref.send(Note("urgent", 1)))
        await settled()
        assert desk.depth == 2
        await desk.release()
        await sending
        assert sorted(desk.log) == ["a", "b", "urgent"] if "full" in way else desk.log == ["urgent", "a"]


@simulated(seeds=SEEDS)
async def test_the_priority_is_asked_once_per_message() -> None:
    calls = 0

    def counted(message: Note | Ask | Hold | Fail) -> float:
        nonlocal calls
        calls += 1
        return message.urgency

    async with held(Mailbox(priority=counted)) as desk:
        for number in range(1000):
            desk.ref.tell(Note(str(number), random.random()))
        await desk.release()

        assert calls == 1001


@simulated(seeds=SEEDS)
async def test_finding_the_place_takes_a_logarithm_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def looked(delivery: mail.Ranked) -> float:
        nonlocal looks
        looks += 1
        return delivery.rank

    async with held(BY_URGENCY) as desk:
        for number in range(4096):
            desk.ref.tell(Note(str(number), random.random()))
        with monkeypatch.context() as patch:
            patch.setattr(mail, "rank_of", looked)

            desk.ref.tell(Note("one more", 0.5))

        assert 1 <= looks <= 13


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.REJECT, Overflow.DROP_NEWEST], ids=lambda one: one.name)
@simulated(seeds=SEEDS)
async def test_the_bound_holds_for_urgent_messages_too(overflow: Overflow) -> None:
    async with held(Mailbox(limit=2, priority=urgency, overflow=overflow)) as desk:
        desk.ref.tell(Note("low", -1))
        desk.ref.tell(Note("high", 1))

        if overflow is Overflow.DROP_NEWEST:
            desk.ref.tell(Note("urgent", 9))
            assert desk.told(Dropped) == [Dropped("desk", Note("urgent", 9), "", overflow)]
        else:
            with pytest.raises(MailboxFull):
                desk.ref.tell(Note("urgent", 9))

        assert desk.depth == 2
        await desk.release()
        assert desk.log == ["high", "low"]


@simulated(seeds=SEEDS)
async def test_whoever_waits_for_room_is_let_in_by_arrival_and_handled_by_urgency() -> None:
    async with held(Mailbox(limit=1, priority=urgency)) as desk:
        desk.ref.tell(Note("0"))
        sending = []
        for note in (Note("low", -1), Note("high", 1), Note("higher", 2)):
            sending.append(asyncio.create_task(desk.ref.send(note)))
            await settled()

        await desk.release()
        await asyncio.gather(*sending)

        assert desk.log == ["0", "low", "high", "higher"]


@simulated(seeds=SEEDS)
async def test_what_waits_keeps_its_urgency_over_a_restart() -> None:
    async with held(BY_URGENCY, by=Fail()) as desk:
        desk.ref.tell(Note("low", -1))
        desk.ref.tell(Note("high", 1))

        await desk.release()
        desk.ref.tell(Note("middle"))
        await asyncio.sleep(11.0)

        assert desk.log == ["high", "middle", "low"]


@simulated(seeds=SEEDS)
async def test_an_ask_whose_priority_raised_is_not_waited_for() -> None:
    def odd(message: Note | Ask | Hold | Fail) -> float:
        return 1 / len(message.text) if isinstance(message, Ask) else 0.0

    class Asker(Actor[Ask]):
        @handle
        async def ask(self, message: Ask) -> str:
            with pytest.raises(ZeroDivisionError):
                await desk.ref.ask(Ask(""))
            assert isinstance(asker, LocalRef)
            return f"waits for {len(asker.cell.asking)}"

    async with held(Mailbox(priority=odd)) as desk:
        asker = await desk.system.spawn(Asker)

        assert await asker.ask(Ask("go")) == "waits for 0"
