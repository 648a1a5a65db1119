"""What is under way in the runs of a file: model and tool calls that were begun and have no result."""

from __future__ import annotations

import json
from typing import NamedTuple

from choragus.mailbox.reader import Reader

from .row import Fields, Row, text_of
from .text import duration


class Flight(NamedTuple):
    """A call that was begun at a time; `is_repeatable` when it is run again if its process dies."""

    run: str
    call: str
    what: str
    since: float
    is_repeatable: bool

    def row(self, now: float, owned: bool) -> Row:
        """It as a row of a timeline; without an owner nobody carries it out any more."""
        if owned:
            return Row(self.since, self.call, "under way", f"{self.what}, for {duration(now - self.since)}", whole=True)
        then = (
            "it is made again when the file is next opened"
            if self.is_repeatable
            else "nobody knows whether it happened; it waits for a person once the file is opened again"
        )
        return Row(
            self.since, self.call, "cut off", f"{self.what} was under way when its process ended: {then}", "", True
        )


def in_flight(reader: Reader, run: str | None = None) -> list[Flight]:
    """The calls that are under way, or were when the last process ended; oldest first. What is held has not begun."""
    statement = (
        "SELECT actor, runner, on_interrupt, created, body FROM effect "
        "WHERE state IN ('open', 'held') AND state = 'open' AND runner IN ('tool', 'model') ORDER BY created, id"
    )
    found: list[Flight] = []
    for actor, runner, on_interrupt, created, body in reader.rows(statement):
        of = str(actor).rpartition("/")[2]
        if run is None or of == run:
            asked = _fields(body)
            what = text_of(asked, "tool") if runner == "tool" else "the model"
            since = created if isinstance(created, float) else 0.0
            found.append(Flight(of, text_of(asked, "call"), what, since, on_interrupt != "unknown"))
    return found


def _fields(body: object) -> Fields:
    """What was asked for; nothing when it is damaged, which is for verify to name."""
    try:
        found = json.loads(body) if isinstance(body, bytes) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
