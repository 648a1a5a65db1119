"""Whatever batches come, the SQLite file and the dictionaries in memory tell the same story, and the file is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from math import inf
from typing import TypeVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.mailbox import query, searching
from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.batch import append, apply
from choragus.mailbox.bulk import insertion, put
from choragus.mailbox.codec import Record
from choragus.mailbox.document import Document
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.pruning import prune
from choragus.mailbox.reseal import teach
from choragus.mailbox.row import LEASE_COLUMNS, sealed
from choragus.mailbox.schema import MIGRATIONS
from choragus.mailbox.turn import (
    Attempt,
    Batch,
    Closure,
    Effect,
    EffectState,
    Entry,
    Envelope,
    OnInterrupt,
    Parking,
    Pruning,
    Turn,
    View,
)
from choragus.mailbox.verification import verify

T = TypeVar("T")

ACTORS = [actor_id("a", "x"), actor_id("b", "y")]
RECORD = Record("test.record", 1, b"{}")

ids = st.sampled_from([f"m{number}" for number in range(5)])
actors = st.sampled_from(ACTORS)
effect_ids = st.sampled_from(["e1", "e2"])
states = st.sampled_from(list(EffectState))
timers = st.sampled_from(["", "", "tick", "tock"])
STREAMS = ["run/1", "system"]
streams = st.sampled_from(STREAMS)

envelopes = st.builds(
    Envelope,
    id=ids,
    receiver=actors,
    sender=st.just("host"),
    record=st.just(RECORD),
    due=st.sampled_from([0.0, 5.0, 50.0]),
    timer=timers,
    answer=st.booleans(),
    key=st.sampled_from(["", "", "k"]),
)
EFFECTS = [
    Effect(id=name, actor=ACTORS[0], runner="r", record=RECORD, then="f", on_interrupt=OnInterrupt.RERUN, created=1.0)
    for name in ("e1", "e2")
]
entries = st.builds(Entry, streams, st.just("line"), st.sampled_from([1, 2.5]), st.binary(max_size=3))
views = st.builds(
    View,
    kind=st.just("run"),
    key=ids,
    scope=streams,
    sort=st.sampled_from([0.0, 1.0]),
    body=st.sampled_from([None, b"{}"]),
)
documents = st.builds(
    Document,
    collection=st.sampled_from(["c", "d"]),
    id=ids,
    text=st.sampled_from([None, "one", "one two", "Zwei two, three"]),
    subject=st.sampled_from(["", "alice"]),
    at=st.sampled_from([1, 2.5]),
    vector=st.sampled_from([b"", b"12"]),
)
turns = st.builds(
    Turn,
    id=st.uuids(version=4).map(str),
    actor=actors,
    fence=st.just(1),
    revision=st.sampled_from([0] * 11 + [1]),
    consumed=st.lists(ids, max_size=1).map(tuple),
    state=st.sampled_from([None, RECORD]),
    sent=st.integers(0, 5),
    sends=st.lists(envelopes, max_size=2).map(tuple),
    timers_cancelled=st.lists(st.sampled_from(["tick", "tock"]), max_size=1).map(tuple),
    effects_settled=st.lists(st.tuples(effect_ids, states), max_size=1).map(tuple),
    entries=st.lists(entries, max_size=2).map(tuple),
    views=st.lists(views, max_size=2).map(tuple),
    replies=st.lists(st.tuples(ids, st.just(RECORD)), max_size=1).map(tuple),
    ended=st.sampled_from([False, False, True]),
    documents=st.lists(documents, max_size=3).map(tuple),
    scrubbed=st.sampled_from([(), ("c",), ("none",)]),
)


fates = st.lists(
    st.sampled_from(["consumed", "consumed", "tried", "parked", "stashed", "stashed", "unstashed"]),
    min_size=3,
    max_size=3,
)
"""What becomes of the messages of a batch's turns."""


batches = st.builds(
    Batch,
    node=st.just("a"),
    fence=st.just(1),
    at=st.sampled_from([1, 2.5]),
    turns=st.lists(turns, max_size=3).map(tuple),
    appends=st.lists(envelopes, max_size=2).map(tuple),
    closures=st.lists(st.builds(Closure, effect=effect_ids, state=states, envelope=envelopes), max_size=1).map(tuple),
    started=st.lists(st.tuples(actors, ids), max_size=1).map(tuple),
    held=st.lists(effect_ids, max_size=1).map(tuple),
    entries=st.lists(entries, max_size=1).map(tuple),
    cursors=st.dictionaries(st.just("c"), st.integers(0, 9), max_size=1),
)


