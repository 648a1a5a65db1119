"""Periods as people write them."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from choragus.agents.figures import Period, period
from choragus.agents.figures.period import day

NOW = datetime(2026, 11, 23, 12, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_so_long_ago(text: str, seconds: int) -> None:
    assert period(text, now=NOW) == Period(NOW - seconds, None)


def test_a_local_day_goes_from_its_beginning_to_its_end() -> None:
    found = period("2026-11-22", "2026-11-22", now=NOW)

    assert found == (datetime(2026, 11, 22).timestamp(), datetime(2026, 11, 23).timestamp())


def test_times_are_local_unless_they_say_otherwise() -> None:
    found = period("2026-11-22T09:00", "2026-11-22T09:00+00:00", now=NOW) if time.timezone > 0 else None
    alone = period("2026-11-22T09:00+00:00", now=NOW)

    assert alone.since == 1_795_338_000.0
    assert found is None or found.until == alone.since
    assert period("2026-11-22T09:00", now=NOW).since == datetime(2026, 11, 22, 9).timestamp()


def test_the_beginning_is_in_it_and_the_end_is_not() -> None:
    found = Period(1.0, 2.0)

    assert [at in found for at in (0.9, 1.0, 1.9, 2.0)] == [False, True, True, False]
    assert 5.0 in Period()


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("yesterday", "", "^since='yesterday' is no time: give 30m, 24h, 7d"),
        ("", "2026-13-01", "^until='2026-13-01' is no time"),
        ("999999w", "", "^since='999999w' is no time"),
        ("1h", "2h", "^until='2h' is not behind since='1h'"),
    ],
)
def test_what_is_no_period_is_refused_in_words(since: str, until: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        period(since, until, now=NOW)


def test_the_day_of_a_time_is_the_local_one() -> None:
    assert day(datetime(2026, 11, 22, 0, 0, 1).timestamp()) == "2026-11-22"
    assert day(datetime(2026, 11, 22, 23, 59, 59).timestamp()) == "2026-11-22"
