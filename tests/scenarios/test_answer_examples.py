"""The examples of typed answers and of recordings, as their user runs them."""

from __future__ import annotations

from pathlib import Path

from .test_plain_examples import EXAMPLES, printed


def test_a_wrong_answer_goes_back_and_the_next_one_is_an_object(tmp_path: Path) -> None:
    assert printed("typed_answer", tmp_path) == [
        "sent back: Expected `int`, got `str` - at `$.lines[0].amount`",
        "Ada owes 550 cents for 2 items",
        "failed:    the answer was no Invoice 2 times: JSON is malformed: invalid character (byte 0)",
    ]


def test_a_recorded_run_is_replayed_and_drifts(tmp_path: Path) -> None:
    lines = printed("recorded_run", tmp_path)

    assert [line for line in lines if "is asked" in line] == lines[1:4]
    assert lines[4:8] == ["  230 NOK", "replayed:", "  230 NOK", "replayed with another prompt:"]
    assert "+instructions: Be polite." in lines


def test_the_examples_fit_two_screens() -> None:
    for name in ("typed_answer", "recorded_run"):
        assert (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").count("\n") <= 120
