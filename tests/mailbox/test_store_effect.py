"""What every store promises of effects: open until somebody says what became of them, and closed once."""

from __future__ import annotations

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Closure, Committed, Effect, EffectState, Envelope, OnInterrupt, Pruning, Turn

ALICE = actor_id("bank.account", "alice")
PAY = Record("bank.pay", 1, b'{"amount": 10}')
PAID = Record("bank.paid", 1, b"{}")
EFFECT = Effect(
    id="e1", actor=ALICE, runner="bank", record=PAY, then="paid", on_interrupt=OnInterrupt.UNKNOWN, created=5
)
RESULT = Envelope(id="e1=0done", receiver=ALICE, sender="e1", record=PAID, then="paid")
DONE = Closure(effect="e1", state=EffectState.DONE, envelope=RESULT)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, effects=(EFFECT,))
OPEN = Batch(node="a", fence=1, at=10.0, turns=(TURN,))
CLOSE = Batch(node="a", fence=1, at=11.0, closures=(DONE,))


async def committed(store: Store, batch: Batch) -> Committed:
    result = await store.commit(batch)
    assert isinstance(result, Committed)
    return result


def settle(revision: int, state: EffectState) -> Batch:
    turn = attrs.evolve(TURN, id=f"t{revision + 1}", revision=revision, effects=(), effects_settled=(("e1", state),))
    return attrs.evolve(OPEN, turns=(turn,))


async def states(store: Store) -> list[EffectState]:
    return [effect.state for effect in await store.effects()]


async def test_an_intended_effect_is_open(store: Store) -> None:
    await committed(store, OPEN)

    assert await store.effects() == [EFFECT]


async def test_effects_come_the_oldest_first(store: Store) -> None:
    effects = tuple(attrs.evolve(EFFECT, id=name, created=created) for name, created in [("b", 2), ("c", 1), ("a", 2)])

    await committed(store, attrs.evolve(OPEN, turns=(attrs.evolve(TURN, effects=effects),)))

    assert [effect.id for effect in await store.effects()] == ["c", "a", "b"]


async def test_a_closure_ends_the_effect_and_delivers_its_result(store: Store) -> None:
    await committed(store, OPEN)

    result = await committed(store, CLOSE)

    assert result.dropped == frozenset()
    assert await store.effects() == []
    assert await store.fetch(ALICE, 9, 0.0) == [attrs.evolve(RESULT, seq=1)]


async def test_a_result_may_be_handled_in_the_batch_that_brings_it(store: Store) -> None:
    await committed(store, OPEN)
    turn = Turn(id="t2", actor=ALICE, fence=1, revision=1, consumed=(RESULT.id,))

    await committed(store, attrs.evolve(CLOSE, turns=(turn,)))

    assert await store.fetch(ALICE, 9, 0.0) == []
    assert (await store.load(ALICE)).revision == 2


@pytest.mark.parametrize(
    "state", [EffectState.DONE, EffectState.FAILED, EffectState.SETTLED, EffectState.CANCELLED], ids=lambda s: s.value
)
async def test_a_closure_of_a_finished_effect_is_dropped_with_its_result(store: Store, state: EffectState) -> None:
    await committed(store, OPEN)
    await committed(store, settle(1, state))

    result = await committed(store, CLOSE)

    assert result.dropped == frozenset({"e1"})
    assert await store.fetch(ALICE, 9, 0.0) == []


async def test_a_closure_of_an_effect_that_nobody_intended_is_dropped(store: Store) -> None:
    assert (await committed(store, CLOSE)).dropped == frozenset({"e1"})


async def test_of_two_closures_in_one_batch_the_first_counts(store: Store) -> None:
    await committed(store, OPEN)
    second = Closure(effect="e1", state=EffectState.FAILED, envelope=attrs.evolve(RESULT, id="e1=0failed"))

    result = await committed(store, attrs.evolve(CLOSE, closures=(DONE, second)))

    assert result.dropped == frozenset({"e1"})
    assert [mail.id for mail in await store.fetch(ALICE, 9, 0.0)] == [RESULT.id]


