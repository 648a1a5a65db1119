"""The table of docs/limits.md is what Limits() has."""

from __future__ import annotations

import re
from pathlib import Path

from choragus.agents import Limits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")


def test_the_table_has_the_ceilings_as_they_are_by_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w,]+) \|", PAGE, flags=re.MULTILINE))

    told = {name: None if value == "none" else float(value.replace(",", "")) for name, value in rows.items()}

    assert told == {name: getattr(Limits(), name) or None for name in rows}
    assert len(rows) == 10
