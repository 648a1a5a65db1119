"""The example that makes cases of failures, as its user runs it."""

from __future__ import annotations

from pathlib import Path

from .test_plain_examples import EXAMPLES, ROOT, printed


def test_failures_become_cases_that_the_second_version_passes(tmp_path: Path) -> None:
    lines = printed("failures_to_cases", tmp_path)

    assert "completed: 4 of 5, 95 % interval 0.38 to 0.96" in lines
    assert "case: Add 1, 2 and 3. expects 6, completed, corrected" in lines
    assert "case: Add 8. expects 8, failed" in lines
    assert lines[-2:] == ["the first version passes 0 of 2", "the second version passes 2 of 2"]
    assert list(tmp_path.iterdir()) == []


def test_the_example_is_short_and_stands_in_the_readme() -> None:
    assert len((EXAMPLES / "failures_to_cases.py").read_text(encoding="utf-8").splitlines()) <= 120
    assert "`failures_to_cases.py`" in (ROOT / "README.md").read_text(encoding="utf-8")
