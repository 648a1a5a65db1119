"""The blocks of docs/testing.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("block", "printed"),
    list(zip(BLOCKS, ["open again", "nothing lost", "survived"], strict=True)),
    ids=["shop", "till", "order"],
)
def test_the_block_runs_as_it_stands(block: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr
