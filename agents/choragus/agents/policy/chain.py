"""The policies of an agent, in order."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .check import Check, Stage
from .verdict import Verdict


@runtime_checkable
class Policy(Protocol):
    """Judges checks of its stages; sync, pure and quick."""

    @property
    def name(self) -> str:
        """What it is called in the logbook."""

    @property
    def version(self) -> str:
        """Another one whenever it may judge otherwise."""

    @property
    def stages(self) -> frozenset[Stage]:
        """What it is asked about."""

    def judge(self, check: Check) -> Verdict | None:
        """Its verdict, or None: no opinion."""
