"""The runs of a file that are refused, for their agent is not what it was: in short for lists, whole for one run."""

from __future__ import annotations

from collections.abc import Mapping

from choragus.agents.version.record import REFUSED
from choragus.mailbox.reader import Reader

from .glance import Glance
from .text import block, counted, page, visible

Row = Mapping[str, object]


def refusals(reader: Reader) -> dict[str, Row]:
    """What was refused, or warned about, when the file was last opened, by run."""
    return {row.key: row.data for row in reader.views(REFUSED)}


def refusal(reader: Reader, run: str) -> Row | None:
    """The same of one run."""
    row = reader.view(REFUSED, run)
    return None if row is None else row.data


def told_in_short(row: Row | None) -> list[str]:
    """A line of a list."""
    if row is None:
        return []
    verb = "goes on though" if row.get("warned") else "refused:"
    if not row.get("now"):
        return [f"{verb} its agent {row.get('agent')!r} is missing"]
    changes = row.get("changes")
    named = ", ".join(map(str, changes)) if isinstance(changes, list) and changes else ""
    return [f"{verb} identity changed" + (f" ({named})" if named else "")]


def told_whole(glance: Glance, row: Row | None) -> list[str]:
    """Why one run is refused, and what to do about it."""
    if row is None:
        return []
    run, lines = str(row.get("run")), ["", *block([*told_in_short(row), str(row.get("why"))], page())]
    if row.get("warned"):
        return [*lines, glance.command("diff", run)]
    ways = [glance.command("diff", run)] if row.get("now") else []
    ways += [glance.command("cancel", run)]
    ways += [glance.command("fork", run, "--changed")] if row.get("now") else []
    return [*lines, *map(visible, ways)]


def refusal_hints(glance: Glance, rows: Mapping[str, Row]) -> list[str]:
    """Behind a list: how to see what differs."""
    refused = [run for run, row in rows.items() if not row.get("warned")]
    if not refused:
        return []
    return ["", visible(f"{counted(len(refused), 'run')} refused: {glance.command('diff', refused[0])}")]
