"""What every store promises of mailboxes: order, keys, timers, answers, backoff, parking."""

from __future__ import annotations

import attrs
import pytest

from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Attempt, Batch, Committed, Envelope, Known, Parked, Parking, Rejected, Turn

ALICE = actor_id("bank.account", "alice")
LEDGER = actor_id("bank.ledger", "main")
REPLY = Record("json", 1, b"10")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=Record("bank.deposit", 1, b'{"amount": 10}'))
TIMER = attrs.evolve(MAIL, id="alice#1", timer="tick", due=50.0)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0)
BATCH = Batch(node="a", fence=1, at=10.0)


def batch(*turns: Turn) -> Batch:
    return attrs.evolve(BATCH, turns=turns)


def letters(*names: str) -> list[Envelope]:
    return [attrs.evolve(MAIL, id=name) for name in names]


async def ids(store: Store, actor: ActorId = ALICE, now: float = 1e9) -> list[str]:
    return [envelope.id for envelope in await store.fetch(actor, 100, now)]


async def committed(store: Store, batch: Batch) -> Committed:
    result = await store.commit(batch)
    assert isinstance(result, Committed)
    return result


async def test_messages_come_in_the_order_they_were_appended(store: Store) -> None:
    await store.append(letters("m3", "m1"))
    await store.append(letters("m2"))

    assert await ids(store) == ["m3", "m1", "m2"]


async def test_fetch_gives_no_more_than_asked_for(store: Store) -> None:
    await store.append(letters("m1", "m2", "m3"))

    assert [envelope.id for envelope in await store.fetch(ALICE, 2, 0.0)] == ["m1", "m2"]


async def test_every_field_of_a_message_comes_back(store: Store) -> None:
    full = attrs.evolve(
        MAIL, due=5.0, timer="tick", then="f", reply_to=LEDGER, reply_then="g@x", key="k", trace="00-1", answer=False
    )

    await store.append([full])

    assert await store.fetch(ALICE, 1, 5.0) == [attrs.evolve(full, seq=1)]


async def test_an_append_is_idempotent_by_receiver_and_id(store: Store) -> None:
    await store.append(letters("m1"))

    result = await store.append([*letters("m1", "m2"), attrs.evolve(MAIL, receiver=LEDGER)])

    assert result.known == {}
    assert (await ids(store), await ids(store, LEDGER)) == (["m1", "m2"], ["m1"])


async def test_an_append_of_a_parked_message_does_nothing(store: Store) -> None:
    await store.append(letters("m1"))
    await committed(store, batch(attrs.evolve(TURN, parked=(Parking(message="m1", reason="r"),))))

    await store.append(letters("m1"))

    assert await ids(store) == []


async def test_a_known_key_appends_nothing_and_says_whose_it_is(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, key="k")])

    result = await store.append([attrs.evolve(MAIL, id="m2", key="k"), attrs.evolve(MAIL, receiver=LEDGER, key="k")])

    assert result.known == {"m2": Known(id="m1", reply=None)}
    assert (await ids(store), await ids(store, LEDGER)) == (["m1"], ["m1"])


async def test_a_key_keeps_the_reply_of_its_message(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, key="k")])
    await committed(store, batch(attrs.evolve(TURN, consumed=("m1",), replies=(("m1", REPLY),))))

    result = await store.append([attrs.evolve(MAIL, id="m2", key="k")])

    assert result.known == {"m2": Known(id="m1", reply=REPLY)}


async def test_a_key_and_its_reply_may_fall_into_one_batch(store: Store) -> None:
    turn = attrs.evolve(TURN, consumed=("m1",), replies=(("m1", REPLY),))
    appends = (attrs.evolve(MAIL, key="k"), attrs.evolve(MAIL, id="m2", key="k"))

    result = await committed(store, attrs.evolve(BATCH, appends=appends, turns=(turn,)))

    assert result.known == {"m2": Known(id="m1", reply=None)}
    assert (await store.append([attrs.evolve(MAIL, id="m3", key="k")])).known == {"m3": Known(id="m1", reply=REPLY)}


async def test_a_reply_without_a_key_is_kept_nowhere(store: Store) -> None:
    await store.append(letters("m1"))

    await committed(store, batch(attrs.evolve(TURN, consumed=("m1",), replies=(("m1", REPLY),))))

    assert (await store.append(letters("m2"))).known == {}


async def test_a_message_waits_until_it_is_due(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, id="later", due=50.0), *letters("now")])

    assert (await ids(store, now=49.0), await ids(store, now=50.0)) == (["now"], ["later", "now"])


