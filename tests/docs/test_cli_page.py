"""The page of the command line is what the parser says."""

from __future__ import annotations

import re
import shlex

import pytest

from choragus.agents.cli.catalogue import COMMANDS
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.parser import parser

from . import cli


def test_the_page_is_what_the_parser_says() -> None:
    assert cli.PAGE.read_text(encoding="utf-8") == cli.page(), "write it anew: python -m tests.docs.cli"


def test_every_command_and_exit_code_is_on_the_page() -> None:
    page = cli.page()

    assert re.findall(r"^### (\w+)$", page, flags=re.MULTILINE) == list(COMMANDS)
    assert all(f"\n| {code.value} | " in page for code in Exit)


EXAMPLES = [line[2:] for line in cli.page().splitlines() if line.startswith("$ choragus ")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood(example: str) -> None:
    """As a shell would take it apart, up to where its output goes."""
    words = shlex.split(re.split(r" [|>#] ?", example)[0].replace("<", ""))

    asked = parser(words[1:]).parse_args(words[1:])

    assert words[1] in COMMANDS
    assert hasattr(asked, "reads")
