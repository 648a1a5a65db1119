"""A limit that follows how long the last time took."""

from __future__ import annotations

import pytest

from choragus.mailbox.address import actor_id
from choragus.mailbox.pace import GOAL, LEAST, Pace
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Entry, Pruning


@pytest.mark.parametrize("cost", [0.00001, 0.0001, 0.0003, 0.0009], ids=["10us", "100us", "300us", "900us"])
def test_after_some_times_each_takes_no_longer_than_it_should(cost: float) -> None:
    """`cost` is what a row takes, in seconds."""
    pace = Pace(most=100)

    for _ in range(5):
        pace.took(pace.limit * cost)

    assert pace.limit * cost <= GOAL or pace.limit == LEAST
    assert pace.limit == 100 or pace.limit * cost > 0.7 * GOAL


def test_a_machine_that_stalls_is_asked_for_little_and_then_for_more_again() -> None:
    pace = Pace(most=100)

    pace.took(0.071)
    low = pace.limit
    for _ in range(5):
        pace.took(0.0001)

    assert (low, pace.limit) == (LEAST, 100)


def test_a_limit_below_the_least_stays_as_it_is() -> None:
    pace = Pace(most=2)

    pace.took(1.0)

    assert pace.limit == 2


def test_what_took_no_time_lets_the_limit_rise() -> None:
    pace = Pace(most=100)

    pace.took(0.0)

    assert pace.limit == 50


async def test_a_pruning_says_how_long_it_held_the_store(store: Store) -> None:
    lines = tuple(Entry("run/1", "k", 1.0, b"{}") for _ in range(3))
    await store.commit(Batch(node="a", fence=1, at=1.0, entries=lines))

    pruned = await store.prune(Pruning(at=2.0, streams={"run/1": 3}, actors=(actor_id("a", "b"),)))

    assert pruned.entries == 3
    assert (pruned.seconds > 0.0) == isinstance(store, SqliteStore)
