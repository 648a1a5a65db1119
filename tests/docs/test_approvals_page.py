"""The blocks of docs/approvals.md run as they stand, and the example prints what its user should see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.ran import ran

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "approvals.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
(PRINTED,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)


def _run(script: Path, folder: Path) -> str:
    return ran(script, folder)


def test_the_first_block_runs_as_it_stands(tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(BLOCKS[0], encoding="utf-8")

    assert _run(script, tmp_path) == PRINTED


@pytest.mark.parametrize("block", BLOCKS[1:], ids=["approvers", "endpoint"])
def test_the_block_runs_as_it_stands(block: str) -> None:
    exec(block, {})


def test_the_example_of_an_edited_approval(tmp_path: Path) -> None:
    printed = _run(ROOT / "examples" / "edited_approval.py", tmp_path)

    assert "  refused: bad arguments for tool 'pay': Invalid decimal string - at `$.amount`\n" in printed
    assert "  paid 120.00 for A-17\n  paid 9.50 for A-18\n" in printed
    assert "150.00 for" not in printed