async def test_an_unknown_effect_is_not_listed_and_can_still_be_closed(store: Store) -> None:
    await committed(store, OPEN)
    unknown = Closure(effect="e1", state=EffectState.UNKNOWN, envelope=attrs.evolve(RESULT, id="e1=0unknown"))
    await committed(store, attrs.evolve(CLOSE, closures=(unknown,)))
    assert await store.effects() == []

    assert (await committed(store, CLOSE)).dropped == frozenset()

    assert [mail.id for mail in await store.fetch(ALICE, 9, 0.0)] == ["e1=0unknown", RESULT.id]


async def test_a_held_effect_is_listed_and_can_be_closed(store: Store) -> None:
    await committed(store, OPEN)
    await committed(store, Batch(node="a", fence=1, at=11.0, held=("e1", "never")))
    assert await states(store) == [EffectState.HELD]

    assert (await committed(store, CLOSE)).dropped == frozenset()


async def test_a_finished_effect_is_not_held(store: Store) -> None:
    await committed(store, OPEN)
    await committed(store, CLOSE)

    await committed(store, Batch(node="a", fence=1, at=11.0, held=("e1",)))

    assert await store.effects() == []


async def test_what_is_finished_is_not_settled_again(store: Store) -> None:
    """A person may settle an unknown effect, not one that has its result."""
    await committed(store, OPEN)
    await committed(store, CLOSE)
    await committed(store, settle(1, EffectState.UNKNOWN))

    assert (await committed(store, CLOSE)).dropped == frozenset({"e1"})


async def test_an_effect_may_be_intended_and_cancelled_in_one_batch(store: Store) -> None:
    cancel = Turn(
        id="t2",
        actor=ALICE,
        fence=1,
        revision=1,
        effects_settled=(("e1", EffectState.CANCELLED), ("no", EffectState.DONE)),
    )

    await committed(store, attrs.evolve(OPEN, turns=(TURN, cancel)))

    assert await store.effects() == []
    assert (await committed(store, CLOSE)).dropped == frozenset({"e1"})


@pytest.mark.parametrize(
    ("batch", "rows"),
    [(CLOSE, 0), (settle(1, EffectState.CANCELLED), 0), (settle(1, EffectState.UNKNOWN), 1)],
    ids=["closed", "cancelled", "unknown"],
)
async def test_only_an_effect_without_an_end_leaves_a_row(store: Store, batch: Batch, rows: int) -> None:
    await committed(store, OPEN)
    await committed(store, batch)
    revision = (await store.load(ALICE)).revision
    consumed = tuple(mail.id for mail in await store.fetch(ALICE, 9, 0.0))
    taken = attrs.evolve(TURN, id="last", revision=revision, effects=(), consumed=consumed)
    await committed(store, attrs.evolve(OPEN, turns=(taken,)))

    pruned = await store.prune(Pruning(at=20.0, actors=(ALICE,)))

    assert (pruned.in_use, pruned.records) == ("", rows)


async def test_a_result_that_was_dropped_beside_one_that_was_not_is_known_behind_a_failed_commit(store: Store) -> None:
    other = attrs.evolve(EFFECT, id="e2")
    await committed(store, attrs.evolve(OPEN, turns=(attrs.evolve(TURN, effects=(EFFECT, other)),)))
    await committed(store, settle(1, EffectState.CANCELLED))
    result = attrs.evolve(RESULT, id="e2=0done", sender="e2")
    both = attrs.evolve(CLOSE, closures=(DONE, attrs.evolve(DONE, effect="e2", envelope=result)))
    assert await store.landed(both) is None

    await committed(store, both)

    landed = await store.landed(both)
    assert landed is not None
    assert landed.dropped == {"e1"}
