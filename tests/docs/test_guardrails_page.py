"""The blocks of docs/guardrails.md run as they stand and print what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from choragus.agents.policy import load_policies
from choragus.agents.policy.config import _SETTINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guardrails.md").read_text(encoding="utf-8")
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


def test_the_sections_of_a_file_have_the_keys_and_defaults_of_the_page() -> None:
    rows = re.findall(r"^\| (`\[.*?\]`) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)\b", keys)) for names, keys in rows for name in re.findall(r"[\w-]+", names)}

    assert told == {name: set(keys) for name, (_, keys) in _SETTINGS.items()}
    for names, keys in rows:
        for name in re.findall(r"[\w-]+", names):
            head = "[[rate]]\ncalls = 1\nwithin = 1\n" if name == "rate" else f"[{name}]\n"
            defaults = "\n".join(re.findall(r"`(\w+ = [^`]+)`", keys))
            assert load_policies(f"{head}{defaults}\n") == load_policies(head), name
