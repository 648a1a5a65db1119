"""The list of public names is what the doors offer."""

from __future__ import annotations

from pathlib import Path

from . import reference


def test_the_page_lists_every_public_name_with_the_first_line_of_its_docstring() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), (
        "write it anew: python -m tests.docs.reference"
    )


def test_every_door_is_on_the_page() -> None:
    layout = (Path(__file__).parents[1] / "layout" / "test_layout.py").read_text(encoding="utf-8")

    assert all(f'"{door.removeprefix("choragus.")}"' in layout for door in reference.DOORS)
