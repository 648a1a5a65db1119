"""The blocks of docs/tools.md run as they stand and print what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields

from choragus.agents.toolbelt.options import Options

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("block", "printed"), BLOCKS, ids=["trip"])
def test_block_prints_what_the_page_says(block: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_every_python_block_is_followed_by_its_output() -> None:
    assert PAGE.count("```python") == len(BLOCKS) == 1


@pytest.mark.parametrize("option", [each.name for each in fields(Options)])
def test_the_page_names_every_option(option: str) -> None:
    assert f"{option}=" in PAGE
