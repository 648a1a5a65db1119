"""Durable timers keep to the wall clock when it is set; a live owner is never written over."""

from __future__ import annotations

import pytest

from .time_jump import rows, seconds_until_it_rings, taken_from_a_live_owner


@pytest.mark.parametrize("jump", [60.0, 3600.0])
def test_a_timer_rings_at_once_when_the_clock_is_set_past_it(jump: float) -> None:
    taken = seconds_until_it_rings(jump, within=60.0)

    assert taken is not None
    assert taken <= 0.1


def test_a_timer_rings_once_when_the_clock_was_set_back() -> None:
    taken = seconds_until_it_rings(-60.0, within=120.0)

    assert taken is not None
    assert 67.0 <= taken <= 78.0


def test_a_clock_that_is_set_back_does_not_free_the_file() -> None:
    assert not taken_from_a_live_owner(-3600.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_table_of_jumps_can_be_made() -> None:
    assert len(rows(quick=False)) == 3
