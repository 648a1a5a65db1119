"""The example of an answer that is read while it is written, as its user runs it."""

from __future__ import annotations

from pathlib import Path

from .test_plain_examples import EXAMPLES, printed


def test_the_reader_comes_back_and_reads_on(tmp_path: Path) -> None:
    assert [line.rstrip() for line in printed("streamed_answer", tmp_path)] == [
        "first process:",
        "  Rain in the morning, sun",
        "second process, another model that says the same:",
        "  [north-1: busy] [north-1: down] [south-1 instead] in the afternoon, wind at night.",
        "the same again, and it says something else:",
        "  [north-1: busy] [north-1: down] [south-1 instead]",
        "  (that is void)",
        "  Fog all day.",
    ]


def test_it_fits_two_screens() -> None:
    assert (EXAMPLES / "streamed_answer.py").read_text(encoding="utf-8").count("\n") <= 120
