"""docs/tools.md names all that a tool can be declared with."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import fields

from choragus.agents.toolbelt.options import Options

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [each.name for each in fields(Options)])
def test_the_page_names_every_option(option: str) -> None:
    assert f"{option}=" in PAGE
