"""What every store promises of ownership: one owner, a fence that only rises, and what an unclean end leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.errors import FileInUse
from choragus.mailbox.store import Store
from choragus.mailbox.turn import (
    Attempt,
    Batch,
    Claim,
    Committed,
    Effect,
    EffectState,
    Envelope,
    OnInterrupt,
    Rejected,
    Turn,
)

Reopen = Callable[[], Awaitable[Store]]

ALICE = actor_id("bank.account", "alice")
ADD = Record("bank.deposit", 1, b"{}")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=ADD)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0)
BATCH = Batch(node="a", fence=1, at=10.0)
EFFECT = Effect(id="e1", actor=ALICE, runner="r", record=ADD, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0)


async def crash(store: Store, reopen: Reopen) -> Store:
    """End without release, and take the store over."""
    await store.close()
    again = await reopen()
    await again.claim("b", 30.0, 1.0)
    return again


async def test_a_new_store_is_clean_and_its_first_fence_is_1(reopen: Reopen) -> None:
    store = await reopen()

    assert await store.claim("a", 30.0, 0.0) == Claim(fence=1, clean=True)


async def test_the_owner_may_claim_again(store: Store) -> None:
    assert await store.claim("a", 30.0, 1.0) == Claim(fence=2, clean=False)


async def test_another_node_is_refused_while_the_lease_runs(store: Store, reopen: Reopen) -> None:
    other = await reopen()

    with pytest.raises(FileInUse, match=r"^.* is owned by .*: stop it, or "):
        await other.claim("b", 30.0, 29.0)

    assert isinstance(await store.commit(BATCH), Committed)


async def test_another_node_takes_over_when_the_lease_has_expired(store: Store, reopen: Reopen) -> None:
    other = await reopen()

    assert await other.claim("b", 30.0, 30.0) == Claim(fence=2, clean=False)

    assert await store.commit(BATCH) == Rejected(fenced=True)
    assert not await store.renew("a", 30.0, 31.0)


async def test_renew_moves_the_end_of_the_lease(store: Store, reopen: Reopen) -> None:
    assert await store.renew("a", 30.0, 20.0)

    with pytest.raises(FileInUse):
        await (await reopen()).claim("b", 30.0, 49.0)


async def test_only_the_owner_renews(store: Store) -> None:
    assert not await store.renew("b", 30.0, 20.0)


async def test_after_release_the_next_owner_finds_a_clean_end(store: Store, reopen: Reopen) -> None:
    await store.release("a")

    assert await (await reopen()).claim("b", 30.0, 1.0) == Claim(fence=2, clean=True)


async def test_release_by_a_node_that_lost_the_lease_changes_nothing(store: Store, reopen: Reopen) -> None:
    other = await reopen()
    await other.claim("b", 30.0, 30.0)

    await store.release("a")

    assert isinstance(await other.commit(attrs.evolve(BATCH, node="b", fence=2)), Committed)
    assert not await store.renew("a", 30.0, 31.0)


async def test_close_without_release_is_an_unclean_end_that_nobody_waits_for(store: Store, reopen: Reopen) -> None:
    await store.close()

    assert await (await reopen()).claim("b", 30.0, 1.0) == Claim(fence=2, clean=False)


async def test_an_unclean_end_counts_as_an_interruption_of_started_messages(store: Store, reopen: Reopen) -> None:
    await store.append([MAIL, attrs.evolve(MAIL, id="m2")])
    await store.commit(attrs.evolve(BATCH, started=((ALICE, "m1"),)))

    again = await crash(store, reopen)

    assert [(mail.id, mail.interrupted) for mail in await again.fetch(ALICE, 9, 0.0)] == [("m1", 1), ("m2", 0)]


async def test_a_message_may_be_born_and_marked_in_one_batch(store: Store, reopen: Reopen) -> None:
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), started=((ALICE, "m1"),)))

    again = await crash(store, reopen)

    assert [mail.interrupted for mail in await again.fetch(ALICE, 9, 0.0)] == [1]


async def test_a_mark_counts_once(store: Store, reopen: Reopen) -> None:
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), started=((ALICE, "m1"),)))
    once = await crash(store, reopen)
    await once.close()

    twice = await reopen()
    await twice.claim("c", 30.0, 2.0)

    assert [mail.interrupted for mail in await twice.fetch(ALICE, 9, 0.0)] == [1]


async def test_a_clean_end_interrupts_nothing(store: Store, reopen: Reopen) -> None:
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), started=((ALICE, "m1"),)))
    await store.release("a")

    again = await crash(store, reopen)

    assert [mail.interrupted for mail in await again.fetch(ALICE, 9, 0.0)] == [0]


async def test_a_failed_try_ends_the_mark(store: Store, reopen: Reopen) -> None:
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), started=((ALICE, "m1"),)))
    attempt = Attempt(message="m1", attempts=1, error="e", not_before=0.0)
    await store.commit(attrs.evolve(BATCH, turns=(attrs.evolve(TURN, attempts=(attempt,)),)))

    again = await crash(store, reopen)

    assert [(mail.attempts, mail.interrupted) for mail in await again.fetch(ALICE, 9, 0.0)] == [(1, 0)]


async def test_a_mark_on_a_message_that_is_gone_is_ignored(store: Store, reopen: Reopen) -> None:
    turn = attrs.evolve(TURN, consumed=("m1",))
    marks = ((ALICE, "m1"), (ALICE, "never"))
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), turns=(turn,), started=marks))

    again = await crash(store, reopen)

    assert await again.fetch(ALICE, 9, 0.0) == []


async def test_an_unclean_end_counts_as_a_try_of_open_effects_but_not_of_held_ones(
    store: Store, reopen: Reopen
) -> None:
    effects = (EFFECT, attrs.evolve(EFFECT, id="e2"))
    await store.commit(attrs.evolve(BATCH, turns=(attrs.evolve(TURN, effects=effects),), held=("e2",)))

    again = await crash(store, reopen)

    assert [(effect.id, effect.attempts, effect.state) for effect in await again.effects()] == [
        ("e1", 1, EffectState.OPEN),
        ("e2", 0, EffectState.HELD),
    ]


async def test_after_a_reopening_the_claim_and_what_was_committed_are_there(store: Store) -> None:
    await store.commit(attrs.evolve(BATCH, turns=(Turn(id="t1", actor=ALICE, fence=1, revision=0),)))
    await store.changed()

    await store.reopen()

    assert await store.changed()
    assert (await store.load(ALICE)).last_turn == "t1"
    assert await store.renew("a", 30.0, 1.0)
    assert isinstance(await store.commit(BATCH), Committed)


async def test_a_mark_of_a_message_that_is_appended_once_more_stays(store: Store, reopen: Reopen) -> None:
    await store.append([MAIL])
    await store.commit(attrs.evolve(BATCH, appends=(MAIL,), started=((ALICE, "m1"),)))

    again = await crash(store, reopen)

    assert [mail.interrupted for mail in await again.fetch(ALICE, 9, 0.0)] == [1]
