"""What every store promises of pruning: what goes, what stays, what stands in its place, and that the chains close."""

from __future__ import annotations

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.digest import chain
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
    Extent,
    OnInterrupt,
    Parking,
    Pruned,
    Pruning,
    Rejected,
    Snapshot,
    Tombstone,
    Turn,
    View,
)

ALICE = actor_id("bank.account", "alice")
BOB = actor_id("bank.account", "bob")
STATE = Record("bank.balance", 1, b"{}")
MAIL = Envelope(id="m1", receiver=ALICE, sender="host", record=STATE)
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0, state=STATE, sent=3)
BATCH = Batch(node="a", fence=1, at=10.0)
PRUNING = Pruning(at=20.0)
EFFECT = Effect(
    id="e1",
    actor=ALICE,
    runner="bank",
    record=STATE,
    then="paid",
    on_interrupt=OnInterrupt.UNKNOWN,
    created=1.0,
)


def entry(stream: str, number: int) -> Entry:
    return Entry(stream, "test.line", float(number), b'{"n": %d}' % number)


async def commit(store: Store, batch: Batch) -> None:
    assert isinstance(await store.commit(batch), Committed)


async def log(store: Store, *streams: str) -> None:
    """One batch with an entry for each of the streams."""
    await commit(store, attrs.evolve(BATCH, entries=tuple(entry(stream, n) for n, stream in enumerate(streams, 1))))


async def prune(store: Store, **streams: int) -> None:
    """Prune streams until nothing is left of what was asked for."""
    while not (pruned := await store.prune(attrs.evolve(PRUNING, streams=streams, limit=1))).done:
        assert not pruned.in_use


async def check(store: Store) -> tuple[Tombstone, ...]:
    """Verify, and give the tombstones that were reported."""
    found = await store.verify()
    assert found.problems == ()
    return found.tombstones


async def test_pruned_entries_leave_a_tombstone_that_verify_reports(store: Store) -> None:
    await log(store, "a", "b", "a")
    await log(store, "a")
    third = (await store.read("a"))[1]

    pruned = await store.prune(attrs.evolve(PRUNING, streams={"a": 2}))

    assert pruned == Pruned(entries=2, done=True)
    stone = Tombstone(stream="a", position=2, seq=3, hash=third.hash, at=20.0)
    assert (stone.count, await store.tombstones(), await check(store)) == (2, [stone], (stone,))


async def test_what_is_left_of_a_pruned_stream_reads_on_behind_its_tombstone(store: Store) -> None:
    await log(store, "a", "a", "b", "a")

    await prune(store, a=2)

    assert [line.position for line in await store.read("a")] == [3]
    assert await store.read("a", after=3) == []
    assert [(line.stream, line.position) for line in await store.log()] == [("b", 1), ("a", 3)]
    assert [(line.stream, line.position) for line in await store.log(after=3)] == [("a", 3)]
    assert (await store.extent("a"), (await store.extent("a")).count) == (Extent(first=3, last=3), 1)
    assert (await store.extent("none"), (await store.extent("none")).count) == (Extent(), 0)


async def test_a_pruned_stream_is_continued(store: Store) -> None:
    await log(store, "a", "a")
    last = (await store.read("a"))[1]
    await prune(store, a=2)

    await log(store, "a")

    (line,) = await store.read("a")
    assert (line.position, line.seq, line.batch) == (3, 3, 2)
    assert line.hash == chain(last.hash, 3, entry("a", 1))
    await check(store)


async def test_a_second_pruning_moves_the_tombstone(store: Store) -> None:
    await log(store, "a", "a", "a")
    await prune(store, a=1)

    await prune(store, a=3)

    assert [(stone.position, stone.seq) for stone in await check(store)] == [(3, 3)]
    assert await store.prune(attrs.evolve(PRUNING, streams={"a": 3})) == Pruned(done=True)
    assert await store.prune(attrs.evolve(PRUNING, streams={"none": 9})) == Pruned(done=True)


