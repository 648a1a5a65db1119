"""Ceilings of a run, what it has spent, and whether the next step still fits. Nothing here has a clock."""

from __future__ import annotations

import math
from typing import TypeVar

from attrs import Attribute, asdict, field, frozen

from .errors import LimitFault

T = TypeVar("T")

SMALLEST = 1e-9
"""Sums of money and seconds are compared to a billionth, so that three times 0.10 fits into 0.30."""

_WHOLE = {"steps", "tokens", "tool_calls"}


def _check(limits: object, attribute: Attribute[T], value: T) -> None:
    whole = attribute.name in _WHOLE
    if value is None or _is_amount(value, whole):
        return
    kind = "a whole number" if whole else "a finite number"
    raise LimitFault(f"Limits({attribute.name}={value!r}) is no limit: give {kind}, 0 or more, or None for no limit")


def _is_amount(value: object, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value >= 0
    return isinstance(value, float) and not whole and math.isfinite(value) and value >= 0


def _as_float(value: float | None) -> float | None:
    # One spelling of 1 and 1.0, so that both give one manifest; a wrong type is left for the check.
    return float(value) if type(value) is int else value


@frozen(kw_only=True)
class Limits:
    """What a run may use at most; None is no limit. By default 50 steps and nothing else.

    Money and tokens are reserved by the model's own `estimate` before each call: a model that estimates too little can
    overshoot by one call.

    A step is one round of the loop with one model call. `tokens` counts input and output together, `wall_seconds` runs
    from the start, and `active_seconds` leaves out the time spent waiting for people.

    >>> Limits(steps=30, cost_usd=0.50).steps
    30

    Raises:
        LimitFault: a value is below zero, not finite, or of a wrong type (True and False are wrong too).
    """

    steps: int | None = field(default=50, validator=_check)
    tokens: int | None = field(default=None, validator=_check)
    cost_usd: float | None = field(default=None, validator=_check, converter=_as_float)
    wall_seconds: float | None = field(default=None, validator=_check, converter=_as_float)
    active_seconds: float | None = field(default=None, validator=_check, converter=_as_float)
    tool_calls: int | None = field(default=None, validator=_check)


@frozen(kw_only=True)
class Spent:
    """What a run has used, or what is set aside for calls that are under way.

    >>> Spent(steps=1, input_tokens=80).add(Spent(output_tokens=20)).tokens
    100
    """

    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    tool_calls: int = 0
    active_seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def add(self, more: Spent) -> Spent:
        """Both together."""
        mine, other = asdict(self), asdict(more)
        return Spent(**{name: mine[name] + other[name] for name in mine})


def exceeded(limits: Limits, spent: Spent, reserved: Spent, wall: float) -> str | None:
    """Which limit leaves no room, as a sentence with its value, what was asked and the remedy; None if all hold.

    A budget is reserved before it is spent: a step that fits exactly is allowed, so `steps=50` allows the fiftieth.
    Time cannot be given back, so a time limit is reached as soon as it is used up.

    Args:
        limits: the ceilings.
        spent: what is used up already.
        reserved: the most that everything under way and the step in question may use.
        wall: seconds since the run started.
    """
    return (
        _over("steps", limits.steps, spent.steps, reserved.steps)
        or _over("tokens", limits.tokens, spent.tokens, reserved.tokens)
        or _over("cost_usd", limits.cost_usd, spent.cost_usd, reserved.cost_usd)
        or _over("tool_calls", limits.tool_calls, spent.tool_calls, reserved.tool_calls)
        or _over_time("active_seconds", limits.active_seconds, spent.active_seconds, reserved.active_seconds)
        or _over_time("wall_seconds", limits.wall_seconds, wall, 0.0)
    )


def _over(name: str, limit: float | None, used: float, asked: float) -> str | None:
    if limit is None or used + asked <= limit + SMALLEST:
        return None
    return (
        f"{name} is limited to {_text(limit)}, {_text(used)} are used and {_text(asked)} more were asked for: "
        f"raise it with Limits({name}=...)"
    )


def _over_time(name: str, limit: float | None, used: float, asked: float) -> str | None:
    if limit is None or used < limit:
        return _over(name, limit, used, asked)
    return f"{name} is limited to {_text(limit)} and {_text(used)} are used: raise it with Limits({name}=...)"


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip(".")
