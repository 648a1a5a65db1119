"""The person beside a workload: looks up what became of a call of unknown outcome, and is told when the disk fails."""

from __future__ import annotations

import os
from pathlib import Path

from choragus.actors.event import Degraded, Events
from choragus.supervision.testing.ledger import Ledger

NOTES = "looked-up"
"""The file of what was looked up, beside the database's."""

ALARMS = "degraded"
"""The file of what the system said of its disk."""


class Person:
    """Knows the world by its ledger and not by the database.

    Args:
        database: beside it a line is written for each answer.
    """

    def __init__(self, database: Path, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def looks_up(self, what: str) -> bool:
        """Whether it happened."""
        is_asked(self._database, what)
        return self._ledger.count(what) > 0


def is_asked(database: Path, what: str) -> None:
    """Somebody looks up what became of it."""
    _append(database.with_name(NOTES), what)


def is_told_of(events: Events, database: Path) -> None:
    """Somebody reads that the system waits for its disk."""
    alarms = database.with_name(ALARMS)
    events.subscribe(lambda event: _append(alarms, event.reason), Degraded)


def alarms(folder: Path) -> list[str]:
    """What was read in a trial."""
    file = folder / ALARMS
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def looked_up(folder: Path) -> list[str]:
    """What was looked up in a trial, each thing once."""
    notes = folder / NOTES
    return sorted(set(notes.read_text(encoding="utf-8").splitlines())) if notes.exists() else []


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