def timer(name: str, due: float) -> Envelope:
    return attrs.evolve(TIMER, id=name, timer=name, due=due)


async def test_timers_that_are_due_together_ring_in_the_order_of_their_time(store: Store) -> None:
    await store.append([timer("nine", 9.0), *letters("m1"), timer("eight", 8.0), *letters("m2"), timer("seven", 7.0)])

    assert await ids(store, now=6.0) == ["m1", "m2"]
    assert await ids(store, now=9.0) == ["seven", "m1", "eight", "m2", "nine"]


async def test_the_first_timer_comes_first_however_far_behind_it_was_set(store: Store) -> None:
    await store.append([timer("nine", 9.0), *letters("m1", "m2"), timer("eight", 8.0)])

    found = [one.id for one in await store.fetch(ALICE, 2, 10.0)]

    assert found == ["eight", "m1"]
    await committed(store, batch(attrs.evolve(TURN, consumed=tuple(found))))
    assert await ids(store) == ["nine", "m2"]


async def test_a_timer_that_was_requeued_comes_at_the_tail(store: Store) -> None:
    await store.append([timer("seven", 7.0)])
    await committed(store, batch(attrs.evolve(TURN, parked=(Parking(message="seven", reason="r"),))))
    await store.append([timer("nine", 9.0)])

    assert await store.requeue(ALICE, "seven")

    assert await ids(store) == ["nine", "seven"]


async def test_waiting_names_the_actors_with_due_mail_the_longest_waiting_first(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, receiver=LEDGER), *letters("m1"), attrs.evolve(MAIL, id="m2", due=50.0)])
    await store.append([attrs.evolve(MAIL, receiver=actor_id("bank.ledger", "late"), due=50.0)])

    assert await store.waiting(10.0) == [LEDGER, ALICE]


async def test_next_due_is_the_first_moment_ahead(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, id=str(due), due=due) for due in (0.0, 70.0, 60.0)])

    assert [await store.next_due(now) for now in (10.0, 60.0, 70.0)] == [60.0, 70.0, None]


async def test_a_timer_replaces_the_waiting_one_of_its_name(store: Store) -> None:
    await committed(store, batch(attrs.evolve(TURN, sends=(TIMER,))))
    other = attrs.evolve(TIMER, id="alice#2", due=60.0)

    await committed(store, batch(attrs.evolve(TURN, id="t2", revision=1, sends=(other,))))

    assert await ids(store) == ["alice#2"]


async def test_timers_of_one_name_in_one_batch_leave_the_last(store: Store) -> None:
    second = attrs.evolve(TURN, id="t2", revision=1, sends=(attrs.evolve(TIMER, id="alice#2"),))

    await committed(store, batch(attrs.evolve(TURN, sends=(TIMER,)), second))

    assert await ids(store) == ["alice#2"]


async def test_actors_have_timers_of_the_same_name_apart(store: Store) -> None:
    await store.append([TIMER, attrs.evolve(TIMER, receiver=LEDGER)])

    assert (await ids(store), await ids(store, LEDGER)) == (["alice#1"], ["alice#1"])


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "two-batches"])
async def test_a_cancelled_timer_is_gone(store: Store, together: bool) -> None:
    turns = (
        attrs.evolve(TURN, sends=(TIMER,)),
        attrs.evolve(TURN, id="t2", revision=1, timers_cancelled=("tick", "none")),
    )

    for one in [turns] if together else [turns[:1], turns[1:]]:
        await committed(store, batch(*one))

    assert await ids(store) == []


async def test_a_timer_can_be_set_again_in_the_turn_that_cancels_it(store: Store) -> None:
    await store.append([TIMER])
    again = attrs.evolve(TIMER, id="alice#2")

    await committed(store, batch(attrs.evolve(TURN, timers_cancelled=("tick",), sends=(again,))))

    assert await ids(store) == ["alice#2"]


async def test_a_timer_cancelled_by_an_earlier_turn_cannot_be_consumed(store: Store) -> None:
    await store.append([TIMER])
    cancel = attrs.evolve(TURN, timers_cancelled=("tick",))

    result = await store.commit(batch(cancel, attrs.evolve(TURN, id="t2", revision=1, consumed=("alice#1",))))

    assert result == Rejected(offenders={"t2": "consumed"})


async def test_an_answer_takes_the_place_of_the_waiting_timer(store: Store) -> None:
    await store.append([TIMER])
    answer = attrs.evolve(TIMER, id="ledger#1", due=0.0, answer=True)

    result = await committed(store, batch(attrs.evolve(TURN, actor=LEDGER, sends=(answer,))))

    assert result.dropped == frozenset()
    assert await store.fetch(ALICE, 10, 0.0) == [attrs.evolve(answer, seq=2)]


