"""What every store promises of steps: they are known as long as their message waits, or is parked."""

from __future__ import annotations

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Attempt, Batch, Committed, Envelope, Parking, Step, Turn

ALICE = actor_id("bank.account", "alice")
LEDGER = actor_id("bank.ledger", "main")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=Record("bank.deposit", 1, b'{"amount": 10}'))
TIMER = attrs.evolve(MAIL, id="alice#1", timer="tick")
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0)
FAILED = attrs.evolve(TURN, attempts=(Attempt(message="alice#1", attempts=1, error="boom", not_before=99.0),))
NEXT = attrs.evolve(TURN, id="t2", revision=1)
BATCH = Batch(node="a", fence=1, at=10.0)
BEGUN = Step(actor=ALICE, message="alice#1", name="pay", number=1)
ENDED = attrs.evolve(BEGUN, result=Record("json", 1, b'"the receipt"'))
GONE = {
    "answered": attrs.evolve(NEXT, actor=LEDGER, revision=0, sends=(attrs.evolve(TIMER, id="ledger#1", answer=True),)),
    "cancelled": attrs.evolve(NEXT, timers_cancelled=("tick",)),
    "set again": attrs.evolve(NEXT, sends=(attrs.evolve(TIMER, id="alice#2", due=50.0),)),
}


async def committed(store: Store, *turns: Turn, steps: tuple[Step, ...] = ()) -> None:
    result = await store.commit(attrs.evolve(BATCH, turns=turns, steps=steps))

    assert isinstance(result, Committed)


@pytest.fixture
async def stepped(store: Store) -> Store:
    """A timer whose handler took a step and failed."""
    await store.append([TIMER])
    await committed(store, steps=(BEGUN,))
    await committed(store, steps=(ENDED,))
    await committed(store, FAILED)
    return store


async def test_a_step_is_known_after_its_turn_failed(stepped: Store) -> None:
    assert await stepped.steps(ALICE, "alice#1") == [ENDED]


async def test_the_turn_that_takes_the_message_takes_its_steps(stepped: Store) -> None:
    await committed(stepped, attrs.evolve(NEXT, consumed=("alice#1",), stepped=("alice#1",)))

    assert await stepped.steps(ALICE, "alice#1") == []


async def test_a_parked_message_keeps_its_steps(stepped: Store) -> None:
    await committed(stepped, attrs.evolve(NEXT, parked=(Parking(message="alice#1", reason="boom"),)))

    assert await stepped.steps(ALICE, "alice#1") == [ENDED]


@pytest.mark.parametrize("turn", GONE.values(), ids=GONE)
async def test_a_timer_that_is_taken_back_takes_its_steps(stepped: Store, turn: Turn) -> None:
    await committed(stepped, turn)

    assert await stepped.steps(ALICE, "alice#1") == []


@pytest.mark.parametrize("turn", GONE.values(), ids=GONE)
async def test_a_step_that_ends_as_its_timer_is_taken_back_leaves_nothing(store: Store, turn: Turn) -> None:
    await store.append([TIMER])
    await committed(store, TURN, steps=(BEGUN,))

    await committed(store, turn, steps=(ENDED,))

    assert await store.steps(ALICE, "alice#1") == []


async def test_a_step_of_a_message_that_is_gone_is_not_kept(store: Store) -> None:
    await committed(store, steps=(BEGUN,))

    assert await store.steps(ALICE, "alice#1") == []
