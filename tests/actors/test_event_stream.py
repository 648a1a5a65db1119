"""The event stream: deep mailboxes, slow handlers, subscribers and readers that misbehave."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import (
    DeadLetter,
    DeepMailbox,
    Dropped,
    Event,
    Events,
    Failed,
    Restarted,
    SlowHandler,
    logger,
)
from choragus.actors.mailbox import Mailbox
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.system import System

from .desk import BACKOFF, Note, held

SEEDS = range(5)
LETTERS = [DeadLetter("a", number) for number in range(5)]


# Deep mailboxes.


@pytest.mark.parametrize("mailbox", [Mailbox(deep=3), Mailbox(deep=3, priority=lambda _: 0.0)], ids=["box", "priority"])
@simulated(seeds=SEEDS)
async def test_a_deep_mailbox_is_told_once_until_it_has_been_empty(mailbox: Mailbox) -> None:
    async with held(mailbox) as desk:
        for _ in range(2):
            desk.ref.tell(Note("x"))
        assert desk.told(DeepMailbox) == []
        for _ in range(5):
            desk.ref.tell(Note("x"))
        assert desk.told(DeepMailbox) == [DeepMailbox("desk", 3)]

        await desk.release()
        for _ in range(4):
            desk.ref.tell(Note("x"))

        assert desk.told(DeepMailbox) == [DeepMailbox("desk", 3)] * 2


@simulated(seeds=SEEDS)
async def test_a_mailbox_was_empty_also_when_its_last_message_is_in_hand() -> None:
    gates = [asyncio.Event() for _ in range(2)]
    deep: list[DeepMailbox] = []

    class Slow(Actor[Note]):
        @handle
        async def note(self, message: Note) -> None:
            if message.text:
                await gates[int(message.text)].wait()

    async with System(clock=clock) as system:
        system.events.subscribe(deep.append, DeepMailbox)
        ref = await system.spawn(Slow, name="slow", mailbox=Mailbox(deep=2))
        for text in ("0", "", "1"):
            ref.tell(Note(text))
        gates[0].set()
        await settled()

        for _ in range(2):
            ref.tell(Note(""))
        gates[1].set()

        assert deep == [DeepMailbox("slow", 2)] * 2


@simulated(seeds=SEEDS)
async def test_deep_is_half_of_the_limit_by_default_and_at_least_100() -> None:
    assert [Mailbox(limit=limit).deep for limit in (10, 1000, math.inf)] == [100, 500, 10_000]


# Slow handlers.


class Sleeper(Actor[Note]):
    """Sleeps for so many seconds, and fails when that is odd."""

    @handle
    async def note(self, message: Note) -> None:
        await asyncio.sleep(float(message.text))
        if float(message.text) % 2:
            raise RuntimeError


@pytest.mark.parametrize(
    ("slow", "seconds", "told"),
    [(None, 10, False), (None, 12, True), (None, 13, True), (2.0, 2, False), (2.0, 3, True), (math.inf, 1000, False)],
)
@simulated(seeds=SEEDS)
async def test_a_slow_handler_is_told_of_also_when_it_fails(slow: float | None, seconds: int, told: bool) -> None:
    events: list[SlowHandler] = []
    system = System(clock=clock, strategy=BACKOFF) if slow is None else System(clock=clock, strategy=BACKOFF, slow=slow)
    async with system:
        system.events.subscribe(events.append, SlowHandler)
        ref = await system.spawn(Sleeper, name="sleeper")
        ref.tell(Note(str(seconds)))

        await asyncio.sleep(seconds + 0.5)

        assert events == ([SlowHandler("sleeper", "Note", seconds)] if told else [])


@pytest.mark.parametrize("slow", [0, -1.0, math.nan])
def test_a_system_whose_slow_is_no_time_is_refused(slow: float) -> None:
    with pytest.raises(ValueError, match=r"^slow=.* of a System: give seconds above 0, or math\.inf for never$"):
        System(slow=slow)


# Subscribers.


def test_a_subscriber_of_a_class_gets_that_class_only() -> None:
    events = Events()
    letters: list[DeadLetter] = []
    events.subscribe(letters.append, DeadLetter)

    events.publish(Restarted("a", 2))
    events.publish(LETTERS[0])

    assert letters == LETTERS[:1]


@pytest.mark.parametrize("kind", [Restarted, Event], ids=["class", "base"])
def test_an_event_is_wanted_as_long_as_somebody_subscribes_to_its_class(kind: type[Event]) -> None:
    events, seen = Events(), list[Event]()
    events.publish(Restarted("a", 2))
    before = events.want(Restarted)

    end = events.subscribe(seen.append, kind)
    events.publish(Restarted("a", 3))
    during = events.want(Restarted)
    end()
    events.publish(Restarted("a", 4))

    assert (before, during, events.want(Restarted)) == (False, True, False)
    assert seen == [Restarted("a", 3)]


def test_an_event_is_wanted_when_its_level_is_logged() -> None:
    before = logger.level
    logger.setLevel(logging.INFO)

    try:
        assert Events().want(Restarted)
    finally:
        logger.setLevel(before)


def test_what_is_logged_goes_through_the_record_factory_and_the_filters_and_is_text() -> None:
    seen: list[logging.LogRecord] = []
    factory = logging.getLogRecordFactory()

    def marked(*args: object, **keywords: object) -> logging.LogRecord:
        record = factory(*args, **keywords)
        record.mark = "mine"
        return record

    def refuse(record: logging.LogRecord) -> bool:
        seen.append(record)
        return False

    logging.setLogRecordFactory(marked)
    logger.addFilter(refuse)
    try:
        Events().publish(Failed("a", ValueError("no"), "Note"))
    finally:
        logger.removeFilter(refuse)
        logging.setLogRecordFactory(factory)

    said = [(one.name, one.levelname, one.getMessage(), one.filename, one.__dict__["mark"]) for one in seen]
    assert said == [("choragus", "WARNING", "a failed on Note: ValueError: no", "event.py", "mine")]
    assert all(type(arg) is str for one in seen for arg in one.args or ())


def test_who_unsubscribes_within_a_callback_gets_no_more_and_the_others_do() -> None:
    events = Events()
    got: list[str] = []

    def first(event: Event) -> None:
        got.append("first")
        end_first()
        end_second()

    end_first = events.subscribe(first)
    end_second = events.subscribe(lambda _: got.append("second"))
    events.subscribe(lambda _: got.append("third"))

    for letter in LETTERS[:2]:
        events.publish(letter)
    end_first()

    assert got == ["first", "third", "third"]


def test_who_is_added_while_an_event_is_told_gets_the_next() -> None:
    events = Events()
    got: list[Event] = []

    def add(event: Event) -> None:
        if event == LETTERS[0]:
            events.subscribe(got.append)

    events.subscribe(add)

    events.publish(LETTERS[0])
    assert got == []
    events.publish(LETTERS[1])

    assert got == [LETTERS[1]]


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_a_subscriber_that_raises_is_kept_and_harms_no_other(error: type[BaseException]) -> None:
    events = Events()
    calls: list[Event] = []
    got: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise error

    events.subscribe(broken)
    events.subscribe(got.append)

    for letter in LETTERS:
        events.publish(letter)

    assert calls == got == LETTERS


@simulated(seeds=SEEDS)
async def test_a_subscriber_that_sends_to_the_actor_in_trouble_does_no_harm() -> None:
    async with held(Mailbox(limit=2, deep=1)) as desk:
        desk.system.events.subscribe(lambda _: desk.ref.tell(Note("from the subscriber")), DeepMailbox)

        desk.ref.tell(Note("a"))

        assert desk.depth == 2
        await desk.release()
        assert desk.log == ["a", "from the subscriber"]


# Streams.


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, math.nan])
def test_a_stream_that_holds_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=r"^limit=.* of a stream: give how many events may wait, 1 or more$"):
        Events().stream(limit=limit)


async def test_a_stream_loses_the_oldest_and_counts_them() -> None:
    events = Events()
    with events.stream(DeadLetter, limit=2) as stream:
        for letter in LETTERS:
            events.publish(letter)
        events.publish(Restarted("a", 2))
    events.publish(LETTERS[0])

    assert [event async for event in stream] == LETTERS[3:]
    assert stream.lost == 3


@simulated(seeds=range(10))
async def test_several_readers_share_a_stream_and_all_end_with_it() -> None:
    events = Events()
    stream = events.stream(DeadLetter)
    got: list[DeadLetter] = []

    async def read() -> None:
        async for event in stream:
            got.append(event)

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await settled()
    for letter in LETTERS:
        events.publish(letter)
    await settled()
    stream.close()
    await asyncio.gather(*readers)

    assert sorted(got, key=repr) == LETTERS


@simulated(seeds=range(10))
async def test_a_reader_that_is_cancelled_takes_nothing_with_it() -> None:
    events = Events()
    stream = events.stream(DeadLetter)
    first, second = (asyncio.ensure_future(anext(stream)) for _ in range(2))
    await settled()

    events.publish(LETTERS[0])
    first.cancel()
    await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    if not first.cancelled():
        events.publish(LETTERS[1])

    assert await second in LETTERS[:2]


async def test_closing_twice_is_fine_and_leaves_nothing_behind() -> None:
    events = Events()
    stream = events.stream()

    stream.close()
    stream.close()

    assert (events._subscriptions, events._streams) == ((), set())
    assert [event async for event in stream] == []


@simulated(seeds=SEEDS)
async def test_the_end_of_the_system_ends_its_streams() -> None:
    async def read() -> list[Event]:
        return [event async for event in stream]

    async with System(clock=clock) as system:
        stream = system.events.stream(limit=10)
        reading = asyncio.create_task(read())
        await settled()

    assert await reading == []


@simulated(seeds=SEEDS)
async def test_a_reader_that_reads_nothing_holds_nobody_back() -> None:
    async with held(Mailbox(limit=1)) as desk:
        stream = desk.system.events.stream(limit=1)
        desk.gate.set()
        await desk.system.supervisor().stop_child("desk")

        for number in range(1000):
            desk.ref.tell(Note(str(number)))

        assert stream.lost == 999
        assert desk.told(Dropped) == []
