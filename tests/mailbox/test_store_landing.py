"""Whether a batch is on disk of which its owner heard nothing: told by each kind of thing that it would have left."""

from __future__ import annotations

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.store import Store
from choragus.mailbox.turn import (
    Batch,
    Closure,
    Committed,
    Effect,
    EffectState,
    Entry,
    Envelope,
    OnInterrupt,
    Pruning,
    Turn,
)

ALICE = actor_id("bank.account", "alice")
ADD = Record("bank.deposit", 1, b"{}")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=ADD)
EFFECT = Effect(id="e1", actor=ALICE, runner="r", record=ADD, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, effects=(EFFECT, attrs.evolve(EFFECT, id="e2")))
EMPTY = Batch(node="a", fence=1, at=10.0)
CLOSURE = Closure(effect="e1", state=EffectState.DONE, envelope=attrs.evolve(MAIL, id="e1=done", sender="e1"))
LATE = attrs.evolve(CLOSURE, envelope=attrs.evolve(MAIL, id="e1=late", sender="e1"))
OTHER = Closure(effect="e2", state=EffectState.UNKNOWN, envelope=attrs.evolve(MAIL, id="e2=unknown", sender="e2"))
LINE = Entry("run/2e294759edff", "phase", 5, b'{"actor":"choragus.memory/2e294759edff","step":1}')

BATCHES = {
    "turn": attrs.evolve(EMPTY, turns=(attrs.evolve(TURN, id="t2", revision=1, effects=()),)),
    "append": attrs.evolve(EMPTY, appends=(MAIL,)),
    "append with a key": attrs.evolve(EMPTY, appends=(attrs.evolve(MAIL, key="k"),)),
    "closure": attrs.evolve(EMPTY, closures=(CLOSURE,)),
    "closure without an end": attrs.evolve(EMPTY, closures=(OTHER,)),
    "entry": attrs.evolve(EMPTY, entries=(LINE,)),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
async def test_a_batch_has_landed_when_it_is_committed_and_not_before(store: Store, batch: Batch) -> None:
    await store.commit(attrs.evolve(EMPTY, turns=(TURN,)))
    assert await store.landed(batch) is None

    committed = await store.commit(batch)

    assert isinstance(committed, Committed)
    assert await store.landed(batch) == committed


async def test_an_entry_that_stood_there_before_does_not_pass_for_landed(store: Store) -> None:
    await store.commit(attrs.evolve(EMPTY, turns=(TURN,), entries=(LINE,)))

    assert await store.landed(attrs.evolve(EMPTY, closures=(CLOSURE,), entries=(LINE,))) is None


async def test_a_closure_that_comes_too_late_does_not_pass_for_landed(store: Store) -> None:
    """Its effect is closed already, so the next one decides."""
    await store.commit(attrs.evolve(EMPTY, turns=(TURN,)))
    await store.commit(attrs.evolve(EMPTY, closures=(CLOSURE,)))
    batch = attrs.evolve(EMPTY, closures=(LATE, OTHER))
    assert await store.landed(batch) is None

    await store.commit(batch)

    assert await store.landed(batch) is not None


async def test_a_turn_whose_actor_was_pruned_meanwhile_does_not_pass_for_landed(store: Store) -> None:
    """Pruning moves the revision on, and takes no turn."""
    await store.commit(attrs.evolve(EMPTY, turns=(attrs.evolve(TURN, effects=()),)))
    lost = attrs.evolve(EMPTY, turns=(attrs.evolve(TURN, id="t2", revision=1, effects=()),))

    pruned = await store.prune(Pruning(at=20.0, actors=(ALICE,)))

    assert pruned.states == 1
    assert await store.landed(lost) is None
