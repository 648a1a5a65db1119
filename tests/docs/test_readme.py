"""The README's blocks run as they stand, and its commands are the ones that CI runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
(TREE,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
PRINTED = ["Take one.", "All paid.", TREE.strip(), "10"]


@pytest.mark.parametrize(
    ("block", "printed"), list(zip(BLOCKS, PRINTED, strict=True)), ids=["hello", "approval", "tree", "durable"]
)
def test_readme_block_runs_as_it_stands_and_once_more(block: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    first, second = (
        subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        for _ in range(2)
    )

    assert (first.stdout.strip(), first.returncode) == (printed, 0), first.stderr
    again = "20" if printed == "10" else printed  # the account on disk has grown
    assert (second.stdout.strip(), second.returncode) == (again, 0), second.stderr


def test_readme_shows_a_runnable_block_before_line_30() -> None:
    assert README[: README.index("```python")].count("\n") < 30


def test_readme_names_every_page() -> None:
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]

    assert [page for page in pages if f"](docs/{page})" not in README] == []


def test_readme_shows_a_tree_that_has_restarted_in_ten_lines() -> None:
    usage = BLOCKS[2][BLOCKS[2].index("counter = Child") :]

    assert len([line for line in usage.splitlines() if line]) <= 10
    assert "1 restart, last: ValueError" in TREE


def test_readme_has_the_two_commands_on_one_line_each() -> None:
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]

    assert len(commands) == 2
    assert commands[0].endswith("examples/audit_environment.py --yes --pace 0.2")
    assert ".venv/bin/pytest" in commands[1]


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "grep -m 1 '^python3 -m venv .*pytest' README.md" in script
    for check in ("ruff format --check", "ruff check", "mypy", "lint-imports"):
        assert f'"{check}"' in script
