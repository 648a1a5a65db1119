"""The examples of conversations and configuration print what their reader should see; the page names every key."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ran import ran

from choragus.agents.configuration.overriding import TOOL
from choragus.agents.configuration.section import AGENT, SECTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def printed(name: str, folder: Path) -> list[str]:
    """The lines that an example prints."""
    script = ROOT / "examples" / f"{name}.py"
    return ran(script, folder).splitlines()


def test_the_example_of_a_conversation(tmp_path: Path) -> None:
    lines = printed("conversation", tmp_path)

    assert lines[0].startswith("monday: step 1: call 1.1 stock ")
    assert lines[1:3] == ["  all in one run: True", "  40 bolts, 7 nuts"]
    assert lines[3:5] == ["tuesday: 40 bolts, 7 nuts, 0 washers", "the conversation, over 2 runs:"]
    said = [line for line in lines[5:] if "user:" in line]
    assert said == ["  user: How many bolts are there?", "  user: And nuts?", "  user: And washers?"]


def test_the_example_of_a_configured_agent(tmp_path: Path) -> None:
    lines = printed("configured_clerk", tmp_path)

    assert lines == [
        "clerk: steps 5, answered by ['large', 'small']",
        "the model is told: denied: more than 100 is paid by hand",
        "the rate was asked for 3 times",
        "from configured_clerk.toml: True",
        "refused: configured_clerk.toml:9: agent.clerk.limits.steps: Limits(steps=-5) is no limit: "
        'give a whole number, 0 or more, or "none" for no limit',
    ]


@pytest.mark.parametrize("key", [*AGENT, *TOOL])
def test_the_page_names_every_key(key: str) -> None:
    assert f"`{key}`" in PAGE or f".{key}]`" in PAGE or f".{key}." in PAGE


@pytest.mark.parametrize("section", [*SECTIONS, "policies"])
def test_the_page_names_every_table(section: str) -> None:
    assert f"`[{section}" in PAGE
