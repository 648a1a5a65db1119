"""What a person is asked at a ceiling: which value it is to be raised to, unless they say another. Pure."""

from __future__ import annotations

import math

from .budget import Budget, Claim
from .limits import CEILINGS
from .money import dollars, nanos, rounded_up


def proposal(budget: Budget, claim: Claim, ceiling: str) -> dict[str, object]:
    """The ceiling twice as high, and at least so high that the claim fits.

    Empty for a ceiling that is not the run's own: a ledger's stands in the program.
    """
    name, _, tool = ceiling.partition(".")
    if name not in CEILINGS:
        return {}
    if tool:
        return {name: {tool: max(2 * budget.limits.per_tool[tool], budget.calls.get(tool, 0) + 1)}}
    limit: float | None = getattr(budget.limits, name)
    assert limit is not None, "a ceiling that is none was reached"
    if name in ("wall_seconds", "active_seconds"):
        return {name: max(2 * limit, 60.0)}
    used: float = getattr(budget.spent, name) + sum(getattr(one, name) for one in budget.reserved.values())
    wanted = used + getattr(claim.most, name) + getattr(claim.keep, name)
    if name == "cost_usd":
        return {name: max(dollars(2 * nanos(limit)), rounded_up(wanted))}
    return {name: max(2 * int(limit), math.ceil(wanted))}
