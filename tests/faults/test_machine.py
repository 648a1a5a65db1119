"""The rows of one machine's faults can join the table."""

from __future__ import annotations

from .machine import Seen
from .row import HEAD


def test_a_row_says_what_was_seen_in_its_line_of_the_table() -> None:
    row = Seen(fault="a fault", points=3, promised="nothing", seen="nothing at all")

    assert len(row.cells) == len(HEAD)
    assert row.cells[:3] == ("a fault", "3", "nothing; seen: nothing at all")
