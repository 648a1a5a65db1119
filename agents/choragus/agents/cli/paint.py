"""Colours for a terminal, or none.

They come with the extra `cli`, on a terminal that is not `dumb`. `NO_COLOR` takes them away, and `FORCE_COLOR` brings
them also where nobody's terminal is.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

_CODES = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}

STYLES = {
    "completed": "green",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "failed": "red",
    "denied": "red",
    "limit": "red",
    "cancelled": "dim",
}
"""How the state of a run is shown."""

HINT = "pip install 'choragus[cli]'"


def is_coloured() -> bool:
    """Whether what is printed may have colours."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and has_extra()


def has_extra() -> bool:
    """Whether the extra `cli` is installed; it is not imported for that."""
    return find_spec("rich") is not None


def painted(text: str, style: str) -> str:
    """The text in a style of its own; as it is where there are no colours."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text and is_coloured() else text


def state(cell: str) -> str:
    """A cell that holds the state of a run, with the blanks around it."""
    return painted(cell, STYLES.get(cell.strip(), ""))
