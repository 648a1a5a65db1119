"""Damage on disk is noticed or changes nothing, and is never taken for what was written."""

from __future__ import annotations

import pytest

from .rot import TURNS, flipped_files, read_without_index, torn_logs


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "in-the-middle"])
def test_a_bit_of_the_file_is_noticed_or_changes_nothing(finished: bool) -> None:
    tally = flipped_files(12, finished=finished)

    assert tally.broken == []
    assert tally.earlier == 0
    assert tally.noticed > 0


def test_a_log_that_was_cut_leaves_whole_turns_in_their_order() -> None:
    """Nobody can tell a shorter log from one that was never longer; what is left is whole."""
    tallies = torn_logs(3, every=200)

    assert [tally.broken for tally in tallies.values()] == [[], [], []]
    assert tallies["cut"].points > 3


def test_a_flipped_bit_in_the_log_is_noticed_unless_it_is_in_the_last_commit() -> None:
    """Which looks like one that a crash has left half written."""
    tally = torn_logs(16, every=10_000)["flipped"]

    assert tally.noticed > 11
    assert set(tally.lost) <= {1}
    assert tally.broken == []


def test_a_killed_run_needs_no_index_of_its_log() -> None:
    gone, rubbish = read_without_index()

    assert gone.problems == ()
    assert gone.total == TURNS // 2 * 2
    assert rubbish == gone


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_thousand_flipped_bits_are_noticed_or_change_nothing() -> None:
    """Those of the log, which may take the turns behind them away, are among them."""
    tallies = [flipped_files(4000, finished=True), flipped_files(4000, finished=False), *torn_logs(2000).values()]

    assert [one for tally in tallies for one in tally.broken] == []
    assert sum(tally.earlier for tally in tallies[:2]) == 0
