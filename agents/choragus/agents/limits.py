"""Ceilings of a run: how much of what it may use, and what happens there. Nothing here has a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeVar, cast

import attrs
from attrs import Attribute, field, frozen

from .errors import LimitFault
from .money import MOST_USD

T = TypeVar("T")

AtLimit = Literal["fail", "ask", "escalate", "degrade"]
"""What happens at a ceiling."""

Unbounded = Literal["refuse", "allow"]

AT_LIMIT = ("fail", "ask", "escalate", "degrade")
EVERY = "*"
"""Stands for every ceiling that is not named."""

CEILINGS = (
    "steps",
    "tokens",
    "cost_usd",
    "wall_seconds",
    "active_seconds",
    "tool_calls",
    "per_tool",
    "bad_calls",
    "depth",
    "parallel",
)
"""The fields of Limits that are ceilings."""

LAST = (
    "A limit of this run is reached. This is your last answer, and you can call no tools any more: answer with what "
    "you have, and say what is missing."
)
"""What the model is told in a run's last call, with the limit behind it."""

_WHOLE = {"steps", "tokens", "tool_calls", "bad_calls", "depth", "parallel"}


def _check(limits: object, attribute: Attribute[T], value: T) -> None:
    if value is not None:
        _check_amount(attribute.name, value)


def _check_amount(name: str, value: object) -> None:
    whole = name in _WHOLE or name.startswith("per_tool")
    least = 1 if name == "parallel" else 0
    if not _is_amount(value, whole, least):
        kind = "a whole number" if whole else "a finite number"
        raise LimitFault(f"Limits({name}={value!r}) is no limit: give {kind}, {least} or more, or None for no limit")
    if name == "cost_usd" and cast(float, value) > MOST_USD:
        raise LimitFault(f"Limits({name}={value!r}) is above {MOST_USD:,.0f}, up to which sums of money are exact")


def _is_amount(value: object, whole: bool, least: int) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value >= least
    return isinstance(value, float) and not whole and math.isfinite(value) and value >= least


