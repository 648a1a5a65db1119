"""The runs of a file that are refused, for their agent is not what it was: in short for lists, whole for one run."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from choragus.agents.version.record import REFUSED
from choragus.mailbox.store import Store

from .session import Session
from .text import block, counted, page, visible

Row = Mapping[str, object]


async def refusals(store: Store) -> dict[str, Row]:
    """What was refused, or warned about, when the file was last opened, by run."""
    return {view.key: msgspec.json.decode(view.body or b"{}") for view in await store.views(REFUSED)}


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


def told_whole(session: Session, row: Row | None) -> list[str]:
    """Why one run is refused, and what to do about it."""
    if row is None:
        return []
    run, lines = str(row.get("run")), ["", *block([*told_in_short(row), str(row.get("why"))], page())]
    if row.get("warned"):
        return [*lines, session.command("diff", run)]
    ways = [session.command("diff", run)] if row.get("now") else []
    ways += [session.command("cancel", run)]
    ways += [session.command("fork", run, "--changed")] if row.get("now") else []
    return [*lines, *map(visible, ways)]


def refusal_hints(session: Session, rows: Mapping[str, Row]) -> list[str]:
    """Behind a list: how to see what differs."""
    refused = [run for run, row in rows.items() if not row.get("warned")]
    if not refused:
        return []
    return ["", visible(f"{counted(len(refused), 'run')} refused: {session.command('diff', refused[0])}")]
