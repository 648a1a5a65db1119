"""The example of docs/memory.md prints what its user should see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "long_conversation.py"


def test_forty_reports_are_read_with_a_small_context(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("The pump in hall 13 leaks. The pump in hall 26 leaks. The pump in hall 39 leaks.")
    assert lines[2].startswith("step 41: ")
    assert "  blocks: 46 tokens, block, edit 3, by call 40.1" in lines
    assert EXAMPLE.read_text(encoding="utf-8").count("\n") <= 120
