"""The example of an agent that remembers, as its user runs it."""

from __future__ import annotations

from pathlib import Path

from .test_plain_examples import EXAMPLES, ROOT, printed


def test_a_later_run_finds_what_an_earlier_one_noted_and_nothing_is_left_of_who_was_forgotten(tmp_path: Path) -> None:
    lines = printed("remembering_agent", tmp_path)

    assert lines[4:7] == [
        "  [developer] Room rules: quiet after ten.",
        "  [untrusted run RUN] Guest 17 sleeps badly beside the lift.",
        "  [completed, with remember] Guest 17 says: I sleep badly beside the lift.",
    ]
    assert lines[-3:] == [
        "forgotten: 1 document of guest 17",
        "left: ['Room rules: quiet after ten.']",
        "the library's logbook: ['library.put', 'library.put', 'library.forgotten']",
    ]


def test_it_fits_two_screens_and_stands_in_the_readme() -> None:
    assert (EXAMPLES / "remembering_agent.py").read_text(encoding="utf-8").count("\n") <= 120
    assert "remembering_agent.py" in (ROOT / "README.md").read_text(encoding="utf-8")
