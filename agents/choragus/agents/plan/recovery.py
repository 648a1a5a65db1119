"""What follows where a step of a plan fails: it is tried again, in other ways, given up, or put to a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from attrs import field, frozen

from choragus.agents.errors import AgentFault

ENDS = ("fail", "skip", "degrade", "escalate")

LastResort = Literal["fail", "skip", "degrade", "escalate"]


@frozen
class UseModel:
    """Try the step once more with another of the agent's models: its place among `Agent.models`, 0 being the first."""

    model: int

    @property
    def told(self) -> str:
        """It in two words."""
        return f"model {self.model}"


@frozen
class UseTool:
    """Try the step once more with this tool in place of those that it had."""

    tool: str

    @property
    def told(self) -> str:
        """It in two words."""
        return f"tool {self.tool}"


@frozen
class UseAgent:
    """Have another agent do the step, in a sub-run whose goal it is; its answer is the step's outcome."""

    agent: str

    @property
    def told(self) -> str:
        """It in two words."""
        return f"agent {self.agent}"


def _as_names(names: Iterable[str]) -> tuple[str, ...]:
    return names if isinstance(names, str) else tuple(names)  # type: ignore[return-value]  # a text is refused below


@frozen(kw_only=True)
class AskPerson:
    """Ask a person how the step came out; the answer is its outcome.

    Args:
        approvers: who may answer; by default whom the agent's approvals name first.
        options: the answers to choose from; by default any text.
    """

    approvers: tuple[str, ...] = field(default=(), converter=_as_names)
    options: tuple[str, ...] = field(default=(), converter=_as_names)

    @property
    def told(self) -> str:
        """It in two words."""
        return "a person"


Fallback: TypeAlias = UseModel | UseTool | UseAgent | AskPerson


def _as_fallbacks(fallback: Iterable[Fallback]) -> tuple[Fallback, ...]:
    return tuple(fallback) if isinstance(fallback, Iterable) else fallback


@frozen(kw_only=True)
class Recovery:
    """What happens to a step whose attempt has failed.

    It is tried again `retries` times, then each fallback has one attempt, then `then` happens.

    >>> Recovery(retries=2, fallback=[UseModel(1), AskPerson()], then="skip").then
    'skip'

    Args:
        retries: further attempts, with the reason told to the model; 1 by default.
        fallback: other ways, in their order.
        then: "fail": the run ends as failed, with the step named. "skip": the step is skipped, and so is what comes
            after it, unless the step is optional. "degrade": it is skipped, all others go on with what there is, and
            the run counts as degraded. "escalate": a person says retry, skip or end.
        tool_errors: how many calls of one attempt may come back as errors; with one more it has failed. None: any.

    Raises:
        AgentFault: an argument is none of these.
    """

    retries: int = 1
    fallback: tuple[Fallback, ...] = field(default=(), converter=_as_fallbacks)
    then: LastResort = "fail"
    tool_errors: int | None = None

    def __attrs_post_init__(self) -> None:
        for name, value in (("retries", self.retries), ("tool_errors", self.tool_errors)):
            if (value is not None or name == "retries") and (type(value) is not int or value < 0):
                raise AgentFault(f"Recovery({name}={value!r}): give a whole number, 0 or more")
        if self.then not in ENDS:
            raise AgentFault(f"Recovery(then={self.then!r}) is none of {', '.join(ENDS)}: use one of them")
        if not isinstance(self.fallback, tuple):
            raise AgentFault(f"Recovery(fallback={self.fallback!r}): give a list of fallbacks")
        strange = [one for one in self.fallback if not isinstance(one, UseModel | UseTool | UseAgent | AskPerson)]
        if strange:
            raise AgentFault(
                f"Recovery(fallback=[{strange[0]!r}]) is no fallback: give UseModel, UseTool, UseAgent or AskPerson"
            )


@frozen
class Move:
    """What follows on a failed attempt.

    `way` is the number of the fallback that is tried next, from 1, and `by` what it is; 0 is the step itself, tried
    again. With `then` nothing is left to try.
    """

    way: int = 0
    by: Fallback | None = None
    then: LastResort | None = None


def next_move(way: int, tries: int, recovery: Recovery) -> Move:
    """What follows on a failed attempt.

    >>> next_move(0, 1, Recovery(retries=1)).way, next_move(0, 2, Recovery(retries=1)).then
    (0, 'fail')

    Args:
        way: 0, or the number of the fallback that was tried.
        tries: how often the step was tried this way.
    """
    if way == 0 and tries <= recovery.retries:
        return Move()
    if way < len(recovery.fallback):
        return Move(way + 1, recovery.fallback[way])
    return Move(then=recovery.then)