async def test_an_answer_without_a_waiting_timer_is_dropped(store: Store) -> None:
    answer = attrs.evolve(TIMER, id="ledger#1", due=0.0, answer=True)

    result = await committed(store, batch(attrs.evolve(TURN, actor=LEDGER, sends=(answer,))))

    assert result.dropped == frozenset({"ledger#1"})
    assert await ids(store) == []


@pytest.mark.parametrize("together", [True, False], ids=["one-batch", "two-batches"])
async def test_a_second_answer_is_dropped(store: Store, together: bool) -> None:
    await store.append([TIMER])
    answers = [attrs.evolve(TIMER, id=f"ledger#{n}", due=0.0, answer=True) for n in (1, 2)]
    turns = [attrs.evolve(TURN, id=f"t{n}", actor=LEDGER, revision=n, sends=(answers[n],)) for n in (0, 1)]

    results = [await committed(store, batch(*one)) for one in ([turns] if together else [turns[:1], turns[1:]])]

    assert results[-1].dropped == frozenset({"ledger#2"})
    assert await ids(store) == ["ledger#1"]


async def test_a_failed_try_is_counted_and_keeps_its_place(store: Store) -> None:
    await store.append(letters("m1", "m2"))
    attempt = Attempt(message="m1", attempts=1, error="boom", not_before=99.0)

    await committed(store, batch(attrs.evolve(TURN, attempts=(attempt,))))

    first, second = await store.fetch(ALICE, 10, 0.0)
    assert (first.id, first.attempts, first.not_before) == ("m1", 1, 99.0)
    assert (second.id, second.attempts) == ("m2", 0)


async def test_a_message_may_be_born_and_tried_in_one_batch(store: Store) -> None:
    attempt = Attempt(message="m1", attempts=1, error="boom", not_before=99.0)

    await committed(store, attrs.evolve(BATCH, appends=(MAIL,), turns=(attrs.evolve(TURN, attempts=(attempt,)),)))

    assert await store.fetch(ALICE, 1, 0.0) == [attrs.evolve(MAIL, seq=1, attempts=1, not_before=99.0)]


async def test_a_parked_message_leaves_its_mailbox_and_is_listed(store: Store) -> None:
    await store.append(letters("m1", "m2"))

    await committed(store, batch(attrs.evolve(TURN, parked=(Parking(message="m1", reason="bad"),))))

    assert await ids(store) == ["m2"]
    assert await store.parked() == [Parked(envelope=attrs.evolve(MAIL, seq=1), reason="bad", at=10.0)]


async def test_a_message_parked_after_a_try_of_the_same_batch_keeps_the_count(store: Store) -> None:
    await store.append(letters("m1"))
    attempt = Attempt(message="m1", attempts=4, error="boom", not_before=0.0)
    parking = attrs.evolve(TURN, id="t2", revision=1, parked=(Parking(message="m1", reason="bad"),))

    await committed(store, batch(attrs.evolve(TURN, attempts=(attempt,)), parking))

    assert [parked.envelope.attempts for parked in await store.parked()] == [4]


async def test_requeue_puts_a_parked_message_at_the_tail_with_its_counts_at_zero(store: Store) -> None:
    await store.append(letters("m1", "m2"))
    attempt = Attempt(message="m1", attempts=4, error="boom", not_before=1e12)
    parking = attrs.evolve(TURN, id="t2", revision=1, parked=(Parking(message="m1", reason="bad"),))
    await committed(store, batch(attrs.evolve(TURN, attempts=(attempt,)), parking))

    assert await store.requeue(ALICE, "m1")

    assert await store.fetch(ALICE, 10, 0.0) == [
        attrs.evolve(MAIL, id="m2", seq=2),
        attrs.evolve(MAIL, id="m1", seq=3),
    ]
    assert await store.parked() == []


async def test_requeue_of_what_is_not_parked_is_false(store: Store) -> None:
    await store.append(letters("m1"))

    assert not await store.requeue(ALICE, "m1")


async def test_a_requeued_timer_does_not_push_out_the_waiting_one(store: Store) -> None:
    await store.append([TIMER])
    await committed(store, batch(attrs.evolve(TURN, parked=(Parking(message="alice#1", reason="bad"),))))
    await store.append([attrs.evolve(TIMER, id="alice#2")])

    assert await store.requeue(ALICE, "alice#1")

    assert await ids(store) == ["alice#2", "alice#1"]


