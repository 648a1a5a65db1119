"""The blocks of the pages run as they stand and print what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
FORKED = Path(__file__).with_name("forked.py")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
BLOCKS = {
    name: found
    for name, page in PAGES.items()
    if (found := re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, flags=re.DOTALL))
}


@pytest.mark.timeout(180)
def test_blocks_print_what_the_pages_say(tmp_path: Path) -> None:
    """All pages in one test: what they have in common is imported once."""
    scripts: dict[Path, str] = {}
    for name, blocks in BLOCKS.items():
        for number, (block, printed) in enumerate(blocks):
            script = tmp_path / name / str(number) / "block.py"
            script.parent.mkdir(parents=True)
            script.write_text(block, encoding="utf-8")
            scripts[script] = printed

    done = subprocess.run(
        [sys.executable, FORKED, *scripts], cwd=tmp_path, capture_output=True, timeout=170, check=False
    )

    for script, printed in scripts.items():
        told = Path(f"{script}.err").read_text(encoding="utf-8")
        block = f"docs/{script.parts[-3]}.md, block {int(script.parts[-2]) + 1}"
        assert Path(f"{script}.out").read_text(encoding="utf-8") == printed, f"{block}: {told}"
    assert done.returncode == 0, done.stderr


def test_these_pages_teach_by_examples() -> None:
    taught = {"actors", "guardrails", "information-flow", "limits", "mailboxes", "supervision", "tools", "knowledge"}
    taught |= {"mcp", "memory", "models", "model-gateway", "output", "plans", "prompts", "testing-agents", "evaluation"}
    taught |= {"figures", "observability", "versions"}
    assert set(BLOCKS) >= taught


@pytest.mark.parametrize("name", BLOCKS)
def test_every_python_block_is_followed_by_its_output(name: str) -> None:
    assert PAGES[name].count("```python") == len(BLOCKS[name])
