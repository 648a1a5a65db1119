"""Points of a run at which a person is always asked, declared with the agent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TypeAlias

from attrs import frozen

from .errors import AgentFault
from .policy.check import Check, Stage
from .policy.verdict import Ask, Verdict


@frozen
class Before:
    """A person is asked before each call of the tool; `*` and `?` in the name stand for any text or letter."""

    tool: str


@frozen
class After:
    """A person sees what the tool gave back before the model does; `*` and `?` as in Before."""

    tool: str


@frozen
class BeforeStep:
    """A person sees what the model has answered in that step before anything of it happens; steps count from 1.

    It also is the checkpoint behind the step before. The calls of the answer are judged each on its own all the same.
    """

    step: int


@frozen
class BeforeAnswer:
    """A person sees the final answer before the run completes with it."""


Checkpoint: TypeAlias = Before | After | BeforeStep | BeforeAnswer


@frozen
class Checkpoints:
    """The checkpoints of an agent, as the policy that carries them out."""

    points: tuple[Checkpoint, ...]
    name: str = "checkpoints"
    looks_back: int = 0

    @property
    def version(self) -> str:
        """Another whenever the points are others."""
        return hashlib.sha256(repr(self.points).encode()).hexdigest()[:12]

    @property
    def stages(self) -> frozenset[Stage]:
        """Those that the points lie at."""
        return frozenset(_STAGES[type(point)] for point in self.points)

    def judge(self, check: Check) -> Verdict | None:
        """Ask, at a checkpoint."""
        point = next((one for one in self.points if _lies_at(one, check)), None)
        return None if point is None else Ask(f"a checkpoint: {_told(point, check)}")


def check_checkpoints(agent: str, points: object, tools: Iterable[str]) -> None:
    """Refuse what is no checkpoint, or lies nowhere.

    Raises:
        AgentFault: with what is wrong.
    """
    if not isinstance(points, tuple):
        raise AgentFault(f"the checkpoints of agent {agent!r} are {points!r}: give a list such as [Before('pay')]")
    known = tuple(tools)
    for point in points:
        if not isinstance(point, Before | After | BeforeStep | BeforeAnswer):
            raise AgentFault(
                f"{point!r} is no checkpoint of agent {agent!r}: give Before, After, BeforeStep, BeforeAnswer"
            )
        if isinstance(point, BeforeStep) and (type(point.step) is not int or point.step < 1):
            raise AgentFault(f"{point!r} of agent {agent!r} lies before no step: they count from 1")
        if isinstance(point, Before | After) and not any(fnmatchcase(tool, str(point.tool)) for tool in known):
            raise AgentFault(
                f"{point!r} of agent {agent!r} is about none of its tools: {', '.join(known) or 'it has none'}"
            )


def _lies_at(point: Checkpoint, check: Check) -> bool:
    if _STAGES[type(point)] is not check.stage:
        return False
    match point:
        case Before(tool) | After(tool):
            return fnmatchcase(check.tool, tool)
        case BeforeStep(step):
            return check.step == step
        case BeforeAnswer():
            return True


def _told(point: Checkpoint, check: Check) -> str:
    match point:
        case Before():
            return f"before {check.tool}"
        case After():
            return f"after {check.tool}, before the model reads this"
        case BeforeStep(step):
            return f"before anything of step {step} happens"
        case BeforeAnswer():
            return "before the run completes with this answer"


_STAGES: dict[type[Checkpoint], Stage] = {
    Before: Stage.CALL,
    After: Stage.RESULT,
    BeforeStep: Stage.REPLY,
    BeforeAnswer: Stage.OUTPUT,
}
