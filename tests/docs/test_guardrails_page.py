"""The table of docs/guardrails.md is what a file of policies may hold."""

from __future__ import annotations

import re
from pathlib import Path

from choragus.agents.policy import load_policies
from choragus.agents.policy.config import _SETTINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guardrails.md").read_text(encoding="utf-8")


def test_the_sections_of_a_file_have_the_keys_and_defaults_of_the_page() -> None:
    rows = re.findall(r"^\| (`\[.*?\]`) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)\b", keys)) for names, keys in rows for name in re.findall(r"[\w-]+", names)}

    assert told == {name: set(keys) for name, (_, keys) in _SETTINGS.items()}
    for names, keys in rows:
        for name in re.findall(r"[\w-]+", names):
            head = "[[rate]]\ncalls = 1\nwithin = 1\n" if name == "rate" else f"[{name}]\n"
            defaults = "\n".join(re.findall(r"`(\w+ = [^`]+)`", keys))
            assert load_policies(f"{head}{defaults}\n") == load_policies(head), name
