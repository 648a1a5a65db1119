"""What each risk class is allowed without anybody being asked."""

from __future__ import annotations

from functools import cached_property

from attrs import field, frozen

from .check import Check, Stage
from .decision import Decision, check_decision, verdict_of, version_of
from .verdict import Verdict


@frozen(kw_only=True)
class RiskPolicy:
    """Decides by the risk class of a tool, unless another policy allows the call.

    A run without it has these defaults too: it is there to be configured.

    >>> RiskPolicy(reversible="ask").reversible
    'ask'

    Args:
        read: for tools that change nothing; "allow" by default.
        reversible: for tools whose effect can be changed back; "allow" by default.
        irreversible: for the others; "ask" by default.

    Raises:
        AgentFault: a decision is none of allow, deny, ask, escalate and end.
    """

    read: Decision = field(default="allow", validator=check_decision)
    reversible: Decision = field(default="allow", validator=check_decision)
    irreversible: Decision = field(default="ask", validator=check_decision)
    name: str = "risk"
    is_default: bool = field(default=True, init=False)
    stages: frozenset[Stage] = field(default=frozenset({Stage.CALL}), init=False)

    @property
    def looks_back(self) -> int:
        """Nothing."""
        return 0

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """By the class alone; a class that nobody knows is refused."""
        decisions: dict[str, Decision] = {
            "read": self.read,
            "reversible": self.reversible,
            "irreversible": self.irreversible,
        }
        decision = decisions.get(check.risk)
        if decision is None:
            return verdict_of("deny", f"tool {check.tool!r} has the unknown risk class {check.risk!r}")
        return verdict_of(decision, f"{check.risk} tools: {decision}")
