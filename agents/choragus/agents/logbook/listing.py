"""The kinds of entries as a page lists them."""

from __future__ import annotations

from itertools import groupby

from .kind import Kind
from .table import ALL


def as_markdown() -> str:
    """A heading for each group, and a table of its kinds."""
    parts = []
    for group, kinds in groupby(ALL, key=lambda kind: kind.group):
        lines = [_line(kind) for kind in kinds]
        parts.append("\n".join([f"### {group}", "", "| kind | says | fields |", "|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _line(kind: Kind) -> str:
    told = [
        f"{'*' if field.content else ''}{name}{'*' if field.content else ''}{'?' if name in kind.optional else ''}"
        for name, field in kind.all.items()
        if name != "actor"
    ]
    since = "" if kind.since == "0.1.0" else f" Since {kind.since}."
    return f"| `{kind.name}` | {kind.meaning}{since} | {', '.join(told)} |"
