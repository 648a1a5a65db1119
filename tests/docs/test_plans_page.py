"""docs/plans.md says what plans have by default, and all that they enter."""

from __future__ import annotations

from pathlib import Path

from choragus.agents import Planning, Recovery
from choragus.agents.plan import book
from choragus.agents.plan.step import MOST_GOAL

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")


def test_the_limits_are_those_that_there_are() -> None:
    planning = Planning()

    assert f"`Planning(steps={planning.steps:_})`" in PAGE
    assert f"`Planning(revisions={planning.revisions})`" in PAGE
    assert f"{MOST_GOAL:,} characters" in PAGE
    assert f"`retries={Recovery().retries}`" in PAGE


def test_every_kind_of_entry_is_named() -> None:
    kinds = [value for name, value in vars(book).items() if name.isupper() and isinstance(value, str)]

    assert [one for one in kinds if f"`{one}`" not in PAGE] == []
    assert len(kinds) == 9
