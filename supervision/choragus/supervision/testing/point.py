"""Where a scenario's process dies."""

from __future__ import annotations

from typing import Literal, get_args

import attrs

CrashKind = Literal["before commit", "after commit", "before effect", "after note"]
"""Around the n-th transaction, before the n-th effect begins, after the n-th line of the ledger."""

KINDS: tuple[CrashKind, ...] = get_args(CrashKind)


@attrs.frozen(order=True)
class CrashPoint:
    """The `number`-th time, from 1, that a process comes to a point of that `kind`.

    >>> str(CrashPoint.parse("after commit 7"))
    'after commit 7'
    """

    kind: CrashKind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def parse(cls, text: str) -> CrashPoint:
        """The point that `str` gave.

        Raises:
            ValueError: naming what a point looks like.
        """
        kind, _, number = text.strip().rpartition(" ")
        for known in KINDS:
            if kind == known and number.isdecimal() and int(number) > 0:
                return cls(known, int(number))
        raise ValueError(f"{text!r} is no crash point: write one of {', '.join(KINDS)} and a number, 'after commit 7'")


Plan = tuple[CrashPoint, ...]
"""Points for one process after the other: the second is in the recovery from the first."""


def parse_plan(text: str) -> Plan:
    """The points that `", ".join` gave, in order."""
    return tuple(CrashPoint.parse(each) for each in text.split(","))


def told(plan: Plan) -> str:
    """The plan as text, as `parse_plan` takes it."""
    return ", ".join(map(str, plan))
