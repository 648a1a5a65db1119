"""The example of a planned run, as its user runs it."""

from __future__ import annotations

import re
from pathlib import Path

from .test_plain_examples import EXAMPLES, ROOT, printed


def test_a_plan_is_mended_followed_and_ends_degraded(tmp_path: Path) -> None:
    lines = printed("planned_run", tmp_path)

    kinds = [line.split()[0] for line in lines]
    assert kinds[:3] == ["plan.refused", "plan.proposed", "step.started"]
    assert "step.retried    sum: 402 is not the sum of 2 results" in lines
    assert "step.fallback   rate: agent archivist: rate gave an error" in lines
    assert any(re.fullmatch(r"step.succeeded  rate: run \w{12}: 11.6, as of yesterday", line) for line in lines)
    assert "step.skipped    cover: the model says: I cannot draw" in lines
    assert lines[-1] == "completed, degraded: We sold for 420 kroner, or 36 euros."


def test_it_fits_two_screens_and_stands_in_the_readme() -> None:
    assert (EXAMPLES / "planned_run.py").read_text(encoding="utf-8").count("\n") <= 120
    assert "planned_run.py" in (ROOT / "README.md").read_text(encoding="utf-8")
