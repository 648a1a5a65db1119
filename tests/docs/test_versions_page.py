"""The page names every part of an identity; its example prints what its reader should see."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import fields
from tests.ran import ran

from choragus.agents.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "changed_agent.py"
NAMED = {"agent": "agent", "template": "its template", "provider": "provider", "model_options": "model options"}


@pytest.mark.parametrize("part", [each.name for each in fields(Manifest)])
def test_the_page_names_every_part_of_the_identity(part: str) -> None:
    assert NAMED.get(part, part) in PAGE.partition("## Identity")[2]


def test_runs_of_a_changed_agent_are_refused_ended_forked_and_migrated(tmp_path: Path) -> None:
    lines = ran(EXAMPLE, tmp_path).splitlines()

    assert lines[0] == "opened with another clerk: 3 runs are refused. What differs:"
    assert {"     -Be brief.", "     +Be kind.", "   limits.steps: 30 -> 20"} <= set(lines)
    assert "with a declared patch 0 are refused: clerk: all is paid." in lines
    assert EXAMPLE.read_text(encoding="utf-8").count("\n") <= 120
    assert EXAMPLE.name in (ROOT / "README.md").read_text(encoding="utf-8")
