"""What a policy is shown: one thing at one stage of a run, and what the run did before."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from attrs import field, frozen

from choragus.agents.spending import Spent

if TYPE_CHECKING:
    from choragus.agents.flow.reading import Origins

    from .norms import Norms


class Stage(Enum):
    """Where in a run a policy looks."""

    INPUT = "input"
    """The goal, and each text that is sent to the run, before the model sees it."""
    REPLY = "reply"
    """What the model answered, before anything of it happens."""
    CALL = "call"
    """A tool call whose arguments fit the tool, before it runs."""
    RESULT = "result"
    """What a tool gave back, before the model sees it."""
    OUTPUT = "output"
    """The final answer, before the run completes with it."""


@frozen(kw_only=True)
class PastCall:
    """A call that has ended, at `at` seconds since the epoch.

    `arguments` and `result` are short hashes; that of the result is empty when the call never ran.
    """

    call: str
    tool: str
    arguments: str
    result: str
    is_error: bool
    at: float


@frozen
class Past:
    """The latest calls of the run that have ended, oldest first: as many as the run's policies look back on.

    `running` are those that were let through, or wait for a person, and have not ended; `objections` counts how often
    each policy had the last word in this run with anything but Allow.
    """

    calls: tuple[PastCall, ...] = ()
    running: tuple[PastCall, ...] = ()
    objections: Mapping[str, int] = field(factory=dict)

    def count(self, tool: str) -> int:
        """How many of these calls were of the tool."""
        return sum(one.tool == tool for one in self.calls)


@frozen(kw_only=True)
class Planned:
    """Where in its plan the run is when a call is judged.

    `step` is the id of the step in hand, `tools` are those that it names, None when it names none. `named` are the
    tools of the whole plan, each with the ids of the steps that name it and are not over.
    """

    step: str
    tools: tuple[str, ...] | None
    named: Mapping[str, tuple[str, ...]] = field(factory=dict)


@frozen(kw_only=True)
class Check:
    """One thing to judge.

    Args:
        call: the call's id within the run, at CALL and RESULT; with `tool`, `risk` ("read", "reversible" or
            "irreversible") and, at CALL, `arguments`: they fit the tool's schema.
        text: the goal, the reply, the result as JSON or the answer; at CALL what the model said beside the call.
        is_error: at RESULT, whether the text tells of an error.
        now: seconds since the epoch.
        origins: where the call (at CALL) or the answer (at OUTPUT) comes from, when a policy follows information.
        spent: what the run has used by now.
        planned: at CALL, where in its plan the run is, for policies with `wants_plan`; None without a plan.
        norms: what earlier runs of this version of the agent did, for policies with `wants_norms`; None without any.
    """

    stage: Stage
    run: str
    agent: str
    step: int = 0
    call: str = ""
    tool: str = ""
    risk: str = ""
    arguments: Mapping[str, object] = field(factory=dict)
    text: str = ""
    is_error: bool = False
    past: Past = field(factory=Past)
    now: float = 0.0
    origins: Origins | None = None
    spent: Spent = field(factory=Spent)
    norms: Norms | None = None
    planned: Planned | None = None
