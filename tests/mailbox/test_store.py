"""What every store promises of a commit: a turn is written whole or not at all, and only in its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.store import Store
from choragus.mailbox.turn import (
    Attempt,
    Batch,
    Closure,
    Committed,
    Effect,
    EffectState,
    Entry,
    Envelope,
    OnInterrupt,
    Parking,
    Rejected,
    Snapshot,
    Turn,
    View,
)

ALICE = actor_id("bank.account", "alice")
LEDGER = actor_id("bank.ledger", "main")
RICH = Record("bank.balance", 1, b'{"amount": 10}')
POOR = Record("bank.balance", 1, b'{"amount": 0}')
MAIL = Envelope(id="host#1", receiver=ALICE, sender="host", record=Record("bank.deposit", 1, b'{"amount": 10}'))
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, state=RICH, sent=1)
BATCH = Batch(node="a", fence=1, at=10.0)


def batch(*turns: Turn) -> Batch:
    return attrs.evolve(BATCH, turns=turns)


async def ids(store: Store, actor: ActorId) -> list[str]:
    return [envelope.id for envelope in await store.fetch(actor, 100, 1e9)]


async def test_an_actor_without_a_turn_has_revision_0(store: Store) -> None:
    assert await store.load(ALICE) == Snapshot()


async def test_a_turn_takes_its_message_and_leaves_its_state(store: Store) -> None:
    await store.append([MAIL])

    result = await store.commit(batch(attrs.evolve(TURN, consumed=("host#1",))))

    assert isinstance(result, Committed)
    assert await store.load(ALICE) == Snapshot(revision=1, state=RICH, last_turn="t1", sent=1)
    assert await ids(store, ALICE) == []


async def test_a_send_waits_for_its_receiver(store: Store) -> None:
    send = attrs.evolve(MAIL, id="alice#1", receiver=LEDGER, sender=ALICE, trace="00-1", reply_to=ALICE, reply_then="f")

    await store.commit(batch(attrs.evolve(TURN, sends=(send,))))

    assert await store.fetch(LEDGER, 10, 0.0) == [attrs.evolve(send, seq=1)]


async def test_a_turn_without_a_state_keeps_the_last_one(store: Store) -> None:
    await store.commit(batch(TURN))

    await store.commit(batch(attrs.evolve(TURN, id="t2", revision=1, state=None, sent=4)))

    assert await store.load(ALICE) == Snapshot(revision=2, state=RICH, last_turn="t2", sent=4)


async def test_a_first_turn_without_a_state_leaves_none(store: Store) -> None:
    await store.commit(batch(attrs.evolve(TURN, state=None)))

    assert await store.load(ALICE) == Snapshot(revision=1, last_turn="t1", sent=1)


async def test_several_turns_of_one_actor_fit_in_one_batch(store: Store) -> None:
    second = attrs.evolve(TURN, id="t2", revision=1, state=POOR, sent=2)
    third = attrs.evolve(TURN, id="t3", revision=2, state=None, sent=3)

    await store.commit(batch(TURN, second, third))

    assert await store.load(ALICE) == Snapshot(revision=3, state=POOR, last_turn="t3", sent=3)


async def test_an_ended_actor_stays_as_a_tombstone(store: Store) -> None:
    await store.commit(batch(TURN))

    await store.commit(batch(attrs.evolve(TURN, id="t2", revision=1, state=RICH, sent=2, ended=True)))

    assert await store.load(ALICE) == Snapshot(revision=2, last_turn="t2", sent=2, ended=True)


async def test_a_turn_out_of_place_is_named_and_nothing_is_written(store: Store) -> None:
    await store.commit(batch(TURN))
    other = attrs.evolve(TURN, id="t2", actor=LEDGER)

    result = await store.commit(batch(other, attrs.evolve(TURN, id="late")))

    assert result == Rejected(offenders={"late": "revision"})
    assert await store.load(LEDGER) == Snapshot()


@pytest.mark.parametrize(
    "turn",
    [
        attrs.evolve(TURN, consumed=("gone",)),
        attrs.evolve(TURN, attempts=(Attempt(message="gone", attempts=1, error="e", not_before=0.0),)),
        attrs.evolve(TURN, parked=(Parking(message="gone", reason="r"),)),
    ],
    ids=["consumed", "attempted", "parked"],
)
async def test_a_turn_on_a_message_that_is_gone_is_named(store: Store, turn: Turn) -> None:
    result = await store.commit(batch(turn))

    assert result == Rejected(offenders={"t1": "consumed"})
    assert await store.load(ALICE) == Snapshot()


async def test_a_message_is_consumed_once(store: Store) -> None:
    await store.append([MAIL])
    first = attrs.evolve(TURN, consumed=("host#1",))
    second = attrs.evolve(first, id="t2", revision=1)

    assert await store.commit(batch(first, second)) == Rejected(offenders={"t2": "consumed"})
    assert await ids(store, ALICE) == ["host#1"]


async def test_a_message_of_another_actor_cannot_be_consumed(store: Store) -> None:
    await store.append([MAIL])

    result = await store.commit(batch(attrs.evolve(TURN, actor=LEDGER, consumed=("host#1",))))

    assert result == Rejected(offenders={"t1": "consumed"})


async def test_whatever_follows_an_offender_is_named_too(store: Store) -> None:
    send = attrs.evolve(MAIL, id="alice#1", receiver=LEDGER)
    offender = attrs.evolve(TURN, revision=7, sends=(send,))
    same_actor = attrs.evolve(TURN, id="t2", revision=8)
    its_receiver = attrs.evolve(TURN, id="t3", actor=LEDGER, consumed=("alice#1",))

    result = await store.commit(batch(offender, same_actor, its_receiver))

    assert result == Rejected(offenders={"t1": "revision", "t2": "revision", "t3": "consumed"})


async def test_a_turn_of_an_older_incarnation_is_named(store: Store) -> None:
    assert await store.commit(batch(attrs.evolve(TURN, fence=0))) == Rejected(offenders={"t1": "fence"})


@pytest.mark.parametrize(
    "stranger", [attrs.evolve(BATCH, node="b"), attrs.evolve(BATCH, fence=2)], ids=["node", "fence"]
)
async def test_only_the_owner_commits(store: Store, stranger: Batch) -> None:
    result = await store.commit(attrs.evolve(stranger, turns=(TURN,)))

    assert result == Rejected(fenced=True)
    assert await store.load(ALICE) == Snapshot()


async def test_a_message_may_be_born_and_consumed_in_one_batch(store: Store) -> None:
    send = attrs.evolve(MAIL, id="alice#1", receiver=LEDGER)
    sender = attrs.evolve(TURN, consumed=("host#1",), sends=(send,))
    receiver = attrs.evolve(TURN, id="t2", actor=LEDGER, consumed=("alice#1",))

    result = await store.commit(attrs.evolve(BATCH, appends=(MAIL,), turns=(sender, receiver)))

    assert isinstance(result, Committed)
    assert await store.waiting(1e9) == []
    assert (await store.load(LEDGER)).revision == 1


async def test_a_message_cannot_be_consumed_before_it_is_sent(store: Store) -> None:
    send = attrs.evolve(MAIL, id="alice#1", receiver=LEDGER)
    receiver = attrs.evolve(TURN, id="t2", actor=LEDGER, consumed=("alice#1",))

    result = await store.commit(batch(receiver, attrs.evolve(TURN, sends=(send,))))

    assert result == Rejected(offenders={"t2": "consumed"})


async def test_a_rejected_batch_leaves_nothing(store: Store) -> None:
    """Every kind of change stands beside one offender."""
    await store.append([MAIL])
    effect = Effect(
        id="e1", actor=ALICE, runner="r", record=RICH, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0
    )
    turn = attrs.evolve(
        TURN,
        consumed=("host#1",),
        sends=(attrs.evolve(MAIL, id="alice#1", receiver=LEDGER),),
        effects=(effect,),
        entries=(Entry("run/1", "x", 1.0, b"{}"),),
        views=(View(kind="run", key="1", body=b"{}"),),
    )
    offender = attrs.evolve(TURN, id="bad", actor=LEDGER, revision=3)
    everything = attrs.evolve(
        BATCH,
        turns=(turn, offender),
        appends=(attrs.evolve(MAIL, id="host#2", key="k"),),
        closures=(Closure(effect="e0", state=EffectState.DONE, envelope=MAIL),),
        entries=(Entry("system", "x", 1.0, b"{}"),),
        cursors={"export": 3},
    )

    assert await store.commit(everything) == Rejected(offenders={"bad": "revision"})

    assert await ids(store, ALICE) == ["host#1"]
    assert await store.load(ALICE) == Snapshot()
    assert await store.fetch(LEDGER, 10, 0.0) == []
    assert (await store.effects(), await store.log(), await store.views("run")) == ([], [], [])
    assert await store.cursor("export") == 0
    assert (await store.append([attrs.evolve(MAIL, id="host#3", key="k")])).known == {}


async def test_a_committed_batch_is_found_when_the_store_is_opened_again(
    store: Store, reopen: Callable[[], Awaitable[Store]]
) -> None:
    await store.commit(batch(TURN))
    await store.close()

    again = await reopen()

    assert await again.load(ALICE) == Snapshot(revision=1, state=RICH, last_turn="t1", sent=1)
