"""The example of docs/memory.md prints what its user should see."""

from __future__ import annotations

from pathlib import Path

from tests.ran import ran

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "long_conversation.py"


def test_forty_reports_are_read_with_a_small_context(tmp_path: Path) -> None:
    lines = ran(EXAMPLE, tmp_path).splitlines()

    assert lines[0].endswith("The pump in hall 13 leaks. The pump in hall 26 leaks. The pump in hall 39 leaks.")
    assert lines[2].startswith("step 41: ")
    assert "  blocks: 46 tokens, block, edit 3, by call 40.1" in lines
    assert EXAMPLE.read_text(encoding="utf-8").count("\n") <= 120
