"""Faults of one machine: its clock, other processes at the file, its limits, and what rots on its disk."""

from __future__ import annotations

import attrs

from .row import Row


@attrs.frozen(kw_only=True)
class Seen(Row):
    """A row that also says in words what was seen."""

    seen: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The line of the table, with what was seen behind the promise."""
        fault, points, promised, *numbers = super().cells
        return (fault, points, f"{promised}; seen: {self.seen}", *numbers)
