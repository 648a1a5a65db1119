"""Writes docs/reference.md, every public name by its door: `python -m tests.docs.reference`."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from choragus.agents.tool import Tool

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference.md"

DOORS = {
    "choragus.agents": "agents, their models, tools and runs",
    "choragus.agents.policy": "what judges a run",
    "choragus.agents.testing": "for tests of agents",
    "choragus.agents.evaluation": "cases, scorers, reports and baselines",
    "choragus.agents.knowledge": "libraries and episodes, with what few need",
    "choragus.agents.figures": "figures, people's decisions, and runs as a dataset",
    "choragus.agents.web": "the page, with the extra `web`",
    "choragus.supervision": "systems and supervisors",
    "choragus.supervision.testing": "crashes, and simulated time, for tests",
    "choragus.actors": "actors and their messages",
    "choragus.actors.testing": "for tests of actors",
    "choragus.mailbox": "what is on disk",
}

HEAD = """\
# All public names

What each door offers, with the first line of its docstring; `help(name)` has the rest. What no door lists is not
public, and may change at any time. The page is written by `python -m tests.docs.reference`, and a test holds it to the
code. What the words mean is told in [words](words.md).
"""


def page() -> str:
    """The page as it has to be."""
    return HEAD + "".join(line for door, what in DOORS.items() for line in _section(door, what))


def _section(door: str, what: str) -> Iterator[str]:
    module = importlib.import_module(door)
    yield f"\n## `{door}`: {what}\n\n| name | |\n|---|---|\n"
    for name in module.__all__:
        yield f"| `{name}` | {_first_line(getattr(module, name))} |\n"


def _first_line(value: object) -> str:
    if isinstance(value, Tool):
        said = re.split("[.:]", value.description)[0]
        return f"A tool. {said}."
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return "a type" if hasattr(value, "__origin__") or hasattr(value, "__args__") else "a constant"
    text = (inspect.getdoc(value) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
