"""What every store promises of streams, views and cursors."""

from __future__ import annotations

import attrs

from choragus.mailbox.address import actor_id
from choragus.mailbox.digest import GENESIS, chain
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Entry, LogEntry, Turn, View

ALICE = actor_id("bank.account", "alice")
TURN = Turn(id="t1", actor=ALICE, fence=1, revision=0)
BATCH = Batch(node="a", fence=1, at=10.0)


def entry(stream: str, number: int) -> Entry:
    return Entry(stream, "test.line", float(number), b'{"n": %d}' % number)


def view(key: str, scope: str = "", sort: float = 0.0, kind: str = "run") -> View:
    return View(kind=kind, key=key, scope=scope, sort=sort, body=b'{"key": "%b"}' % key.encode())


async def log(store: Store, *entries: Entry) -> Committed:
    result = await store.commit(attrs.evolve(BATCH, entries=entries))
    assert isinstance(result, Committed)
    return result


async def show(store: Store, *views: View) -> None:
    revision = (await store.load(ALICE)).revision
    turn = attrs.evolve(TURN, id=f"t{revision}", revision=revision, views=views)
    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=(turn,))), Committed)


async def test_positions_count_within_a_stream_and_seq_over_all(store: Store) -> None:
    await log(store, entry("run/1", 1), entry("system", 2), entry("run/1", 3))

    lines = await store.log()

    assert [(line.seq, line.stream, line.position) for line in lines] == [
        (1, "run/1", 1),
        (2, "system", 1),
        (3, "run/1", 2),
    ]


async def test_each_entry_chains_the_one_before_it_in_its_stream(store: Store) -> None:
    await log(store, entry("run/1", 1), entry("system", 2))
    await log(store, entry("run/1", 3))

    first, second = await store.read("run/1")

    assert first.hash == chain(GENESIS, 1, entry("run/1", 1))
    assert second.hash == chain(first.hash, 2, entry("run/1", 3))


async def test_entries_of_the_batch_come_before_those_of_its_turns(store: Store) -> None:
    turns = (
        attrs.evolve(TURN, entries=(entry("run/1", 2), entry("run/1", 3))),
        attrs.evolve(TURN, id="t2", revision=1, entries=(entry("run/1", 4),)),
    )

    await store.commit(attrs.evolve(BATCH, turns=turns, entries=(entry("run/1", 1),)))

    assert [line.at for line in await store.read("run/1")] == [1.0, 2.0, 3.0, 4.0]


async def test_read_goes_on_behind_a_position(store: Store) -> None:
    await log(store, *(entry("run/1", number) for number in range(1, 6)))

    assert [line.position for line in await store.read("run/1", after=2, limit=2)] == [3, 4]
    assert await store.read("run/1", after=5) == []
    assert await store.read("run/2") == []


async def test_log_goes_on_behind_a_seq(store: Store) -> None:
    await log(store, *(entry(f"run/{number}", number) for number in range(1, 6)))

    assert [line.seq for line in await store.log(after=2, limit=2)] == [3, 4]


async def test_batches_are_numbered_when_they_write_an_entry(store: Store) -> None:
    numbers = [(await log(store, *lines)).batch for lines in ([], [entry("a", 1)], [], [entry("a", 2), entry("b", 3)])]

    assert numbers == [0, 1, 1, 2]
    assert [line.batch for line in await store.log()] == [1, 2, 2]


async def test_an_integer_time_is_the_float_that_it_reads_as(store: Store) -> None:
    await log(store, attrs.evolve(entry("a", 1), at=7), attrs.evolve(entry("a", 2), at=-0.0))

    assert [type(line.at) for line in await store.read("a")] == [float, float]
    assert (await store.verify()).problems == ()


async def test_a_view_is_replaced_by_kind_and_key(store: Store) -> None:
    await show(store, view("1"), view("1", kind="approval"))
    await show(store, view("1", scope="new", sort=3.0))

    assert await store.view("run", "1") == view("1", scope="new", sort=3.0)
    assert await store.view("approval", "1") == view("1", kind="approval")
    assert await store.view("run", "2") is None


async def test_views_of_one_batch_are_new_moved_or_have_another_body(store: Store) -> None:
    same, moved, new = view("same", sort=2.0), view("moved", scope="old", sort=1.0), view("new", sort=1.0)
    await show(store, same, moved)
    same, moved = attrs.evolve(same, body=b'{"changed": 1}'), attrs.evolve(moved, scope="new", sort=3.0)

    await show(store, same, moved, new)

    assert await store.views("run") == [new, same, moved]
    assert await store.views("run", "new") == [moved]
    assert await store.views("run", "old") == []
    assert (await store.verify()).problems == ()


async def test_a_view_without_a_body_is_deleted(store: Store) -> None:
    await show(store, view("1"), view("2"))
    await show(store, attrs.evolve(view("1"), body=None), attrs.evolve(view("none"), body=None))

    assert await store.views("run") == [view("2")]


async def test_of_two_views_in_one_batch_the_last_stands(store: Store) -> None:
    await show(store, view("1"), attrs.evolve(view("1"), body=None), view("1", sort=2.0))

    assert await store.views("run") == [view("1", sort=2.0)]


async def test_views_come_by_sort_and_key_within_a_scope(store: Store) -> None:
    await show(store, view("c", "x", 1.0), view("a", "x", 2.0), view("b", "x", 1.0), view("d", "y", 0.0))

    assert [found.key for found in await store.views("run", "x")] == ["b", "c", "a"]
    assert [found.key for found in await store.views("run")] == ["d", "b", "c", "a"]
    assert await store.views("run", "z") == []


async def test_a_cursor_is_where_it_was_put(store: Store) -> None:
    await store.commit(attrs.evolve(BATCH, cursors={"export": 5, "page": 7}))
    await store.commit(attrs.evolve(BATCH, cursors={"export": 9}))

    assert [await store.cursor(name) for name in ("export", "page", "none")] == [9, 7, 0]


async def test_verify_counts_what_it_checked(store: Store) -> None:
    await log(store, entry("run/1", 1), entry("system", 2))
    await log(store, entry("run/1", 3))

    found = await store.verify()

    assert (found.entries, found.streams, found.batches, found.problems) == (3, 2, 2, ())


async def test_an_entry_comes_back_as_it_was_given(store: Store) -> None:
    await log(store, entry("run/1", 1))

    (line,) = await store.log()

    assert line == LogEntry(
        seq=1,
        stream="run/1",
        position=1,
        kind="test.line",
        at=1.0,
        body=b'{"n": 1}',
        batch=1,
        hash=chain(GENESIS, 1, entry("run/1", 1)),
    )