def _check_tools(limits: object, attribute: Attribute[T], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise LimitFault(f"Limits(per_tool={value!r}) names no tools: give a dict such as {{'pay': 3}}")
    for name, most in value.items():
        _check_amount(f"per_tool[{name!r}]", most)


def _check_policies(limits: object, attribute: Attribute[T], value: object) -> None:
    known = {EVERY, *CEILINGS}
    if not isinstance(value, Mapping) or not all(
        name in known and policy in AT_LIMIT for name, policy in value.items()
    ):
        raise LimitFault(
            f"Limits(at_limit={value!r}) is no policy: give one of {', '.join(map(repr, AT_LIMIT))}, or a dict of them "
            "by the names of ceilings, such as {'cost_usd': 'ask'}"
        )


def _check_unbounded(limits: object, attribute: Attribute[T], value: object) -> None:
    if value not in ("refuse", "allow"):
        raise LimitFault(f"Limits(unbounded={value!r}) is neither 'refuse' nor 'allow'")


def _as_float(value: float | None) -> float | None:
    # One spelling of 1 and 1.0, so that both give one manifest; a wrong type is left for the check.
    return float(value) if type(value) is int else value


def _as_dict(value: Mapping[str, int]) -> Mapping[str, int]:
    return dict(value) if isinstance(value, Mapping) else value


def _as_policies(value: AtLimit | Mapping[str, AtLimit]) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {EVERY: "fail", **value}
    return {EVERY: value}


@frozen(kw_only=True)
class Limits:
    """What a run, and with it all its sub-runs together, may use at most.

    No run is without a ceiling unless you say so field by field: None is no limit. By default a run has 50 steps,
    1,000,000 tokens, 10 dollars, an hour of work, 1,000 tool calls, 20 calls that do not fit their tool, sub-runs 3
    deep, and 32 calls at a time. A step is one round of the loop with one model call.

    >>> Limits(steps=30, cost_usd=0.50, per_tool={"pay": 3}, at_limit="ask").steps
    30

    Args:
        steps: model calls.
        tokens: input and output together.
        cost_usd: of models, by what their `estimate` and their replies say, and of tools that declare a cost. At most
            1,000,000; each spend is rounded up to a billionth of a dollar, so that sums are exact.
        wall_seconds: from the start. None by default: a run may wait for a person for days.
        active_seconds: the same without the time in which it waits for people, is paused, or no process has it open.
        tool_calls: calls of tools, those that are denied included.
        per_tool: the same for single tools, by name.
        bad_calls: calls of tools that are not there, or whose arguments do not fit.
        depth: how many sub-runs may stand below one another: 0 forbids them.
        parallel: tool calls of the run at a time, and model calls of the run and its sub-runs at a time. What is more
            waits for its turn.
        at_limit: what happens at a ceiling. "fail" ends the run. "ask" puts the question to a person whether to raise
            it, "escalate" the same as an escalation. "degrade" has the model answer once more, without tools: see
            `docs/limits.md`. Also a dict by ceiling, such as `{"cost_usd": "ask"}`; "*" stands for the others.
        unbounded: what becomes of a model call whose cost has no bound, with a ceiling on tokens or money: "refuse" or
            "allow".

    Raises:
        LimitFault: a value is below zero, not finite, or of a wrong type (True and False are wrong too).
    """

    steps: int | None = field(default=50, validator=_check)
    tokens: int | None = field(default=1_000_000, validator=_check)
    cost_usd: float | None = field(default=10.0, validator=_check, converter=_as_float)
    wall_seconds: float | None = field(default=None, validator=_check, converter=_as_float)
    active_seconds: float | None = field(default=3600.0, validator=_check, converter=_as_float)
    tool_calls: int | None = field(default=1_000, validator=_check)
    per_tool: Mapping[str, int] = field(factory=dict, validator=_check_tools, converter=_as_dict)
    bad_calls: int | None = field(default=20, validator=_check)
    depth: int | None = field(default=3, validator=_check)
    parallel: int | None = field(default=32, validator=_check)
    at_limit: Mapping[str, str] = field(default="fail", validator=_check_policies, converter=_as_policies)
    unbounded: Unbounded = field(default="refuse", validator=_check_unbounded)

    def policy(self, ceiling: str) -> str:
        """What happens at a ceiling: one of AT_LIMIT. `per_tool.pay` is a ceiling as `per_tool`."""
        return self.at_limit.get(ceiling.partition(".")[0], self.at_limit.get(EVERY, "fail"))

    @property
    def bounds_calls(self) -> bool:
        """Whether a model call needs a bound."""
        return self.tokens is not None or self.cost_usd is not None

    def said(self) -> str:
        """The ceilings in one line, as `choragus show` prints them."""
        given = ((name, getattr(self, name)) for name in CEILINGS)
        return ", ".join(f"{name} {_told(value)}" for name, value in given if value not in (None, {})) or "none"

    def raised(self, arguments: Mapping[str, object]) -> Limits:
        """The same with these ceilings in place of those there are.

        Raises:
            LimitFault: one is no ceiling of this run, is below what it was, or no limit at all.
        """
        changed: dict[str, object] = {}
        for name, value in arguments.items():
            changed[name] = self._raised_tools(value) if name == "per_tool" else self._raised(name, value)
        return attrs.evolve(self, **changed)  # type: ignore[arg-type]  # each is checked above

    def _raised(self, name: str, value: object) -> object:
        if name not in CEILINGS:
            raise LimitFault(f"{name!r} is no ceiling: raise one of {', '.join(CEILINGS)}")
        if value is None:
            return None
        _check_amount(name, value)
        before = getattr(self, name)
        if before is None or cast(float, value) < before:
            raise LimitFault(f"{name}={value!r} is below {before if before is not None else 'no limit'}: raise it")
        return value

    def _raised_tools(self, value: object) -> dict[str, int]:
        _check_tools(self, attrs.fields(Limits).per_tool, value)
        asked = cast("Mapping[str, int]", value)
        for name, most in asked.items():
            if most < self.per_tool.get(name, 0):
                raise LimitFault(f"per_tool[{name!r}]={most!r} is below {self.per_tool[name]}: raise it")
        return {**self.per_tool, **asked}


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {most}" for name, most in value.items()) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
