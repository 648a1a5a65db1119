"""Decisions that are on their way: who may decide, and how many are missing. Pure, and without what can decide."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .request import Asked

SEEN = 8
"""Digits of the arguments' hash that bind a decision to what was listed."""


class Vote(Protocol):
    """A decision: a message, or what is read of one."""

    @property
    def approved(self) -> bool:
        """Yes, or no."""

    @property
    def by(self) -> str:
        """Whose."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def answer(self) -> str | None:
        """What is answered to a question."""


def missing(asked: Asked, recorded: Sequence[Vote]) -> int:
    """How many have to approve still when these decisions are taken up; one who denies is enough."""
    if not all(one.approved for one in recorded):
        return 0
    return max(0, asked.quorum - len({*asked.given, *(one.by for one in recorded)}))


def may_decide(asked: Asked, by: str) -> bool:
    """Whether that person may decide. When the time is up, others may by now."""
    lapsed = asked.due and time.time() >= asked.due
    return not asked.approvers or by in asked.approvers or bool(lapsed)


def said(vote: Vote) -> str:
    """What was decided, by whom, and why."""
    why = f" ({vote.reason})" if vote.reason else ""
    done = "answered" if vote.answer is not None else "approved" if vote.approved else "denied"
    return f"{done} by {vote.by}{why}"
