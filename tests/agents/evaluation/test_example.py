"""The example of an evaluation, as its user runs it, and the page's account of what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenarios.test_plain_examples import EXAMPLES, printed

from choragus.agents.evaluation.builtin import _KNOWN

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_the_example_shows_a_regression(tmp_path: Path) -> None:
    lines = printed("evaluated_agent", tmp_path)

    assert lines[:2] == ["before: 12 of 12 trials passed", "after:  9 of 12 trials passed"]
    assert "  REGRESSION  case large: 0 of 3 passed, 3 of 3 before (p = 0.050)" in lines
    assert lines[-1] == "a regression"
    assert max(map(len, lines)) <= 80


def test_the_example_fits_two_screens_and_stands_in_the_readme() -> None:
    assert (EXAMPLES / "evaluated_agent.py").read_text(encoding="utf-8").count("\n") <= 120
    assert "evaluated_agent.py" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_names_every_evaluator_that_is_known() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")

    assert [name for name in _KNOWN if f"`{name}`" not in page] == []
