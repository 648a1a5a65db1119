"""docs/model-gateway.md names all that there is to be chosen, and says what really happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import fields

from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "model-gateway.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [each.name for each in (*fields(ModelOptions), *fields(ProviderLimits))])
def test_the_page_names_every_option(option: str) -> None:
    assert f"| `{option}=" in PAGE
