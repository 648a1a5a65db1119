"""Full mailboxes: who waits, who is refused, what is dropped, and that nobody hangs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped, AskTimeout, MailboxFull
from choragus.actors.event import DeadLetter, Dropped, Event
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox, Overflow, as_mailbox
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.errors import SpecFault
from choragus.supervision.spec import Child
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System

from .desk import Ask, Desk, Fail, Held, Note, held

SEEDS = range(5)
WAIT, REJECT = Overflow.WAIT, Overflow.REJECT
NEWEST, OLDEST = Overflow.DROP_NEWEST, Overflow.DROP_OLDEST
NOT_WAITING = pytest.mark.parametrize("overflow", [REJECT, NEWEST, OLDEST], ids=lambda one: one.name)


def fill(desk: Held, many: int) -> None:
    for number in range(many):
        desk.ref.tell(Note(str(number)))


# Bad mailboxes.


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mailbox(limit=0), r"^a mailbox with limit=0: it must be a whole number, 1 or more, or math\.inf$"),
        (lambda: Mailbox(limit=-1), r"^a mailbox with limit=-1: it must"),
        (lambda: Mailbox(limit=1.5), r"^a mailbox with limit=1\.5: it must"),
        (lambda: Mailbox(limit=math.nan), r"^a mailbox with limit=nan: it must"),
        (lambda: Mailbox(limit=-math.inf), r"^a mailbox with limit=-inf: it must"),
        (lambda: Mailbox(limit="x"), r"^a mailbox with limit='x': it must"),  # type: ignore[arg-type]
        (lambda: Mailbox(limit=None), r"^a mailbox with limit=None: it must"),  # type: ignore[arg-type]
        (lambda: Mailbox(limit=True), r"^a mailbox with limit=True: it must"),
        (lambda: Mailbox(deep=0), r"^a mailbox with deep=0: it must be a whole number, 1 or more, or math\.inf$"),
        (lambda: Mailbox(deep="x"), r"^a mailbox with deep='x': it must"),  # type: ignore[arg-type]
        (lambda: Mailbox(stash=-1), r"^a mailbox with stash=-1: it must be a whole number, 0 or more, or math\.inf$"),
        (lambda: Mailbox(stash=0.5), r"^a mailbox with stash=0\.5: it must"),
        (lambda: Mailbox(overflow="drop"), r"^a mailbox with overflow='drop': use one of \['Overflow\.WAIT'"),  # type: ignore[arg-type]
        (lambda: Mailbox(priority=3), r"^a mailbox with priority=3: give a function from a message to a number$"),  # type: ignore[arg-type]
        (
            lambda: Mailbox(priority=lambda _: 0, overflow=OLDEST),
            r"^a mailbox with a priority cannot drop the oldest: use DROP_NEWEST, REJECT or WAIT$",
        ),
    ],
)
def test_a_bad_mailbox_is_refused_with_value_limit_and_remedy(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("limit", [0, -1, 1.5, math.nan, "x", True, None])
def test_a_child_with_a_bad_limit_is_a_spec_fault(limit: int) -> None:
    with pytest.raises(SpecFault, match=r"^mailbox=.*: a mailbox with limit=.*: it must be a whole number"):
        Child(Desk, name="desk", mailbox=limit)


async def test_spawning_with_a_bad_limit_is_a_spec_fault() -> None:
    async with System() as system:
        with pytest.raises(SpecFault, match=r"^mailbox=0: a mailbox with limit=0: "):
            await system.spawn(Desk, mailbox=0)


def test_a_limit_stands_for_a_mailbox() -> None:
    assert as_mailbox(7) == Mailbox(limit=7)
    assert as_mailbox(10_000) == Mailbox()
    assert as_mailbox(Mailbox(limit=3)) == Mailbox(limit=3)


# The bound.


@pytest.mark.parametrize("limit", [1, 3, 10_000])
@simulated(seeds=SEEDS)
async def test_exactly_the_limit_waits(limit: int) -> None:
    async with held(limit) as desk:
        fill(desk, limit)

        with pytest.raises(MailboxFull, match=rf"^desk has {limit} messages waiting \(its limit\): use send, which"):
            desk.ref.tell(Note("more"))

        await desk.release()
        assert desk.log == [str(number) for number in range(limit)]


@pytest.mark.parametrize("overflow", Overflow, ids=lambda one: one.name)
@simulated(seeds=range(2))
async def test_an_infinite_mailbox_takes_everything(overflow: Overflow) -> None:
    async with held(Mailbox(limit=math.inf, overflow=overflow)) as desk:
        fill(desk, 20_500)

        await desk.release()

        assert len(desk.log) == 20_500


@simulated(seeds=range(15))
async def test_the_bound_holds_at_every_moment_whoever_comes() -> None:
    async with held(3) as desk:
        most = 0

        async def send(name: str) -> None:
            nonlocal most
            for number in range(20):
                await desk.ref.send(Note(f"{name}{number}"))
                most = max(most, desk.depth)

        async def tell() -> None:
            nonlocal most
            for _ in range(60):
                with suppress(MailboxFull):
                    desk.ref.tell(Note("t"))
                most = max(most, desk.depth)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(one) for one in (send("a"), send("b"), tell(), tell())]
        await settled()
        desk.gate.set()
        await asyncio.gather(*tasks)
        await settled()

        assert most == 3
        for name in "ab":
            assert [text for text in desk.log if text[0] == name] == [f"{name}{number}" for number in range(20)]


# WAIT.


@simulated(seeds=range(10))
async def test_whoever_waits_longest_is_let_in_first_sends_and_asks_alike() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        waiting: list[asyncio.Future[object]] = []
        for number in range(6):
            message = desk.ref.send(Note(f"w{number}")) if number % 2 else desk.ref.ask(Ask(f"w{number}"))
            waiting.append(asyncio.ensure_future(message))
            await settled()

        await desk.release()
        await asyncio.gather(*waiting)

        assert desk.log == ["0", "w0", "w1", "w2", "w3", "w4", "w5"]


@simulated(seeds=range(10))
async def test_nobody_overtakes_those_who_wait() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        first = asyncio.create_task(desk.ref.send(Note("first")))
        await settled()
        desk.gate.set()

        async def push() -> None:
            while not first.done():
                with suppress(MailboxFull):
                    desk.ref.tell(Note("pushed"))
                await asyncio.sleep(0)

        await asyncio.gather(push(), first)
        await settled()

        assert desk.log[:2] == ["0", "first"]


@simulated(seeds=SEEDS)
async def test_an_ask_waits_for_room_within_its_timeout_and_is_then_never_delivered() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        began = clock()

        with pytest.raises(AskTimeout, match=r"^desk did not answer Ask within 5 s"):
            await desk.ref.ask(Ask("late"), timeout=5.0)

        assert 5.0 <= clock() - began < 5.1
        await desk.release()
        assert desk.log == ["0"]


@simulated(seeds=SEEDS)
async def test_an_ask_that_is_cancelled_while_it_waits_for_room_is_never_delivered() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        asking = asyncio.ensure_future(desk.ref.ask(Ask("cancelled")))
        behind = asyncio.ensure_future(desk.ref.ask(Ask("behind")))
        await settled()

        asking.cancel()
        await desk.release()

        assert await behind == "BEHIND"
        assert desk.log == ["0", "behind"]


@simulated(seeds=range(10))
async def test_a_send_cancelled_as_it_is_let_in_is_either_through_or_never_delivered() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        sending = asyncio.create_task(desk.ref.send(Note("cancelled")))
        behind = asyncio.create_task(desk.ref.send(Note("behind")))
        await settled()
        cell = desk.ref.cell if isinstance(desk.ref, LocalRef) else None
        assert cell is not None

        cell._withdraw(next(one for one in cell._box or cell._batch or ()))  # room, and the next is let in
        sending.cancel()
        await asyncio.wait({sending, behind})
        await desk.release()

        assert sending.cancelled()
        assert desk.log == ["behind"]


@simulated(seeds=SEEDS)
async def test_those_who_gave_up_waiting_leave_nothing_behind() -> None:
    async with held(1) as desk:
        fill(desk, 1)
        asking = [asyncio.ensure_future(desk.ref.ask(Ask("x"), timeout=1.0)) for _ in range(1000)]

        await asyncio.gather(*asking, return_exceptions=True)
        await settled()

        assert isinstance(desk.ref, LocalRef)
        assert len(desk.ref.cell._room) == 0
        assert all(isinstance(one.exception(), AskTimeout) for one in asking)


@simulated(seeds=SEEDS)
async def test_an_actor_that_ends_itself_does_not_wait_for_those_who_wait_for_room() -> None:
    class Leaver(Actor[Note]):
        @handle
        async def leave(self, message: Note) -> None:
            await gate.wait()
            self.stop()

    gate = asyncio.Event()
    async with System(clock=clock) as system:
        ref: Ref[Note] = await system.spawn(Leaver, restart=Restart.TEMPORARY, mailbox=1)
        ref.tell(Note("in hand"))
        await settled()
        ref.tell(Note("waits"))
        sending = asyncio.create_task(ref.send(Note("outside")))
        await settled()

        gate.set()

        with pytest.raises(ActorStopped):
            await sending


@simulated(seeds=SEEDS)
async def test_a_failed_actors_senders_go_on_waiting_and_are_let_in_after_its_restart() -> None:
    async with held(1, by=Fail()) as desk:
        fill(desk, 1)
        asking = asyncio.ensure_future(desk.ref.ask(Ask("asked"), timeout=60.0))
        sending = asyncio.create_task(desk.ref.send(Note("sent")))
        await settled()

        await desk.release()
        assert desk.log == []

        assert await asking == "ASKED"
        await sending
        await settled()
        assert desk.log == ["0", "asked", "sent"]


@simulated(seeds=SEEDS)
async def test_what_waits_for_room_when_the_actor_stops_is_told() -> None:
    async with held(1) as desk:
        desk.ref.tell(Note("told"))
        sending = asyncio.create_task(desk.ref.send(Note("sent")))
        asking = asyncio.ensure_future(desk.ref.ask(Ask("asked"), timeout=math.inf))
        await settled()

        stopping = asyncio.create_task(desk.system.supervisor().stop_child("desk"))
        await settled()
        desk.gate.set()
        await stopping

        for waiting in (sending, asking):
            with pytest.raises(ActorStopped, match=r"^desk has stopped"):
                await waiting
        assert desk.told(DeadLetter) == [DeadLetter("desk", Note("told"))]
        assert desk.log == []


# REJECT.


@simulated(seeds=SEEDS)
async def test_rejecting_tells_every_sender_at_once() -> None:
    async with held(Mailbox(limit=2, overflow=REJECT)) as desk:
        fill(desk, 2)
        full = r"^desk has 2 messages waiting \(its limit\): send less, or give it more by Mailbox\(limit=\.\.\.\)$"
        began = clock()

        with pytest.raises(MailboxFull, match=full):
            desk.ref.tell(Note("told"))
        with pytest.raises(MailboxFull, match=full):
            await desk.ref.send(Note("sent"))
        with pytest.raises(MailboxFull, match=full):
            await desk.ref.ask(Ask("asked"))

        assert clock() == began
        await desk.release()
        assert desk.log == ["0", "1"]


@simulated(seeds=SEEDS)
async def test_an_ask_that_was_rejected_is_not_waited_for() -> None:
    """Else the one that was full could not ask back: it would look like a circle."""

    @frozen
    class Go(Request[str]):
        pass

    class Asker(Actor[Go]):
        @handle
        async def go(self, message: Go) -> str:
            with pytest.raises(MailboxFull):
                await desk.ref.ask(Ask("rejected"))
            return await other.ask(Go(), timeout=5.0)

    class Other(Actor[Go]):
        @handle
        def go(self, message: Go) -> str:
            assert isinstance(asker, LocalRef)
            assert [reply.asked.path for reply in asker.cell.asking] == ["other"]
            return "no circle"

    async with held(Mailbox(limit=1, overflow=REJECT)) as desk:
        fill(desk, 1)
        other = await desk.system.spawn(Other, name="other")
        asker = await desk.system.spawn(Asker, name="asker")

        assert await asker.ask(Go()) == "no circle"


# Dropping.


@simulated(seeds=SEEDS)
async def test_the_newest_is_dropped_and_told() -> None:
    async with held(Mailbox(limit=2, overflow=NEWEST)) as desk:
        fill(desk, 2)

        desk.ref.tell(Note("told"))
        await desk.ref.send(Note("sent"))

        assert desk.told(Dropped) == [Dropped("desk", Note(text), "", NEWEST) for text in ("told", "sent")]
        await desk.release()
        assert desk.log == ["0", "1"]


@simulated(seeds=SEEDS)
async def test_the_oldest_is_dropped_and_told() -> None:
    async with held(Mailbox(limit=2, overflow=OLDEST)) as desk:
        fill(desk, 2)

        desk.ref.tell(Note("told"))
        await desk.ref.send(Note("sent"))

        assert desk.told(Dropped) == [Dropped("desk", Note(text), "", OLDEST) for text in ("0", "1")]
        await desk.release()
        assert desk.log == ["told", "sent"]


@simulated(seeds=SEEDS)
async def test_the_oldest_is_the_oldest_also_of_what_a_worker_has_taken_over() -> None:
    log: list[str] = []
    gates = [asyncio.Event() for _ in range(2)]

    class Slow(Actor[Note]):
        @handle
        async def note(self, message: Note) -> None:
            await gates[len(log)].wait() if len(log) < 2 else None
            log.append(message.text)

    async with System(clock=clock) as system:
        ref: Ref[Note] = await system.spawn(Slow, mailbox=Mailbox(limit=4, overflow=OLDEST))
        for text in "abcd":  # taken over together: a in hand, b to d in the batch
            ref.tell(Note(text))
        await settled()
        for text in "efg":  # e fits, f and g push out b and c, which are in the batch
            ref.tell(Note(text))

        gates[0].set()
        await settled()  # d in hand
        for text in "hij":
            ref.tell(Note(text))
        gates[1].set()
        await settled()

        assert log == ["a", "d", "g", "h", "i", "j"]


@pytest.mark.parametrize(("overflow", "lost"), [(NEWEST, "new"), (OLDEST, "old")])
@simulated(seeds=SEEDS)
async def test_an_asker_whose_message_is_dropped_is_told_at_once(overflow: Overflow, lost: str) -> None:
    async with held(Mailbox(limit=1, overflow=overflow)) as desk:
        asking = {text: asyncio.ensure_future(desk.ref.ask(Ask(text))) for text in ("old", "new")}
        began = clock()

        with pytest.raises(MailboxFull, match=r"^desk has 1 messages waiting \(its limit\): send less"):
            await asking.pop(lost)

        assert clock() == began
        await desk.release()
        [(text, kept)] = asking.items()
        assert await kept == text.upper()


@simulated(seeds=SEEDS)
async def test_a_drop_names_the_actor_that_sent() -> None:
    class Sender(Actor[Ask]):
        @handle
        def ask(self, message: Ask) -> str:
            desk.ref.tell(Note("dropped"))
            return "sent"

    async with held(Mailbox(limit=1, overflow=NEWEST)) as desk:
        fill(desk, 1)
        sender = await desk.system.spawn(Sender, name="sender")

        await sender.ask(Ask("go"))

        assert desk.told(Dropped) == [Dropped("desk", Note("dropped"), "sender", NEWEST)]


@pytest.mark.parametrize("limit", [1, 2])
@simulated(seeds=SEEDS)
async def test_a_subscriber_that_sends_again_what_was_dropped_does_not_break_the_bound(limit: int) -> None:
    async with held(Mailbox(limit=limit, overflow=OLDEST)) as desk:
        again = [Note("again")]

        def resend(event: Event) -> None:
            if again:
                desk.ref.tell(again.pop())
            assert desk.depth == limit

        desk.system.events.subscribe(resend, Dropped)
        fill(desk, limit + 1)

        assert desk.depth == limit
        assert len(desk.told(Dropped)) == 2


class Busy(Actor[Note]):
    """Sets a timer and pipes, and is then held."""

    def __init__(self, log: list[str], gate: asyncio.Event) -> None:
        self.log = log
        self.gate = gate

    async def on_start(self) -> None:
        self.timer("timer", Note("timer"), after=1.0)
        self.pipe_to_self(asyncio.sleep(2.0, "piped"), Note)

    @handle
    async def note(self, message: Note) -> None:
        if message.text == "hold":
            await self.gate.wait()
        self.log.append(message.text)


@NOT_WAITING
@simulated(seeds=SEEDS)
async def test_timers_and_piped_results_are_never_dropped_and_take_no_room(overflow: Overflow) -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        ref: Ref[Note] = await system.spawn(Busy, log, gate, mailbox=Mailbox(limit=1, overflow=overflow))
        ref.tell(Note("hold"))
        await asyncio.sleep(3.0)  # both notices wait

        ref.tell(Note("a"))  # and there is room
        if overflow is REJECT:
            with pytest.raises(MailboxFull):
                ref.tell(Note("b"))
        else:
            ref.tell(Note("b"))
        gate.set()
        await settled()

        assert log == ["hold", "timer", "piped", "b" if overflow is OLDEST else "a"]


@simulated(seeds=SEEDS)
async def test_notices_that_are_handled_let_nobody_in_beyond_the_bound() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        ref: Ref[Note] = await system.spawn(Busy, log, gate, mailbox=1)
        ref.tell(Note("hold"))
        await settled()
        ref.tell(Note("hold"))
        sending = [asyncio.create_task(ref.send(Note("sent"))) for _ in range(3)]
        await asyncio.sleep(3.0)
        assert isinstance(ref, LocalRef)
        cell, most = ref.cell, 0

        gate.set()
        while not all(sender.done() for sender in sending):
            most = max(most, cell.depth - cell.annex.notices)
            await asyncio.sleep(0)
        await settled()

        assert most <= 1
        assert cell.annex.notices == 0
        assert log == ["hold", "hold", "timer", "piped", "sent", "sent", "sent"]


# Messages through an adapter.


class Adapted(Actor[Note]):
    """Gives away a ref that takes text."""

    def __init__(self, refs: list[Ref[str]], gate: asyncio.Event) -> None:
        self.gate = gate
        self.refs = refs

    async def on_start(self) -> None:
        self.refs.append(self.adapter(Note))

    @handle
    async def note(self, message: Note) -> None:
        await self.gate.wait()


@NOT_WAITING
@simulated(seeds=SEEDS)
async def test_translated_messages_are_bounded_and_dropped_as_others(overflow: Overflow) -> None:
    refs: list[Ref[str]] = []
    dropped: list[Dropped] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        system.events.subscribe(dropped.append, Dropped)
        await system.spawn(Adapted, refs, gate, name="adapted", mailbox=Mailbox(limit=1, overflow=overflow))
        refs[0].tell("in hand")
        await settled()
        refs[0].tell("waits")

        if overflow is REJECT:
            with pytest.raises(MailboxFull):
                refs[0].tell("more")
        else:
            refs[0].tell("more")
            lost = "more" if overflow is NEWEST else "waits"
            assert dropped == [Dropped("adapted", lost, "", overflow)]
        gate.set()


@simulated(seeds=SEEDS)
async def test_translated_messages_that_wait_when_the_actor_stops_are_dead_letters_as_they_were_sent() -> None:
    refs: list[Ref[str]] = []
    letters: list[DeadLetter] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        system.events.subscribe(letters.append, DeadLetter)
        await system.spawn(Adapted, refs, gate, name="adapted")
        refs[0].tell("in hand")
        await settled()
        refs[0].tell("waits")

        await system.supervisor().stop_child("adapted")
        refs[0].tell("late")

        assert letters == [DeadLetter("adapted", "waits"), DeadLetter("adapted", "late")]


# Restarts and stops.


@pytest.mark.parametrize("overflow", Overflow, ids=lambda one: one.name)
@simulated(seeds=SEEDS)
async def test_r25_messages_that_arrive_during_a_backoff_are_kept_within_bound_and_policy(overflow: Overflow) -> None:
    async with held(Mailbox(limit=2, overflow=overflow), by=Fail()) as desk:
        await desk.release()  # it has failed, and is started again in 10 s
        full = overflow in (WAIT, REJECT)

        fill(desk, 2)
        if full:
            with pytest.raises(MailboxFull):
                desk.ref.tell(Note("2"))
        else:
            desk.ref.tell(Note("2"))
        assert desk.depth == 2
        assert desk.log == []
        await asyncio.sleep(11.0)

        lost = {NEWEST: ["2"], OLDEST: ["0"]}.get(overflow, [])
        assert [event.message for event in desk.events if isinstance(event, Dropped)] == [Note(text) for text in lost]
        assert desk.log == (["1", "2"] if overflow is OLDEST else ["0", "1"])


@simulated(seeds=SEEDS)
async def test_r25_what_is_not_kept_during_a_backoff_is_refused_when_the_system_ends() -> None:
    async with held(2, by=Fail()) as desk:
        await desk.release()
        desk.ref.tell(Note("told"))
        asking = asyncio.ensure_future(desk.ref.ask(Ask("asked")))
        outside = asyncio.ensure_future(desk.ref.ask(Ask("outside")))
        await settled()

    assert desk.told(DeadLetter) == [DeadLetter("desk", Note("told"))]
    for waiting in (asking, outside):
        with pytest.raises(ActorStopped):
            await waiting


@pytest.mark.parametrize("overflow", Overflow, ids=lambda one: one.name)
@simulated(seeds=SEEDS)
async def test_the_bound_is_the_same_after_a_stop_and_a_new_start(overflow: Overflow) -> None:
    log: list[str] = []
    gate = asyncio.Event()
    child = Child(Desk, name="desk", args=(log, gate), mailbox=Mailbox(limit=1, overflow=overflow))
    async with System(clock=clock, tree=child) as system:
        ref = system.find(Desk, "desk")
        await system.supervisor().stop_child("desk")
        ref.tell(Note("dead"))
        await system.supervisor().restart_child("desk")

        for text in "ab":
            ref.tell(Note(text))
            await settled()

        assert log == ["a", "b"]


@simulated(seeds=SEEDS)
async def test_the_asker_of_a_message_in_hand_is_told_of_the_failure_not_of_the_mailbox() -> None:
    class Weak(Actor[Ask]):
        @handle
        def ask(self, message: Ask) -> str:
            raise RuntimeError(message.text)

    async with System(clock=clock) as system:
        ref = await system.spawn(Weak, name="weak", mailbox=1)

        with pytest.raises(ActorFailed, match=r"^weak failed on Ask$"):
            await ref.ask(Ask("x"))
