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
PRINTED = ["Take one.", "All paid.", "3", "10"]


@pytest.mark.parametrize(
    ("block", "printed"), list(zip(BLOCKS, PRINTED, strict=True)), ids=["hello", "approval", "tree", "durable"]
)
def test_readme_block_runs_as_it_stands(block: str, printed: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr


def test_readme_shows_a_runnable_block_before_line_30() -> None:
    assert README[: README.index("```python")].count("\n") < 30


def test_readme_has_the_two_commands_on_one_line_each() -> None:
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]

    assert len(commands) == 2
    assert commands[0].endswith("examples/audit_environment.py --yes")
    assert ".venv/bin/pytest" in commands[1]


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "grep -m 1 '^python3 -m venv .*pytest' README.md" in script
    for check in ("ruff format --check", "ruff check", "mypy", "lint-imports"):
        assert f'"{check}"' in script
