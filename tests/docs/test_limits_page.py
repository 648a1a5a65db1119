"""The blocks of docs/limits.md run as they stand and print what the page says; its table is what Limits() has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from choragus.agents import Limits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("block", "printed"), BLOCKS)
def test_block_prints_what_the_page_says(block: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_every_python_block_is_followed_by_its_output() -> None:
    assert PAGE.count("```python") == len(BLOCKS) > 0


def test_the_table_has_the_ceilings_as_they_are_by_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w,]+) \|", PAGE, flags=re.MULTILINE))

    told = {name: None if value == "none" else float(value.replace(",", "")) for name, value in rows.items()}

    assert told == {name: getattr(Limits(), name) or None for name in rows}
    assert len(rows) == 10