async def test_what_came_by_append_or_requeue_counts_as_changed_once(store: Store) -> None:
    assert not await store.changed()
    await committed(store, attrs.evolve(BATCH, appends=(MAIL,)))
    assert not await store.changed()

    await store.append(letters("m2"))

    assert [await store.changed(), await store.changed()] == [True, False]


async def test_a_message_that_is_set_aside_keeps_its_place_among_those_set_aside(store: Store) -> None:
    await store.append(letters("m1", "m2", "m3", "m4"))
    await committed(store, batch(attrs.evolve(TURN, stashed=("m2",))))
    await committed(store, batch(attrs.evolve(TURN, id="t2", revision=1, stashed=("m1",))))

    assert (await ids(store), (await store.load(ALICE)).stash) == (["m3", "m4"], ("m2", "m1"))
    assert await store.next_due(0.0) is None
    assert await store.waiting(1e12) == [ALICE]

    await committed(store, batch(attrs.evolve(TURN, id="t3", revision=2, consumed=("m3",), unstashed=("m2", "m1"))))

    assert (await ids(store), (await store.load(ALICE)).stash) == (["m2", "m1", "m4"], ())


async def test_what_is_taken_up_comes_before_what_was_taken_up_earlier(store: Store) -> None:
    await store.append(letters("m1", "m2", "m3"))
    await committed(store, batch(attrs.evolve(TURN, stashed=("m1",))))
    await committed(store, batch(attrs.evolve(TURN, id="t2", revision=1, unstashed=("m1",))))
    await committed(store, batch(attrs.evolve(TURN, id="t3", revision=2, stashed=("m2", "m3"), unstashed=("m2", "m3"))))

    assert await ids(store) == ["m2", "m3", "m1"]
    assert (await store.verify()).problems == ()


async def test_what_is_not_there_can_be_neither_set_aside_nor_taken_up(store: Store) -> None:
    for turn in (attrs.evolve(TURN, stashed=("m1",)), attrs.evolve(TURN, unstashed=("m1",))):
        assert await store.commit(batch(turn)) == Rejected(offenders={"t1": "consumed"})


async def test_a_timer_that_is_set_aside_gives_its_name_free(store: Store) -> None:
    timer = attrs.evolve(TIMER, due=1.0)
    await store.append([timer])
    again = attrs.evolve(TIMER, id="alice#2", due=2.0)

    await committed(store, batch(attrs.evolve(TURN, stashed=(timer.id,), sends=(again,))))
    await committed(store, batch(attrs.evolve(TURN, id="t2", revision=1, timers_cancelled=("tick",))))

    assert (await ids(store), (await store.load(ALICE)).stash) == ([], (timer.id,))


async def test_what_is_set_aside_keeps_its_key_for_the_reply(store: Store) -> None:
    await store.append([attrs.evolve(MAIL, key="k")])
    await committed(store, batch(attrs.evolve(TURN, stashed=("m1",))))
    await committed(store, batch(attrs.evolve(TURN, id="t2", revision=1, unstashed=("m1",))))
    answered = attrs.evolve(TURN, id="t3", revision=2, consumed=("m1",), replies=(("m1", REPLY),))
    await committed(store, batch(answered))

    result = await store.append([attrs.evolve(MAIL, id="m9", key="k")])

    assert result.known == {"m9": Known(id="m1", reply=REPLY)}


async def test_the_rings_of_tickers_are_told_from_timers_and_asks(store: Store) -> None:
    ring = attrs.evolve(TIMER, reply_then="0.0 10.0 once 10.0")
    timer = attrs.evolve(TIMER, id="alice#2", timer="tock")
    asked = attrs.evolve(TIMER, id="alice#3", timer="tuck", reply_to=LEDGER, reply_then="ask:1\nf")
    await store.append([ring, timer, asked])

    assert [one.id for one in await store.rings(0.0)] == [ring.id]
    assert await store.rings(50.0) == []


async def test_a_ring_that_was_parked_comes_back_as_a_plain_message(store: Store) -> None:
    ring = attrs.evolve(TIMER, due=1.0, reply_then="0.0 10.0 once 10.0")
    await store.append([ring])
    await committed(store, batch(attrs.evolve(TURN, parked=(Parking(message=ring.id, reason="r"),))))

    assert await store.requeue(ALICE, ring.id)

    (found,) = await store.fetch(ALICE, 9, 9.0)
    assert (found.timer, found.reply_then) == ("", "")
