"""The block of docs/information-flow.md runs as it stands and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "information-flow.md").read_text(encoding="utf-8")


def test_block_prints_what_the_page_says(tmp_path: Path) -> None:
    ((block, printed),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout, done.returncode) == (printed, 0), done.stderr
