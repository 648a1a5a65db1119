"""The table of faults: rows from families, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import family as registry
from .family import Extent, Family, family, rows
from .row import Row, table

ROW = Row(fault="a kill", points=3, promised="nothing lost", again=2, noticed=1, broken=("something",))
EXTENT = Extent(points=1, library=Path("none"), folder=Path("none"))


@pytest.fixture(autouse=True)
def no_families(monkeypatch: pytest.MonkeyPatch) -> dict[str, Family]:
    families: dict[str, Family] = {}
    monkeypatch.setattr(registry, "FAMILIES", families)
    return families


def test_a_row_is_a_line_of_markdown() -> None:
    lines = table([ROW]).splitlines()

    assert lines[0].startswith("| fault | points | promised |")
    assert lines[2] == "| a kill | 3 | nothing lost | 2 | 0 | 0 | 0 | 1 | 1 |"


def test_a_family_gives_its_rows_under_its_name() -> None:
    @family("kills")
    def kills(extent: Extent) -> Iterator[Row]:
        yield ROW

    assert list(rows(EXTENT)) == [ROW]
    assert list(rows(EXTENT, ["kills"])) == [ROW]
    with pytest.raises(LookupError, match=r"^no family of faults is named 'clock': there are kills"):
        list(rows(EXTENT, ["clock"]))
    with pytest.raises(ValueError, match=r"^two families of faults are named 'kills'"):
        family("kills")(kills)
