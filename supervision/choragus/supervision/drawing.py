"""Rows of text in columns, with the lines of a tree before them: pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

NAME = 48
"""Columns that the names of a tree take at most, its lines included."""

WHAT = 28
"""Columns that say what stands there, at most."""

STATE = 10
"""Columns of the longest state."""


@attrs.frozen
class Row:
    """One line of a tree. Without a state, `name` has the line for itself.

    `lines` are the tree's lines before the name.
    """

    lines: str
    name: str
    what: str = ""
    state: str = ""
    notes: str = ""


def below(lines: str) -> str:
    """The lines before whatever stands below a row with these lines."""
    return lines.replace("├─ ", "│  ").replace("└─ ", "   ")


def drawn(rows: Sequence[Row], width: int) -> str:
    """The rows in columns, each cut off at `width`."""
    full = [row for row in rows if row.state]
    name = min(NAME, max((len(row.lines + row.name) for row in full), default=0))
    what = min(WHAT, max((len(row.what) for row in full), default=0))
    return "\n".join(_line(row, name, what, width) for row in rows)


def _line(row: Row, name: int, what: int, width: int) -> str:
    if not row.state:
        return cut(row.lines + row.name, width)
    columns = cut(row.lines + row.name, name).ljust(name), cut(row.what, what).ljust(what), row.state.ljust(STATE)
    return cut("  ".join((*columns, row.notes)).rstrip(), width)


def cut(text: str, width: int) -> str:
    """The text on one line of `width` characters, with … where it was longer."""
    line = " ".join(text.splitlines())
    return line if len(line) <= width else line[: width - 1] + "…"
