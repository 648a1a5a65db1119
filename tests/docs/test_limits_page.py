"""The first block of docs/limits.md runs as it stands and prints what the page says; its table is what Limits() has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from choragus.agents import Limits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found is not None
    script = tmp_path / "block.py"
    script.write_text(found[1], encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout, done.returncode) == (found[2], 0), done.stderr


def test_the_table_has_the_ceilings_as_they_are_by_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w,]+) \|", PAGE, flags=re.MULTILINE))

    told = {name: None if value == "none" else float(value.replace(",", "")) for name, value in rows.items()}

    assert told == {name: getattr(Limits(), name) or None for name in rows}
    assert len(rows) == 10
