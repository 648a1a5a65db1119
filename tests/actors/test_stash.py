"""Messages that are set aside: their order, their bound, their askers, and restarts."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped, MailboxFull, StashFull
from choragus.actors.event import DeadLetter, Dropped, Failed
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox, Overflow
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.actors.watch import Terminated
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System

from .desk import BACKOFF, Ask, Note, depth_of

SEEDS = range(5)


@frozen
class Open:
    urgency: float = 0.0


@frozen
class Break:
    pass


Said = Note | Ask | Open | Break


class Door(Actor[Note | Ask | Open | Break | Terminated]):
    """Sets everything aside until it is open; `failing` starts fail."""

    def __init__(self, log: list[str], failing: list[str], errors: list[Exception]) -> None:
        self.log = log
        self.errors = errors
        self.failing = failing
        self.is_open = False

    async def on_start(self) -> None:
        if self.failing and self.failing[-1] == "stash":
            try:
                self.stash()
            except RuntimeError as error:
                self.errors.append(error)
        elif self.failing and self.failing[-1] == "watch":
            self.timer("timer", Note("timer"), after=1.0)
        elif self.failing and self.log:
            raise RuntimeError(self.failing.pop())

    def aside(self) -> bool:
        if not self.is_open:
            try:
                self.stash()
            except StashFull as error:
                self.errors.append(error)
        return not self.is_open

    @handle
    def note(self, message: Note) -> None:
        if message.text == "twice":
            self.stash()
            self.stash()
        elif message.text == "stash and fail":
            self.stash()
            raise RuntimeError("stashed")
        elif not self.aside():
            self.log.append(message.text)

    @handle
    def ask(self, message: Ask) -> str:
        if message.text == "stash and fail":
            self.stash()
            raise RuntimeError("stashed")
        if self.aside():
            return "not the answer"
        self.log.append(message.text)
        return message.text.upper()

    @handle
    def open(self, message: Open) -> None:
        self.is_open = True
        self.unstash_all()
        self.unstash_all()  # of nothing is fine

    @handle
    def break_(self, message: Break) -> None:
        self.log.append("broke")
        raise RuntimeError

    @handle
    def ended(self, message: Terminated) -> None:
        if not self.aside():
            self.log.append(f"{message.ref.path} ended")


class Case:
    """A door in a system of its own."""

    def __init__(self, mailbox: int | Mailbox = 10_000, *failing: str) -> None:
        self.log: list[str] = []
        self.errors: list[Exception] = []
        self.dropped: list[Dropped] = []
        self.letters: list[DeadLetter] = []
        self.failed: list[Failed] = []
        self.failing = list(failing)
        self.mailbox = mailbox
        self.system = System(clock=clock, strategy=BACKOFF)

    async def __aenter__(self) -> Case:
        await self.system.__aenter__()
        events = self.system.events
        events.subscribe(self.dropped.append, Dropped)
        events.subscribe(self.letters.append, DeadLetter)
        events.subscribe(self.failed.append, Failed)
        self.ref: Ref[Said] = await self.system.spawn(
            Door, self.log, self.failing, self.errors, name="door", mailbox=self.mailbox
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.system.__aexit__(None, None, None)

    async def say(self, *messages: Said) -> None:
        for message in messages:
            self.ref.tell(message)
        await settled()


def notes(text: str) -> list[Note]:
    return [Note(one) for one in text]


@simulated(seeds=SEEDS)
async def test_r46_what_is_set_aside_keeps_its_order_before_what_waits() -> None:
    async with Case() as case:
        await case.say(*notes("abc"), Open(), *notes("de"))

        assert case.log == list("abcde")


@simulated(seeds=SEEDS)
async def test_r46_the_stashs_capacity_holds() -> None:
    async with Case(Mailbox(stash=2)) as case:
        await case.say(*notes("abc"), Open())

        assert [str(error) for error in case.errors] == [
            "door has 2 messages set aside (its limit): unstash_all(), or Mailbox(stash=)"
        ]
        assert case.log == ["a", "b"]


@simulated(seeds=SEEDS)
async def test_r46_what_is_set_aside_survives_starts_that_fail_and_keeps_its_order() -> None:
    async with Case(10_000, "second", "first") as case:
        await case.say(*notes("abc"), Break(), Note("d"))
        await case.say(Note("e"))
        assert case.log == ["broke"]
        await asyncio.sleep(31.0)
        await case.say(Note("f"), Open())

        assert case.failing == []
        assert case.log == ["broke", *"abcdef"]


@simulated(seeds=SEEDS)
async def test_an_ask_that_was_set_aside_is_answered_when_it_is_handled() -> None:
    async with Case() as case:
        asking = [asyncio.ensure_future(case.ref.ask(Ask(text))) for text in "ab"]
        await settled()
        assert not any(one.done() for one in asking)

        await case.say(Open())

        assert await asyncio.gather(*asking) == ["A", "B"]


@simulated(seeds=SEEDS)
async def test_what_is_set_aside_when_the_actor_stops_is_refused() -> None:
    async with Case() as case:
        asking = asyncio.ensure_future(case.ref.ask(Ask("asked")))
        await case.say(Note("told"))

        await case.system.supervisor().stop_child("door")

        with pytest.raises(ActorStopped, match=r"^door has stopped"):
            await asking
        assert case.letters == [DeadLetter("door", Note("told"))]


@simulated(seeds=SEEDS)
async def test_a_message_is_set_aside_once() -> None:
    async with Case() as case:
        await case.say(Note("twice"))

        assert [str(failed.error) for failed in case.failed] == [
            "door has no message in hand to stash: call stash() in a handler, once"
        ]


@simulated(seeds=SEEDS)
async def test_a_message_set_aside_by_a_handler_that_fails_is_not_seen_again() -> None:
    async with Case() as case:
        asking = asyncio.ensure_future(case.ref.ask(Ask("stash and fail")))
        await case.say(Note("a"))

        with pytest.raises(ActorFailed):
            await asking
        await asyncio.sleep(11.0)
        await case.say(Note("stash and fail"), Note("b"))
        await asyncio.sleep(11.0)
        await case.say(Open())

        assert case.log == ["a", "b"]
        assert case.letters == []
        assert len(case.failed) == 2


@simulated(seeds=SEEDS)
async def test_there_is_nothing_to_set_aside_in_on_start() -> None:
    async with Case(10_000, "stash") as case:
        assert [str(error) for error in case.errors] == [
            "door has no message in hand to stash: call stash() in a handler, once"
        ]


@simulated(seeds=SEEDS)
async def test_what_is_set_aside_does_not_count_towards_the_bound_until_it_is_back() -> None:
    async with Case(2) as case:
        for text in "abcd":
            await case.say(Note(text))

        await case.say(Note("e"), Note("f"))
        assert depth_of(case.ref) == 0
        assert isinstance(case.ref, LocalRef)
        case.ref.cell.unstash_all()
        assert depth_of(case.ref) == 6
        with pytest.raises(MailboxFull):
            case.ref.tell(Note("g"))


@simulated(seeds=SEEDS)
async def test_what_is_set_aside_is_not_dropped_while_it_is() -> None:
    async with Case(Mailbox(limit=1, overflow=Overflow.DROP_OLDEST)) as case:
        for text in "abc":
            await case.say(Note(text))

        case.ref.tell(Open())
        case.ref.tell(Open())
        await settled()

        assert [event.message for event in case.dropped] == [Open()]
        assert case.log == ["a", "b", "c"]


@simulated(seeds=SEEDS)
async def test_a_timers_message_can_be_set_aside() -> None:
    async with Case(10_000, "watch") as case:
        await asyncio.sleep(2.0)
        await case.say(Open())

        assert case.log == ["timer"]


@simulated(seeds=SEEDS)
async def test_the_news_of_an_end_can_be_set_aside() -> None:
    class Mortal(Actor[Open]):
        @handle
        def end(self, message: Open) -> None:
            self.stop()

    class Watching(Door):
        async def on_start(self) -> None:
            self.watch(mortal)

    async with Case() as case:
        mortal = await case.system.spawn(Mortal, name="mortal", restart=Restart.TEMPORARY)
        watching = await case.system.spawn(Watching, case.log, [], [], name="watching")
        mortal.tell(Open())
        await settled()
        assert case.log == []

        watching.tell(Open())
        await settled()

        assert case.log == ["mortal ended"]


def urgency(message: object) -> float:
    return message.urgency if isinstance(message, Note | Open) else 0.0


@simulated(seeds=SEEDS)
async def test_with_priorities_what_was_set_aside_comes_before_its_equals() -> None:
    async with Case(Mailbox(priority=urgency)) as case:
        for message in (Note("low", -1), Note("b"), Note("high", 1), Note("c")):
            await case.say(message)
        case.ref.tell(Open(9))
        for message in (Note("d"), Note("lower", -2), Note("low too", -1), Note("higher", 2)):
            case.ref.tell(message)
        await settled()

        assert case.log == ["higher", "high", "b", "c", "d", "low", "low too", "lower"]


@simulated(seeds=SEEDS)
async def test_r46_the_next_incarnation_finds_what_was_set_aside_first_in_its_mailbox() -> None:
    incarnations = iter([False, True])

    class Opening(Door):
        async def on_start(self) -> None:
            self.is_open = next(incarnations)

    async with Case() as case:
        opening = await case.system.spawn(Opening, case.log, [], [], name="opening")
        messages: list[Note | Break] = [*notes("ab"), Break(), *notes("cd")]
        for message in messages:
            opening.tell(message)
        await asyncio.sleep(11.0)

        assert case.log == ["broke", *"abcd"]