ORDERS = [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c"), ("b", "c", "a")]


@pytest.mark.parametrize("order", ORDERS, ids="".join)
async def test_the_chains_close_whatever_is_pruned_first(store: Store, order: tuple[str, ...]) -> None:
    """Batches of one stream and of several, before, between and behind."""
    for streams in ("a", "ab", "b", "aabac", "c", "c", "b", "caca", "a", "bc"):
        await log(store, *streams)

    for stream in order:
        for upto in range(1, (await store.extent(stream)).last + 1):
            await prune(store, **{stream: upto})
            await check(store)

    await log(store, *order)
    assert [(await store.extent(stream)).count for stream in order] == [1, 1, 1]
    await check(store)


async def test_a_batch_that_is_gone_takes_no_room(store: Store) -> None:
    for _ in range(10):
        await log(store, "a", "b")

    await prune(store, a=10, b=9)

    found = await store.verify()
    assert (found.entries, found.batches, found.problems) == (1, 2, ())


async def test_one_call_takes_no_more_than_its_limit(store: Store) -> None:
    await log(store, *"aaaaa")

    assert (await store.prune(attrs.evolve(PRUNING, streams={"a": 4}, limit=0))) == Pruned()
    assert (await store.extent("a")).count == 5
    await prune(store, a=4)

    assert (await store.extent("a")).count == 1


async def ended(store: Store) -> None:
    """An actor with a state, a finished effect, a kept reply and a parked message, and its view."""
    mail = [attrs.evolve(MAIL, id="m1", key="k1"), attrs.evolve(MAIL, id="m2")]
    await store.append(mail)
    view = View(kind="run", key="alice", body=b"{}")
    first = attrs.evolve(
        TURN,
        consumed=("m1",),
        replies=(("m1", STATE),),
        effects=(EFFECT,),
        views=(view,),
        parked=(Parking(message="m2", reason="bad"),),
    )
    await commit(store, attrs.evolve(BATCH, turns=(first,)))
    answer = attrs.evolve(MAIL, id="answer")
    await commit(store, attrs.evolve(BATCH, closures=(Closure(effect="e1", state=EffectState.DONE, envelope=answer),)))
    await commit(store, attrs.evolve(BATCH, turns=(attrs.evolve(TURN, id="t2", revision=1, consumed=("answer",)),)))


ALL = attrs.evolve(PRUNING, actors=(ALICE, BOB), views=(("run", "alice"), ("run", "none")))


async def test_of_an_actor_that_has_come_to_its_end_only_that_is_left(store: Store) -> None:
    await ended(store)

    pruned = await store.prune(ALL)

    assert pruned == Pruned(records=2, states=1, done=True)
    assert await store.load(ALICE) == Snapshot(revision=3, state=None, last_turn="t2", sent=3, ended=True)
    assert (await store.load(BOB), await store.parked(), await store.views("run")) == (Snapshot(), [], [])
    assert await store.prune(ALL) == Pruned(done=True)
    assert (await store.append([attrs.evolve(MAIL, id="m9", key="k1")])).known == {}
    await check(store)


async def test_a_turn_from_before_the_pruning_comes_too_late(store: Store) -> None:
    """The owner may have the actor in memory while another process prunes."""
    await ended(store)
    await store.prune(ALL)
    late = attrs.evolve(TURN, id="t3", revision=2)

    result = await store.commit(attrs.evolve(BATCH, turns=(late,)))

    assert result == Rejected(offenders={"t3": "revision"})


async def test_who_prunes_is_noticed(store: Store) -> None:
    await ended(store)
    await store.changed()

    await store.prune(ALL)

    assert await store.changed()
    assert not await store.changed()


async def test_nothing_is_taken_while_a_message_waits(store: Store) -> None:
    await ended(store)
    await log(store, "a")
    await store.append([attrs.evolve(MAIL, id="m7", due=99.0)])

    pruned = await store.prune(attrs.evolve(ALL, streams={"a": 1}))

    assert pruned == Pruned(in_use=f"message 'm7' waits for {ALICE}")
    assert ((await store.load(ALICE)).state, (await store.extent("a")).count) == (STATE, 1)


@pytest.mark.parametrize("held", [False, True], ids=["open", "held"])
async def test_nothing_is_taken_while_an_effect_is_not_finished(store: Store, held: bool) -> None:
    await commit(store, attrs.evolve(BATCH, turns=(attrs.evolve(TURN, effects=(EFFECT,)),)))
    await commit(store, attrs.evolve(BATCH, held=("e1",) if held else ()))

    assert await store.prune(ALL) == Pruned(in_use=f"effect 'e1' of {ALICE} is not finished")
    assert (await store.load(ALICE)).state == STATE


async def test_nothing_is_taken_that_a_reader_has_not_come_to(store: Store) -> None:
    await log(store, "a", "b", "a")
    await commit(store, attrs.evolve(BATCH, cursors={"export": 2}))

    pruned = await store.prune(attrs.evolve(PRUNING, streams={"b": 1, "a": 2}))

    assert pruned == Pruned(in_use="reader 'export' has come to entry 2 of the file, and stream 'a' goes to 3")
    assert (await store.prune(attrs.evolve(PRUNING, streams={"b": 1}))).entries == 1
    assert (await store.prune(attrs.evolve(PRUNING, streams={"a": 1}))).entries == 1


async def test_old_replies_are_forgotten_and_new_ones_kept(store: Store) -> None:
    for number, at in enumerate((1.0, 5.0)):
        mail = attrs.evolve(MAIL, id=f"m{number}", key=f"k{number}")
        turn = attrs.evolve(TURN, revision=number, consumed=(mail.id,), replies=((mail.id, STATE),))
        await commit(store, attrs.evolve(BATCH, at=at, appends=(mail,), turns=(turn,)))

    assert await store.prune(attrs.evolve(PRUNING, keys_before=5.0)) == Pruned(records=1, done=True)

    again = [attrs.evolve(MAIL, id=f"again-{number}", key=f"k{number}") for number in range(2)]
    assert set((await store.append(again)).known) == {"again-1"}


@pytest.mark.parametrize("parked", [False, True], ids=["waiting", "parked"])
async def test_a_key_is_kept_as_long_as_its_message_is(store: Store, parked: bool) -> None:
    await commit(store, attrs.evolve(BATCH, at=1.0, appends=(attrs.evolve(MAIL, key="k"),)))
    fate = attrs.evolve(
        TURN,
        parked=(Parking(message="m1", reason="bad"),) if parked else (),
        attempts=() if parked else (Attempt(message="m1", attempts=1, error="boom", not_before=0.0),),
    )
    await commit(store, attrs.evolve(BATCH, turns=(fate,)))

    assert await store.prune(attrs.evolve(PRUNING, keys_before=99.0)) == Pruned(done=True)

    assert "again" in (await store.append([attrs.evolve(MAIL, id="again", key="k")])).known
