"""The person beside a workload, who looks up what became of a call of unknown outcome, and says so."""

from __future__ import annotations

import os
from pathlib import Path

from choragus.supervision.testing.ledger import Ledger

NOTES = "looked-up"
"""The file of what was looked up, beside the database's."""


class Person:
    """Knows the world by its ledger and not by the database.

    Args:
        database: beside it a line is written for each answer.
    """

    def __init__(self, database: Path, ledger: Ledger) -> None:
        self._notes = database.with_name(NOTES)
        self._ledger = ledger

    def looks_up(self, what: str) -> bool:
        """Whether it happened."""
        descriptor = os.open(self._notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{what}\n".encode())
        os.close(descriptor)
        return self._ledger.count(what) > 0


def looked_up(folder: Path) -> list[str]:
    """What was looked up in a trial, each thing once."""
    notes = folder / NOTES
    return sorted(set(notes.read_text(encoding="utf-8").splitlines())) if notes.exists() else []
