"""Scorers that look at what a run did: which tools it used in which order, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import attrs

from choragus.agents.ended import EndedRun, MadeCall
from choragus.agents.errors import EvaluationFault

from .case import Case
from .scorer import Declared, Score, as_said, mapping_within

Order = Literal["exact", "subsequence", "set"]


def _as_names(names: object) -> object:
    return tuple(names) if isinstance(names, list | tuple | set | frozenset) else names


@attrs.frozen
class Trajectory(Declared):
    """Which tools the run called, in which order.

    Args:
        tools: their names; by default the trajectory of the case, and of a case without one it says nothing but of
            forbidden tools.
        order: "exact": these and no others, in this order; "subsequence": in this order, with others in between;
            "set": each at least once, in any order, with others beside them.
        forbidden: tools that the model must not even ask for, whether or not the guardrail let it.
        arguments: by tool, arguments that at least one of its calls had, beside others.

    Only calls that ran count for `tools`: one that was refused or denied did nothing.
    """

    tools: tuple[str, ...] | None = attrs.field(default=None, converter=_as_names)
    order: Order = attrs.field(default="subsequence", kw_only=True)
    forbidden: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=_as_names)
    arguments: Mapping[str, Mapping[str, object]] = attrs.field(factory=dict, kw_only=True)
    name: str = attrs.field(default="trajectory", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.order not in ("exact", "subsequence", "set"):
            raise EvaluationFault(f"Trajectory(order={self.order!r}): give 'exact', 'subsequence' or 'set'")
        for given in (self.tools, self.forbidden):
            if given is not None and not (isinstance(given, tuple) and all(isinstance(one, str) for one in given)):
                raise EvaluationFault(f"Trajectory: {given!r} is no list of names of tools")

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when all of it holds, else 0 with the first thing that does not."""
        wanted = case.trajectory if self.tools is None else self.tools
        if wanted is None and not self.forbidden and not self.arguments:
            return None
        fault = next(self._faults(wanted, run), "")
        return as_said(self.name, not fault, fault)

    def _faults(self, wanted: tuple[str, ...] | None, run: EndedRun) -> Iterator[str]:
        for call in run.calls:
            if call.tool in self.forbidden:
                yield f"it asked for {call.tool}, which is forbidden"
        if wanted is not None and not follows(run.tools, wanted, self.order):
            yield f"it called {_listed(run.tools)}, and not {_listed(wanted)} ({self.order})"
        for tool, arguments in self.arguments.items():
            made = [call for call in run.calls if call.ran and call.tool == tool]
            if not any(mapping_within(arguments, call.arguments) for call in made):
                yield f"no call of {tool} had {dict(arguments)!r:.120}{_closest(made)}"


def follows(called: tuple[str, ...], wanted: tuple[str, ...], order: Order) -> bool:
    """Whether the tools that were called are those that were wanted, in that order.

    >>> follows(("look", "book", "pay"), ("look", "pay"), "subsequence")
    True
    """
    if order == "exact":
        return called == wanted
    if order == "set":
        return not Counter(set(wanted)) - Counter(set(called))
    left = iter(called)
    return all(name in left for name in wanted)


@attrs.frozen(kw_only=True)
class AtMost(Declared):
    """The run took no more than this. `cost_usd` is all that it spent, its own judge included; `tool_calls` are those
    that ran. A scorer does not end a run that takes more: that is for the agent's Limits."""

    cost_usd: float | None = None
    steps: int | None = None
    tokens: int | None = None
    tool_calls: int | None = None
    seconds: float | None = None
    name: str = "at_most"

    def __attrs_post_init__(self) -> None:
        if all(value is None for name, value in attrs.asdict(self).items() if name != "name"):
            raise EvaluationFault("AtMost() limits nothing: give cost_usd=, steps=, tokens=, tool_calls= or seconds=")

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it did not, else 0 with what it took."""
        took = {
            "cost_usd": run.cost_usd,
            "steps": run.steps,
            "tokens": run.input_tokens + run.output_tokens,
            "tool_calls": len(run.tools),
            "seconds": run.seconds,
        }
        most = {name: limit for name in took if (limit := getattr(self, name)) is not None}
        over = [f"{took[name]:g} {name}, and {limit:g} may be" for name, limit in most.items() if took[name] > limit]
        return as_said(self.name, not over, f"it took {'; '.join(over)}")


def _listed(tools: tuple[str, ...]) -> str:
    return ", ".join(tools) or "no tool"


def _closest(made: list[MadeCall]) -> str:
    return f": one had {made[0].arguments!r:.120}" if made else ""
