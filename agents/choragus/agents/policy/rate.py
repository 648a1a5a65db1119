"""How often a tool may be called within a time."""

from __future__ import annotations

from functools import cached_property

from attrs import field, frozen

from choragus.agents.errors import AgentFault

from .check import Check, Stage
from .decision import Decision, check_decision, is_among, verdict_of, version_of
from .verdict import Verdict

MOST = 200
"""How many calls of a run's past are kept for a policy at most."""


@frozen(kw_only=True)
class RatePolicy:
    """At most so many calls within so many seconds, over all the tools that it is about.

    >>> RatePolicy(calls=5, within=60, tools=("send_*",)).calls
    5

    Args:
        calls: 1 to 200 calls are allowed within the time.
        within: seconds.
        tools, agents: patterns of the names that it is about; all by default.
        then: what becomes of a call too many; "deny" tells the model how long to wait.
        name: two of them in one list need a name each.

    Raises:
        AgentFault: a number is out of range, or `then` is no decision.
    """

    calls: int
    within: float
    tools: tuple[str, ...] = ("*",)
    agents: tuple[str, ...] = ("*",)
    then: Decision = field(default="deny", validator=check_decision)
    name: str = "rate"
    stages: frozenset[Stage] = field(default=frozenset({Stage.CALL}), init=False)

    def __attrs_post_init__(self) -> None:
        if type(self.calls) is not int or not 1 <= self.calls <= MOST:
            raise AgentFault(f"RatePolicy(calls={self.calls!r}) must be a whole number from 1 to {MOST}")
        if isinstance(self.within, bool) or not isinstance(self.within, int | float) or not 0 < self.within < 1e9:
            raise AgentFault(f"RatePolicy(within={self.within!r}) must be a number of seconds above 0")

    @property
    def looks_back(self) -> int:
        """The calls that are allowed; when other tools' calls may stand between them, as far as there is."""
        return self.calls if "*" in self.tools else MOST

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """Count the calls that ran since `within` seconds ago, or still run or wait."""
        if not is_among(check.tool, self.tools) or not is_among(check.agent, self.agents):
            return None
        since = check.now - self.within
        past = [one for one in check.past.calls if one.result and one.at > since]
        times = sorted(one.at for one in (*past, *check.past.running) if is_among(one.tool, self.tools))
        if len(times) < self.calls:
            return None
        wait = max(0.0, times[-self.calls] + self.within - check.now)
        return verdict_of(
            self.then,
            f"{len(times)} calls within {self.within:g} s, {self.calls} are allowed: call again in {wait:.0f} s",
        )
