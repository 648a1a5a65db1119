"""Policies on behaviour that earlier runs of the same version did not show, and on leaving the plan."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from attrs import field, frozen

from choragus.agents.errors import AgentFault

from .check import Check, PastCall, Planned, Stage
from .decision import Decision, check_decision, verdict_of, version_of
from .norms import Norms
from .verdict import Verdict

CALL = frozenset({Stage.CALL})
CHANGING = ("reversible", "irreversible")
RISKS = ("read", *CHANGING)


def _check_risks(policy: object, attribute: object, risks: tuple[str, ...]) -> None:
    strange = [one for one in risks if one not in RISKS]
    if strange or not risks:
        what = repr(strange[0]) if strange else "nothing"
        raise AgentFault(f"{type(policy).__name__}(risks={risks!r}): {what} is none of {', '.join(RISKS)}")


def _check_least(policy: object, attribute: object, least: object) -> None:
    if type(least) is not int or least < 2:
        raise AgentFault(f"{type(policy).__name__}(least={least!r}) must be a whole number of runs, 2 or more")


def _as_order(order: Iterable[str]) -> Iterable[str]:
    return order if isinstance(order, str) else tuple(order)  # a text is left for the check


def _check_order(policy: object, attribute: object, order: object) -> None:
    if not isinstance(order, tuple) or not all(isinstance(one, str) and one for one in order):
        raise AgentFault(f"PlanPolicy(order={order!r}) names no tools: give a list of names, such as ['find', 'pay']")


@frozen(kw_only=True)
class _ByNorms:
    """What the policies have in common that know what earlier runs of this version of the agent did."""

    then: Decision = field(default="ask", validator=check_decision)
    least: int = field(default=10, validator=_check_least)
    stages: frozenset[Stage] = field(default=CALL, init=False)
    looks_back: int = field(default=0, init=False)
    wants_norms: bool = field(default=True, init=False)

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """By the norms of the version."""
        why = None if check.norms is None else self._why(check, check.norms)
        return verdict_of(self.then, f"unusual: {why}") if why else None

    def _why(self, check: Check, norms: Norms) -> str | None:
        """What is unusual about it, if anything is."""
        raise NotImplementedError


@frozen(kw_only=True)
class NewToolPolicy(_ByNorms):
    """Objects to a tool that no earlier run of this version of the agent used.

    Args:
        then: "ask" by default.
        least: with fewer finished runs of this version it has no opinion; 10 by default.
        risks: the classes that it looks at; not what only reads, by default.
    """

    risks: tuple[str, ...] = field(default=CHANGING, validator=_check_risks)
    name: str = "new-tool"

    def _why(self, check: Check, norms: Norms) -> str | None:
        return norms.new_tool(check.tool, self.least) if check.risk in self.risks else None


@frozen(kw_only=True)
class UnusualArgumentsPolicy(_ByNorms):
    """Objects to arguments of another shape, size or value than earlier runs gave to the tool.

    Args:
        then: "ask" by default.
        least: with fewer finished runs that used the tool it has no opinion; 10 by default.
        risks: the classes that it looks at; not what only reads, by default.
    """

    risks: tuple[str, ...] = field(default=CHANGING, validator=_check_risks)
    name: str = "unusual-arguments"

    def _why(self, check: Check, norms: Norms) -> str | None:
        if check.risk not in self.risks:
            return None
        return norms.unusual_arguments(check.tool, check.arguments, self.least)


@frozen(kw_only=True)
class UnusualSpendingPolicy(_ByNorms):
    """Objects once per run, at its next call, when its steps or cost go beyond those of earlier runs.

    Args:
        then: "escalate" by default.
        least: with fewer finished runs of this version it has no opinion; 10 by default.
    """

    then: Decision = field(default="escalate", validator=check_decision)
    name: str = "unusual-spending"

    def _why(self, check: Check, norms: Norms) -> str | None:
        if check.past.objections.get(self.name):
            return None
        return norms.unusual_spending(steps=check.step, cost_usd=check.spent.cost_usd, least=self.least)


@frozen(kw_only=True)
class PlanPolicy:
    """Objects to a call that leaves the plan: a tool that it does not have, or one whose turn is over.

    The plan is `order`. Each of its tools may be called several times in a row, and steps may be left out. Without an
    order it is the run's own plan, as far as its steps name tools, by those that they may use or by the one whose call
    proves them done: a call leaves it whose tool the step in hand does not name though others do, or that no step names
    any more. A run without a plan has nothing to leave.

    >>> PlanPolicy(order=["find", "book", "pay"]).order
    ('find', 'book', 'pay')

    Args:
        order: the names of the tools, the first to be called first.
        then: "ask" by default.
        risks: the classes that it looks at; what only reads may always come in between, by default.
    """

    order: tuple[str, ...] = field(default=(), validator=_check_order, converter=_as_order)
    then: Decision = field(default="ask", validator=check_decision)
    risks: tuple[str, ...] = field(default=CHANGING, validator=_check_risks)
    name: str = "plan"
    stages: frozenset[Stage] = field(default=CALL, init=False)

    @property
    def wants_plan(self) -> bool:
        """Whether the run's own plan is what counts."""
        return not self.order

    @property
    def looks_back(self) -> int:
        """As far as a plan may have come; without one nothing needs to be kept."""
        return 200 if self.order else 0

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """By where in the plan the run stands after the calls that ran."""
        if check.risk not in self.risks:
            return None
        if not self.order:
            why = "" if check.planned is None else _leaves(check.tool, check.planned)
            return verdict_of(self.then, f"{check.tool} leaves the plan: {why}") if why else None
        past = (*(one for one in check.past.calls if one.result), *check.past.running)
        left = self.order[max(_stands(self.order, past), 0) :]
        if check.tool in left:
            return None
        rest = ", ".join(left)
        where = "the plan does not have it" if check.tool not in self.order else "its turn is over"
        return verdict_of(self.then, f"{check.tool} leaves the plan: {where}; what is left of it: {rest}")


Unexpected = NewToolPolicy | UnusualArgumentsPolicy | UnusualSpendingPolicy | PlanPolicy


def unexpected(then: Decision = "ask", least: int = 10) -> list[Unexpected]:
    """The policies on unexpected behaviour together, all with one verdict."""
    return [
        NewToolPolicy(then=then, least=least),
        UnusualArgumentsPolicy(then=then, least=least),
        UnusualSpendingPolicy(then=then, least=least),
        PlanPolicy(then=then),
    ]


def _leaves(tool: str, planned: Planned) -> str:
    """Why a call is none of the run's plan, or nothing."""
    if not planned.named or tool in (planned.tools or ()):
        return ""
    steps = planned.named.get(tool, ())
    if planned.tools is not None:
        return f"step {planned.step} has {', '.join(planned.tools) or 'no tools'}"
    if steps:
        return f"step {planned.step} is in hand, and step {steps[0]} has {tool}"
    return f"no step of what is left of it has {tool}"


def _stands(planned: tuple[str, ...], past: tuple[PastCall, ...]) -> int:
    """The place of the plan that the calls have come to; -1 before the first."""
    at = -1
    for one in past:
        if at >= 0 and planned[at] == one.tool:
            continue
        later = [place for place in range(at + 1, len(planned)) if planned[place] == one.tool]
        at = later[0] if later else at
    return at
