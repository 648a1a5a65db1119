"""Look-ups take no longer when much else waits, and a batch takes few statements: each lets go of Python's lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import ASIDE, Batch, Committed, Entry, Envelope, Turn, View

ALICE, BOB = actor_id("bank.account", "alice"), actor_id("bank.account", "bob")
MAIL = Envelope(id="m", receiver=ALICE, sender="host", record=Record("bank.deposit", 1, b"{}"))
RING = attrs.evolve(MAIL, timer="tick", due=50.0, reply_then="0.0 10.0 once 10.0")

Look = Callable[[SqliteStore], Awaitable[object]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "runs.db")
    yield store
    await store.close()


async def steps(store: SqliteStore, look: Look) -> int:
    """How many steps SQLite takes for it."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    await store._hop(lambda connection: connection.set_progress_handler(count, 1))
    await look(store)
    await store._hop(lambda connection: connection.set_progress_handler(None, 1))
    return taken


def crowd(number: int) -> list[Envelope]:
    """What nobody asked for: timers of another actor, and plain messages of this one."""
    timers = [attrs.evolve(MAIL, id=f"t{n}", receiver=BOB, timer=f"t{n}", due=20.0 + n) for n in range(number)]
    return [*timers, *(attrs.evolve(MAIL, id=f"m{n}") for n in range(number))]


@pytest.mark.parametrize(
    "look",
    [
        lambda store: store.rings(10.0),
        lambda store: store.next_due(10.0),
        lambda store: store.load(ALICE),
        lambda store: store.fetch(ALICE, 4, 1e6),
    ],
    ids=["rings", "next_due", "load", "fetch"],
)
async def test_what_else_waits_costs_nothing(store: SqliteStore, look: Look) -> None:
    await store.append([RING, attrs.evolve(MAIL, id="aside", due=ASIDE), *crowd(10)])
    few = await steps(store, look)

    await store.append(crowd(500))

    assert await steps(store, look) <= few + 5


async def statements(store: SqliteStore, batch: Batch) -> int:
    seen: list[str] = []
    await store._hop(lambda connection: connection.set_trace_callback(seen.append))
    assert isinstance(await store.commit(batch), Committed)
    await store._hop(lambda connection: connection.set_trace_callback(None))
    return len(seen)


def turns(begin: int, number: int) -> Batch:
    """Turns that take a message, leave a state, send, log, set a timer and show."""
    made: list[Turn] = []
    for n in range(begin, begin + number):
        actor = actor_id("bank.account", str(n))
        turn = Turn(
            id=f"t{n}",
            actor=actor,
            fence=1,
            revision=0,
            consumed=("m",),
            state=MAIL.record,
            sends=(attrs.evolve(MAIL, id=f"s{n}"), attrs.evolve(RING, id="r", receiver=actor)),
            entries=(Entry(f"run/{n}", "k", 1.0, b"{}"),),
            views=(View(kind="run", key=str(n), body=b"{}"),),
        )
        made.append(turn)
    return Batch(node="a", fence=1, at=10.0, turns=tuple(made))


async def test_a_batch_of_a_hundred_turns_takes_hardly_more_statements_than_one_of_one(store: SqliteStore) -> None:
    await store.claim("a", 30.0, 0.0)
    await store.append([attrs.evolve(MAIL, receiver=actor_id("bank.account", str(n))) for n in range(129)])
    one = await statements(store, turns(0, 1))

    many = await statements(store, turns(1, 128))

    assert many <= one + 2
