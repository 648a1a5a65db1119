"""A plan as it is proposed: steps, what each waits for, and what proves that it is done. Plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec
from attrs import field, frozen

from choragus.agents.errors import AgentFault

KINDS = ("said", "called", "fits", "check")

MOST_GOAL = 2_000
"""Characters of a step's goal."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _as_names(names: Iterable[str]) -> tuple[str, ...]:
    return names if isinstance(names, str) else tuple(names)  # type: ignore[return-value]  # a text is refused below


def _as_tools(tools: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if tools is None else _as_names(tools)


@frozen(kw_only=True)
class Done:
    """What proves that a step is done; code looks at it, never the model.

    >>> Done.said().told, Done.called("pay", amount=5).told
    ('said', 'called pay {"amount":5}')
    """

    kind: str = "said"
    name: str = ""
    arguments: Mapping[str, object] = field(factory=dict)

    @classmethod
    def said(cls) -> Done:
        """The model has said how it came out."""
        return cls()

    @classmethod
    def called(cls, tool: str, /, **arguments: object) -> Done:
        """That tool has returned within the step without an error, called with these values among its arguments."""
        return cls(kind="called", name=tool, arguments=arguments)

    @classmethod
    def fits(cls, type: str, /) -> Done:
        """What was said is JSON of that type: one of `Planning.types`, or a kind of JSON such as "number"."""
        return cls(kind="fits", name=type)

    @classmethod
    def checked(cls, check: str, /) -> Done:
        """The function of that name among `Planning.checks` says so."""
        return cls(kind="check", name=check)

    @property
    def text(self) -> str:
        """Its kind and name in one line, by which a recovery can be chosen."""
        return f"{self.kind} {self.name}".rstrip()

    @property
    def told(self) -> str:
        """All of it in one line."""
        if not self.arguments:
            return self.text
        return f"{self.text} {msgspec.json.encode(self.arguments).decode()}"


@frozen
class PlanStep:
    """One step of a plan.

    Args:
        id: its name within the plan: letters, digits, `_`, `.` and `-`, at most 64.
        goal: what is to be done in it, as the model reads it; at most 2,000 characters.
        after: the ids of the steps that have to be over before it begins.
        done: what proves that it is done; by default that the model has said how it came out.
        tools: the names of the tools that it may use; None: all that the run may.
        optional: whether those that come after it go on when it is skipped.
    """

    id: str
    goal: str
    after: tuple[str, ...] = field(kw_only=True, default=(), converter=_as_names)
    done: Done = field(kw_only=True, factory=Done)
    tools: tuple[str, ...] | None = field(kw_only=True, default=None, converter=_as_tools)
    optional: bool = field(kw_only=True, default=False)

    @property
    def named(self) -> tuple[str, ...]:
        """The tools that it names: those that it may use, or the one whose call proves it done."""
        if self.tools is not None:
            return self.tools
        return (self.done.name,) if self.done.kind == "called" else ()


def _as_steps(steps: Iterable[PlanStep]) -> tuple[PlanStep, ...]:
    return tuple(steps) if isinstance(steps, Iterable) else steps


@frozen
class Plan:
    """The steps of a run, in the order in which they are taken as far as what they wait for allows.

    >>> plan = Plan([PlanStep("find", "Find the invoice."), PlanStep("pay", "Pay it.", after=["find"])])

    Raises:
        AgentFault: a step is none.
    """

    steps: tuple[PlanStep, ...] = field(converter=_as_steps)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.steps, tuple) or not self.steps:
            raise AgentFault(f"Plan({self.steps!r}) has no steps: give a list of PlanStep(...)")
        for step in self.steps:
            if fault := malformed(step):
                raise AgentFault(fault)


def malformed(step: object) -> str:
    """Why this is no step of any plan, or nothing."""
    if not isinstance(step, PlanStep):
        return f"the step {step!r} is no PlanStep: give PlanStep(id, goal)"
    if not isinstance(step.id, str) or not _ID.fullmatch(step.id):
        return f"{step.id!r} is no id of a step: give 1 to 64 letters, digits, '_', '.' or '-'"
    if not isinstance(step.goal, str) or not step.goal.strip():
        return f"step {step.id!r} has no goal: say what is to be done in it"
    if len(step.goal) > MOST_GOAL:
        return f"the goal of step {step.id!r} has {len(step.goal):,} characters and may have {MOST_GOAL:,}: shorten it"
    for what, names in (("after", step.after), ("tools", step.tools)):
        if names is not None and not (isinstance(names, tuple) and all(isinstance(one, str) for one in names)):
            return f"{what}={names!r} of step {step.id!r}: give a list of names"
    if not isinstance(step.done, Done) or step.done.kind not in KINDS:
        return f"done={step.done!r} of step {step.id!r} is no criterion: use Done.said(), called, fits or checked"
    return ""
