"""The example of a run that is unwound, as its user runs it."""

from __future__ import annotations

from pathlib import Path

from .test_plain_examples import EXAMPLES, ROOT, printed


def test_what_was_booked_is_cancelled_the_last_booking_first(tmp_path: Path) -> None:
    lines = printed("unwound_run", tmp_path)

    why = "cancel failed: ConnectionError: the airline does not answer"
    assert lines[3:] == [
        "the run is cancelled; still booked: 2",
        "   (cancelled: hotel in Bergen, with the key 1.2/undo)",
        f"it stopped at 1.1/undo: {why}; behind it remains nothing",
        "   (cancelled: flight to Bergen, with the key 1.1/undo)",
        "taken back, in this order: 1.2/undo, 1.1/undo; still booked: 0",
    ]


def test_it_fits_two_screens_and_stands_in_the_readme() -> None:
    assert (EXAMPLES / "unwound_run.py").read_text(encoding="utf-8").count("\n") <= 120
    assert "unwound_run.py" in (ROOT / "README.md").read_text(encoding="utf-8")
