"""What of a plan stands in the state of its run: the step in hand, and how many entries count. It does not grow."""

from __future__ import annotations

from enum import Enum

import attrs

from .step import PlanStep


class Mode(Enum):
    """What a run with a plan is at."""

    PROPOSE = "propose"
    """The model has to propose the plan."""
    STEP = "step"
    ANSWER = "answer"
    """Every step is over: the model gives the final answer."""


SHOWN_GOAL = 80
"""Characters of the goal of the step in hand that the run's row repeats."""


@attrs.define(kw_only=True)
class Cursor:
    """Where a run stands in its plan.

    `entries` of the plan's stream count. Of `total` steps the `number`th is in hand: the one with the id `step`, whose
    goal begins with `goal` and which may use the tools that are `granted`; empty before the first, and after the last.
    `behind` is how many lines of the conversation stand behind what the model has seen. `errors` counts the calls of
    this attempt that came back as errors, of which there may be `most_errors`. `question` is what a person is
    asked about the step, and `waits` for what; `child` is the sub-run that does it; `escalated`: the person says what
    becomes of it. `base` is the model that was in hand before a fallback. `since` is where in the conversation the
    attempt in hand began, None in a fork that has taken it over; `is_fresh`: the model has not seen the attempt yet.
    `told_at` is the line of the conversation in which the model was told of the attempt, 0 without one.
    """

    entries: int = 0
    mode: Mode = Mode.PROPOSE
    step: str = ""
    goal: str = ""
    number: int = 0
    total: int = 0
    revisions: int = 0
    granted: tuple[str, ...] | None = ()
    behind: int = 0
    errors: int = 0
    most_errors: int | None = None
    question: str = ""
    waits: str = ""
    child: str = ""
    escalated: bool = False
    degraded: bool = False
    base: int | None = None
    since: int | None = None
    is_fresh: bool = False
    told_at: int = 0

    def take(self, step: PlanStep) -> None:
        """It is in hand now."""
        self.step, self.goal = step.id, " ".join(step.goal.split())[:SHOWN_GOAL]

    def perceived(self, upto: int) -> None:
        """The model sees the conversation up to there; what comes behind a fresh attempt is of that attempt."""
        self.since, self.is_fresh = (upto, False) if self.is_fresh else (self.since, False)

    @property
    def told(self) -> str:
        """Where the run stands, in one line: `step 12 of 500: Pay the bill.`"""
        if self.mode is Mode.PROPOSE:
            return "a plan is to be proposed"
        if self.mode is Mode.ANSWER:
            return f"all {self.total} steps are over"
        where = f"step {self.number} of {self.total}"
        return f"{where}: {self.goal}" if self.goal else where
