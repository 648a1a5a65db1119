"""What a sweep of crashes saw."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping

import attrs

from .point import CrashKind, Plan, told

REPLAY = "CHORAGUS_CRASH"
"""The environment variable that names the one point to crash at, as `after commit 7`."""

SHOWN = 5


@attrs.frozen(kw_only=True)
class CrashFault:
    """A crash that was not survived: its plan, what was about to happen there, and each promise that it broke."""

    plan: Plan
    where: str
    broken: tuple[str, ...]

    def __str__(self) -> str:
        broken = "".join(f"\n    {each}" for each in self.broken)
        return f"{self.where}{broken}\n    replay only this one: {replay(self.plan)}"


@attrs.frozen(kw_only=True)
class CrashReport:
    """What `crash_everywhere` saw.

    Args:
        scenario: its name.
        points: how many points of each kind the undisturbed scenario comes to.
        trials: how many crashes were tried.
        kills: how many processes died; a point that a run never came to kills nobody.
        seconds: how long it took.
        faults: the crashes that were not survived.
    """

    scenario: str
    points: Mapping[CrashKind, int]
    trials: int
    kills: int
    seconds: float
    faults: tuple[CrashFault, ...]

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.points.items())
        head = (
            f"{self.scenario}: {sum(self.points.values())} crash points ({kinds}), {self.trials} tried, "
            f"{self.kills} kills, {self.seconds:.1f} s, {len(self.faults)} not survived"
        )
        more = [f"... and {len(self.faults) - SHOWN} more"] if len(self.faults) > SHOWN else []
        return "\n  ".join([head, *map(str, self.faults[:SHOWN]), *more])


def replay(plan: Plan) -> str:
    """The line for a shell that runs this crash alone."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    what = ["pytest", test] if test else ["python", *sys.argv]
    return f"{REPLAY}={shlex.quote(told(plan))} {shlex.join(what)}"