def done(coroutine: Coroutine[object, None, T]) -> T:
    """What a coroutine gives that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("the memory store waited")


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        teach(connection)
        for script in MIGRATIONS:
            connection.executescript(script)
        put(connection, insertion("lease", LEASE_COLUMNS), [sealed(1, "a", 1, 0.0, 0, 0, 0)])
        yield connection


def in_place(batch: Batch, fates: list[str], memory: MemoryStore) -> Batch:
    """The batch with most of its revisions, messages and effects such as a kernel would name.

    Revisions count on from what is stored. A message stands for one that waits, or that the batch has sent. Each turn
    intends an effect while there is an unused one: ids of effects are made once.
    """
    revisions = {actor: done(memory.load(actor)).revision for actor in ACTORS}
    stash = {actor: list(done(memory.load(actor)).stash) for actor in ACTORS}
    mail = {actor: [envelope.id for envelope in done(memory.fetch(actor, 99, 99.0))] for actor in ACTORS}
    unused = [effect for effect in EFFECTS if effect.id not in memory._effects]
    placed: list[Turn] = []
    for turn, fate in zip(batch.turns, fates, strict=False):
        revision = turn.revision + revisions[turn.actor]
        placed_turn = attrs.evolve(turn, revision=revision, effects=tuple(unused[:1]))
        placed_turn = on_messages(placed_turn, fate, mail[turn.actor])
        stash[turn.actor] += placed_turn.stashed
        if fate == "unstashed":
            placed_turn = attrs.evolve(placed_turn, unstashed=tuple(dict.fromkeys(stash[turn.actor])))
            mail[turn.actor] += placed_turn.unstashed
            stash[turn.actor].clear()
        placed.append(placed_turn)
        unused = unused[1:]
        revisions[turn.actor] += 1
        for send in turn.sends:
            mail[send.receiver].append(send.id)
    return attrs.evolve(batch, turns=tuple(placed))


def on_messages(turn: Turn, fate: str, waiting: list[str]) -> Turn:
    """The turn on messages that wait; of names that stand for nothing only `m4` stays."""
    names = [name for name in turn.consumed if waiting or name == "m4"]
    real = tuple(waiting[int(name[1:]) % len(waiting)] if waiting else name for name in names)
    if fate == "consumed":
        return attrs.evolve(turn, consumed=real)
    if fate == "stashed":
        return attrs.evolve(turn, consumed=(), stashed=real)
    if fate == "unstashed":
        return attrs.evolve(turn, consumed=())
    if fate == "parked":
        return attrs.evolve(turn, consumed=(), parked=tuple(Parking(message=name, reason="bad") for name in real))
    attempts = tuple(Attempt(message=name, attempts=2, error="e", not_before=3.0) for name in real)
    return attrs.evolve(turn, consumed=(), attempts=attempts)


def without_seq(envelopes: list[Envelope]) -> list[Envelope]:
    """Numbers may have gaps; only their order counts."""
    return [attrs.evolve(envelope, seq=0) for envelope in envelopes]


def told_by_memory(memory: MemoryStore) -> list[object]:
    return [
        [done(memory.load(actor)) for actor in ACTORS],
        [without_seq(done(memory.fetch(actor, 99, now))) for actor in ACTORS for now in (0.0, 99.0)],
        [(done(memory.waiting(now)), done(memory.next_due(now))) for now in (0.0, 5.0, 50.0)],
        done(memory.effects()),
        without_seq([parked.envelope for parked in done(memory.parked())]),
        [(parked.reason, parked.at) for parked in done(memory.parked())],
        done(memory.log()),
        done(memory.views("run")),
        done(memory.cursor("c")),
        done(memory.tombstones()),
        [(done(memory.read(stream)), done(memory.extent(stream))) for stream in STREAMS],
        [done(memory.documents(name)) for name in ("c", "d")],
        [done(memory.search(name, "one OR two")) for name in ("c", "d")],
        [done(memory.document_ids("c")), done(memory.document_ids("d", subject="alice")), done(memory.vectors("c"))],
        done(memory.collections()),
    ]


def told_by_sqlite(connection: sqlite3.Connection) -> list[object]:
    return [
        [query.load(connection, actor) for actor in ACTORS],
        [without_seq(query.fetch(connection, actor, 99, now)) for actor in ACTORS for now in (0.0, 99.0)],
        [(query.waiting(connection, now), query.next_due(connection, now)) for now in (0.0, 5.0, 50.0)],
        query.effects(connection),
        without_seq([parked.envelope for parked in query.parked(connection)]),
        [(parked.reason, parked.at) for parked in query.parked(connection)],
        query.log(connection, 0, 999),
        query.views(connection, "run", None),
        query.cursor(connection, "c"),
        query.tombstones(connection),
        [(query.read(connection, stream, 0, 999), query.extent(connection, stream)) for stream in STREAMS],
        [searching.documents(connection, name, 0, 999) for name in ("c", "d")],
        [searching.search(connection, name, "one OR two", 10) for name in ("c", "d")],
        [
            searching.ids(connection, "c", None, inf, 999),
            searching.ids(connection, "d", "alice", inf, 999),
            searching.vectors(connection, "c", 0, 999),
        ],
        searching.collections(connection),
    ]


prunings = st.builds(
    Pruning,
    at=st.sampled_from([1, 2.5]),
    streams=st.dictionaries(streams, st.integers(0, 9), max_size=2),
    actors=st.sampled_from([(), (), tuple(ACTORS), (ACTORS[0],)]),
    views=st.lists(st.tuples(st.just("run"), ids), max_size=1).map(tuple),
    keys_before=st.sampled_from([0.0, 0.0, 2.0]),
    limit=st.integers(1, 4),
)
Chapter = tuple[Batch, list[str], Pruning | None]
stories = st.lists(st.tuples(batches, fates, st.none() | prunings), max_size=6)
letters = st.lists(envelopes, max_size=2)
requeues = st.lists(st.tuples(actors, ids), max_size=2)


@settings(deadline=None, max_examples=25)
@given(stories, letters, requeues)
def test_both_stores_tell_the_same_story(
    story: list[Chapter], letters: list[Envelope], requeued: list[tuple[ActorId, str]]
) -> None:
    compare(story, letters, requeued)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(deadline=None, max_examples=3000)
@given(stories, letters, requeues)
def test_both_stores_tell_the_same_long_story(
    story: list[Chapter], letters: list[Envelope], requeued: list[tuple[ActorId, str]]
) -> None:
    compare(story, letters, requeued)


def prune_both(connection: sqlite3.Connection, memory: MemoryStore, pruning: Pruning) -> None:
    """Memory takes away everything at once, SQLite a few rows at a time; the chains close after each."""
    at_once = done(memory.prune(pruning))
    part = prune(connection, pruning)
    parts = [part]
    while not (part.done or part.in_use):
        assert verify(connection).problems == ()
        part = prune(connection, pruning)
        parts.append(part)
    assert (part.in_use, sum(one.entries for one in parts)) == (at_once.in_use, at_once.entries)
    assert sum(one.records for one in parts) == at_once.records
    assert sum(one.states for one in parts) == at_once.states
    assert verify(connection).problems == done(memory.verify()).problems == ()


def compare(story: list[Chapter], letters: list[Envelope], requeued: list[tuple[ActorId, str]]) -> None:
    memory = MemoryStore()
    done(memory.claim("a", 30.0, 0.0))
    with database() as connection:
        for chapter, fates, pruning in story:
            batch = in_place(chapter, fates, memory)
            assert apply(connection, batch) == done(memory.commit(batch))
            assert told_by_sqlite(connection) == told_by_memory(memory)
            if pruning is not None:
                prune_both(connection, memory, pruning)
                assert told_by_sqlite(connection) == told_by_memory(memory)
        assert append(connection, letters, 1.0) == done(memory.append(letters))
        for receiver, message in requeued:
            assert query.requeue(connection, receiver, message) == done(memory.requeue(receiver, message))

        assert told_by_sqlite(connection) == told_by_memory(memory)
        assert verify(connection).problems == ()
        assert done(memory.verify()).problems == ()
