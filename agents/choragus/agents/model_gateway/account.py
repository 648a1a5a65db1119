"""What a model call has cost, and what the logbook says of it beside its words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.agents.errand import ModelFailed, ModelReplied
from choragus.agents.model import Usage
from choragus.agents.spending import Spent


def spent_on(calls: Iterable[Usage | ModelReplied]) -> Spent:
    """What one step has spent that made these calls, or may spend."""
    each = list(calls)
    return Spent(
        steps=1,
        input_tokens=sum(one.input_tokens for one in each),
        output_tokens=sum(one.output_tokens for one in each),
        cost_usd=sum(one.cost_usd for one in each),
    )


def also_said(answer: ModelReplied | ModelFailed) -> dict[str, object]:
    """What is not so in most calls, and is left out there."""
    if isinstance(answer, ModelFailed):
        said: dict[str, object] = {"error": answer.kind, "retry_after": answer.retry_after}
    else:
        said = {
            "answered_by": answer.model,
            "reply": answer.id,
            "cached_tokens": answer.cached_tokens,
            "cache_write_tokens": answer.cache_write_tokens,
            "reasoning_tokens": answer.reasoning_tokens,
            "given_up": len(answer.lost),
        }
    return {name: value for name, value in said.items() if value}
