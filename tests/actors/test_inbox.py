"""What a durable cell holds of its mailbox."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from choragus.actors.inbox import WINDOW, Inbox
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Envelope, Turn

ME = ActorId("test.inbox/me")


def message(id: str, timer: str = "") -> Envelope:
    return Envelope(id=id, receiver=ME, sender="s", record=Record("json", 1, b"1"), timer=timer)


def turn(*cancelled: str) -> Turn:
    return Turn(id="t", actor=ME, fence=1, revision=1, timers_cancelled=cancelled)


def ids(inbox: Inbox) -> list[str]:
    found: list[str] = []
    while inbox.head is not None:
        found.append(inbox.head.id)
        inbox.take(inbox.head)
    return found


async def filled(*envelopes: Envelope) -> Inbox:
    inbox = Inbox(ME, MemoryStore())
    await inbox.refill(0.0)
    for envelope in envelopes:
        inbox.deliver(envelope)
    return inbox


async def test_messages_are_held_in_the_order_of_their_delivery() -> None:
    assert ids(await filled(message("1"), message("2"), message("3"))) == ["1", "2", "3"]


async def test_a_timer_that_was_taken_back_is_not_held_any_more() -> None:
    inbox = await filled(message("1"), message("2", "x"), message("3", "y"))

    inbox.accept(turn("x"), message("0"), spent=False)

    assert ids(inbox) == ["1", "3"]


async def test_an_answer_takes_the_place_of_the_timer_that_waited_for_it() -> None:
    inbox = await filled(message("late", "ask:1"), message("1"))

    inbox.deliver(attrs.evolve(message("answer", "ask:1"), answer=True))
    inbox.accept(turn("ask:1"), message("0"), spent=False)

    assert ids(inbox) == ["1", "answer"]


async def test_a_head_that_has_gone_is_not_replaced_by_its_retry() -> None:
    inbox = await filled(message("1", "x"), message("2"))
    inbox.accept(turn("x"), message("0"), spent=False)

    inbox.replace_head(attrs.evolve(message("1", "x"), attempts=1))

    assert ids(inbox) == ["2"]


async def test_what_is_delivered_beyond_the_window_or_behind_it_is_found_on_disk_in_order() -> None:
    store = MemoryStore()
    inbox = Inbox(ME, store)
    await inbox.refill(0.0)
    envelopes = [message(str(number)) for number in range(2 * WINDOW + 3)]
    await store.append(envelopes)
    for envelope in envelopes:
        inbox.deliver(envelope)

    found = ids(inbox)
    while inbox:
        for id in found[-WINDOW:]:
            store._take((ME, id))
        await inbox.refill(0.0)
        found += ids(inbox)

    assert found == [envelope.id for envelope in envelopes]


async def test_what_is_delivered_while_the_disk_is_read_is_neither_lost_nor_doubled() -> None:
    reading, gate = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStore):
        async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
            found = await super().fetch(actor, limit, now)
            reading.set()
            await gate.wait()
            return found

    store = Slow()
    await store.append([message("1")])
    inbox = Inbox(ME, store)
    refilling = asyncio.ensure_future(inbox.refill(0.0))
    await reading.wait()
    await store.append([message("2")])
    inbox.deliver(message("2"))
    gate.set()
    await refilling

    assert ids(inbox) == ["1"]
    store._take((ME, "1"))
    await inbox.refill(0.0)
    assert ids(inbox) == ["2"]


async def test_a_timer_that_rang_is_found_again_when_the_answer_in_its_place_is_withdrawn() -> None:
    late = message("late", "ask:1")
    store = MemoryStore()
    inbox = Inbox(ME, store)
    await inbox.refill(0.0)
    await store.append([late])
    inbox.accept(attrs.evolve(turn(), sends=(late,)), message("0"), spent=False)
    inbox.settle(attrs.evolve(turn(), sends=(late,)), message("0"))
    inbox.deliver(late)
    inbox.deliver_early(attrs.evolve(message("answer", "ask:1"), answer=True))

    inbox.withdraw("answer")

    assert inbox
    await inbox.refill(0.0)
    assert ids(inbox) == ["late"]


async def test_the_news_of_a_message_that_was_found_and_handled_before_does_not_bring_it_again() -> None:
    inbox = await filled(message("1"))
    inbox.accept(turn(), message("1"), spent=True)

    inbox.deliver(message("1"))

    assert inbox.head is None


async def test_a_timer_is_not_held_any_more_when_the_answer_in_its_place_is_on_disk() -> None:
    inbox = await filled(message("late", "ask:1"), message("1"))
    inbox.deliver_early(attrs.evolve(message("answer", "ask:1"), answer=True))
    assert [one.id for one in inbox._held] == ["late", "1"]

    inbox.arrive("answer")

    assert ids(inbox) == ["1"]


async def test_a_timer_that_was_taken_back_is_not_taken_when_its_news_comes_late() -> None:
    inbox = await filled(message("1"))
    inbox.accept(turn("x"), message("0"), spent=False)

    inbox.deliver(message("2", "x"))

    assert ids(inbox) == ["1"]


async def test_what_is_withdrawn_leaves_nothing_behind() -> None:
    inbox = await filled()
    inbox.deliver_early(message("1"))
    inbox.deliver_early(message("2"), barred=True)
    inbox.deliver_early(message("3"))

    for id in "321":
        inbox.withdraw(id)

    assert inbox.is_settled
    assert not inbox


@pytest.mark.parametrize("way", ["never set", "handled", "undone"])
async def test_an_answer_waits_for_the_disk_when_its_timer_may_be_gone(way: str) -> None:
    late, answer = message("late", "ask:1"), attrs.evolve(message("answer", "ask:1"), answer=True)
    inbox = await filled(message("0"))
    asking = attrs.evolve(turn(), sends=(late,))
    if way != "never set":
        inbox.accept(asking, message("0"), spent=True)
    if way == "handled":
        inbox.accept(turn(), late, spent=True)
    if way == "undone":
        inbox.undo(asking, message("0"))
        await inbox.refill(0.0)

    inbox.deliver_early(answer)
    inbox.take(message("0"))
    await inbox.refill(0.0)

    assert inbox.head is None


async def test_an_answer_whose_timer_waits_is_handled_before_it_is_on_disk() -> None:
    inbox = await filled()
    inbox.accept(attrs.evolve(turn(), sends=(message("late", "ask:1"),)), message("0"), spent=False)

    inbox.deliver_early(attrs.evolve(message("answer", "ask:1"), answer=True))

    assert ids(inbox) == ["answer"]


async def test_what_is_found_on_disk_counts_as_early_until_its_news_comes() -> None:
    store = MemoryStore()
    inbox = Inbox(ME, store)
    inbox.deliver_early(message("1"))
    await store.append([message("1")])

    await inbox.refill(0.0)

    assert inbox.is_early("1")
    inbox.arrive("1")
    assert not inbox.is_early("1")
    assert ids(inbox) == ["1"]


async def test_an_answer_that_comes_from_disk_takes_the_place_of_its_timer() -> None:
    inbox = await filled(message("late", "ask:1"), message("1"))

    inbox.deliver(attrs.evolve(message("answer", "ask:1"), answer=True))

    assert ids(inbox) == ["1", "answer"]


async def test_a_timer_that_was_taken_back_is_not_read_from_disk_before_that_is_there() -> None:
    store = MemoryStore()
    await store.append([message("1", "x"), message("2")])
    inbox = Inbox(ME, store)
    inbox.accept(turn("x"), message("0"), spent=False)

    await inbox.refill(0.0)

    assert ids(inbox) == ["2"]


async def test_no_more_than_the_window_is_held() -> None:
    inbox = await filled()

    for number in range(WINDOW + 3):
        inbox.deliver_early(message(str(number)))

    assert len(inbox._held) == WINDOW
