"""When a ticker rings next: on the beat, whatever was missed and wherever the clock went."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choragus.actors.beat import Beat, Missed, beat_of
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record
from choragus.mailbox.turn import Envelope


def beat(due: float = 100.0, *, missed: Missed = "once", wait: float = 10.0) -> Beat:
    return Beat(origin=100.0, every=10.0, missed=missed, due=due, wait=wait)


@pytest.mark.parametrize(
    ("missed", "now", "due"),
    [
        ("once", 100.0, 110.0),
        ("once", 109.9, 110.0),
        ("once", 110.0, 120.0),
        ("once", 1004.0, 1010.0),
        ("skip", 1004.0, 1010.0),
        ("all", 1004.0, 110.0),
        ("once", 99.0, 110.0),
        ("once", 42.0, 50.0),
        ("all", 42.0, 50.0),
    ],
)
def test_the_next_ring_is_on_the_beat(missed: Missed, now: float, due: float) -> None:
    assert beat(missed=missed).following(now).due == due


@pytest.mark.parametrize(("late", "rings"), [(0, 1), (25, 3), (9_990, 1_000), (10_000, 1_000), (1e6, 1_000)])
def test_all_rings_the_latest_thousand_of_what_was_missed(late: float, rings: int) -> None:
    one, now, count = beat(missed="all"), 100.0 + late, 0

    while one.due <= now:
        one, count = one.following(now), count + 1

    assert (count, one.due > now, one.due <= now + 10) == (rings, True, True)


@given(origin=st.floats(0, 4e9), every=st.floats(0.001, 1e7), late=st.floats(0, 1e6))
def test_the_next_ring_is_later_than_now_and_at_most_one_beat_away(origin: float, every: float, late: float) -> None:
    one = Beat(origin=origin, every=every, missed="once", due=origin, wait=every)

    for now in (origin + late, origin + late / 2):
        one = one.following(now)

        assert now < one.due <= now + every * 2.001
        assert one.due > one.origin


def test_a_beat_does_not_drift_over_ten_thousand_rings() -> None:
    one = Beat(origin=1.7e9, every=0.1, missed="once", due=1.7e9, wait=0.1)

    for _ in range(10_000):
        one = one.following(one.due)

    assert one.due == 1.7e9 + 10_000 * 0.1


@pytest.mark.parametrize(
    ("now", "since", "left_out"),
    [(100.0, 50.0, False), (109.0, 50.0, False), (110.0, 50.0, True), (101.0, 100.5, True)],
)
def test_skip_leaves_out_what_was_due_while_closed_or_is_a_beat_late(now: float, since: float, left_out: bool) -> None:
    assert beat(missed="skip").is_left_out(now, since) is left_out
    assert beat(missed="once").is_left_out(now, since) is False
    assert beat(missed="all").is_left_out(now, since) is False


def test_a_ring_is_astray_when_it_would_be_late_by_a_whole_wait() -> None:
    assert not beat().is_astray(80.1)
    assert beat().is_astray(80.0)
    assert not beat(wait=3600).is_astray(80.0)


def test_a_ring_that_is_put_anew_keeps_the_beat_and_a_first_one_its_wait() -> None:
    assert beat().again(42.0).due == 50.0
    assert beat(wait=3600).again(42.0).due == 3642.0


def test_a_beat_is_stored_beside_the_due_time_of_its_message() -> None:
    one = beat(due=0.1 + 0.2, missed="all", wait=1 / 3)
    ring = Envelope(
        id="1",
        receiver=ActorId("a/b"),
        sender="a/b",
        record=Record("json", 1, b"1"),
        due=one.due,
        timer="x",
        reply_then=one.text(),
    )

    assert beat_of(ring) == one
    assert beat_of(attrs.evolve(ring, timer="")) is None
    assert beat_of(attrs.evolve(ring, reply_to="a/b")) is None
    assert beat_of(attrs.evolve(ring, reply_then="")) is None
