"""Runs that go in circles: the same calls with the same arguments that give the same results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from attrs import field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.fingerprint import short_hash

from .check import Check, PastCall, Stage
from .decision import Decision, check_decision, is_among, verdict_of, version_of
from .verdict import Deny, Verdict

LONGEST = 4
"""How many different calls a circle may have."""


@frozen(kw_only=True)
class LoopPolicy:
    """Stops a circle of one to four calls after it was gone through `times` times with nothing new to be seen.

    The result belongs to the circle: a poll whose answer changes is none, nor is a read that is repeated because
    something else was called in between. Calls that were refused count as calls without news.

    With `times=3` the fourth call of the same is denied, and the model reads why; the fifth gets `then`.

    Args:
        times: how often the circle may be gone through; 2 to 20, 3 by default.
        warnings: how many calls are denied before `then`; 1 by default.
        then: what becomes of a circle that the model stays in; "ask" by default.
        polls: patterns of tools that may answer the same for long: a circle with one of them is none.

    Raises:
        AgentFault: a number is out of range, or `then` is no decision.
    """

    times: int = 3
    warnings: int = 1
    then: Decision = field(default="ask", validator=check_decision)
    polls: tuple[str, ...] = ()
    name: str = "loop"
    stages: frozenset[Stage] = field(default=frozenset({Stage.CALL}), init=False)

    def __attrs_post_init__(self) -> None:
        if type(self.times) is not int or not 2 <= self.times <= 20:
            raise AgentFault(f"LoopPolicy(times={self.times!r}) must be a whole number from 2 to 20")
        if type(self.warnings) is not int or not 0 <= self.warnings <= 20:
            raise AgentFault(f"LoopPolicy(warnings={self.warnings!r}) must be a whole number from 0 to 20")

    @property
    def looks_back(self) -> int:
        """So many rounds of the longest circle, and what was denied of it."""
        return LONGEST * self.times + self.warnings + 1

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """Compare the call and those before it with the same calls one circle earlier."""
        past = check.past.calls
        if not any(one.tool == check.tool for one in past[-LONGEST:]):
            return None
        this = (check.tool, short_hash(check.arguments))
        for length in range(1, LONGEST + 1):
            more = _repeats(past, this, length) - self.times * length
            if more >= 0 and not self._polls(past[-length:]):
                return self._objection(check.tool, length, more)
        return None

    def _polls(self, circle: Sequence[PastCall]) -> bool:
        return any(is_among(one.tool, self.polls) for one in circle)

    def _objection(self, tool: str, length: int, more: int) -> Verdict:
        what = f"this call of {tool}" if length == 1 else f"this round of {length} calls"
        reason = (
            f"{what} was made {self.times} times with the same arguments and the same result: "
            "it will not give another; do something else, or say what is missing"
        )
        return Deny(reason) if more < self.warnings else verdict_of(self.then, f"a loop: {reason}")


def _repeats(past: Sequence[PastCall], this: tuple[str, str], length: int) -> int:
    """How many of the latest calls belong to a circle of that length which `this` would go on with."""
    if len(past) < length or (past[-length].tool, past[-length].arguments) != this:
        return 0
    seen: list[str] = [""] * length
    for back in range(1, len(past) + 1):
        one, place = past[-back], (back - 1) % length
        if back > length and (one.tool, one.arguments) != (past[-back + length].tool, past[-back + length].arguments):
            return back - 1
        if not one.result:
            continue  # it never ran
        if seen[place] and seen[place] != one.result:
            return back - 1
        seen[place] = one.result
    return len(past)
