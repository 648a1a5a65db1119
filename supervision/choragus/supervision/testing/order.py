"""What a fork server is asked for, and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import attrs

from .ledger import Ledger
from .point import CrashKind, CrashPoint

Scenario: TypeAlias = Callable[[Path, Ledger], Awaitable[object]]

KILLED = -9
OVERDUE = -14
RAISED = 70


@attrs.frozen(kw_only=True)
class Order:
    """One process: which life of the trial in `folder`, where it dies, and after how many seconds it is stuck."""

    folder: Path
    life: int
    point: CrashPoint | None
    patience: float

    @property
    def database(self) -> Path:
        """The file that the scenario is given."""
        return self.folder / "scenario.db"

    @property
    def ledger(self) -> Path:
        """The file behind the ledger."""
        return self.folder / "ledger"

    @property
    def printed(self) -> Path:
        """What the process printed."""
        return self.folder / f"printed-{self.life}"

    @property
    def grave(self) -> Path:
        """What was about to happen where it died."""
        return self.folder / f"grave-{self.life}"


@attrs.frozen(kw_only=True)
class Witness:
    """What a process that came to its end gave back, and what its file says.

    Args:
        outcome: the scenario's, in plain types.
        counts: how often it came to the points of each kind.
        log: (stream, kind, body) in order.
        parked: (receiver, reason).
        problems: what `verify` found.
        unfinished: effects that are still open.
    """

    outcome: object
    counts: Mapping[CrashKind, int]
    log: tuple[tuple[str, str, str], ...]
    parked: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    unfinished: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Ended:
    """How a process ended: its exit code (negative: a signal), and its witness or what it failed with."""

    code: int
    witness: Witness | None
    error: str
    seconds: float
