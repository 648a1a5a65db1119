"""The sections of a configuration file: which keys there are, and what reads each.

To add a section, write its reader and name it in one of the tables here: what stands in AGENT is handed to Agent under
its key, what stands in SECTIONS is kept by the Config under its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from choragus.agents.approver import Approvals
from choragus.agents.limits import Limits
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.toolbelt.options import Breaker, Rate, Retry

from .overriding import overrides
from .spot import Spot
from .value import Reader, built, each, fields, text, texts, unless_false


@frozen(kw_only=True)
class Routing:
    """Which model answers for whom; `agents` for single ones, the others for all that say nothing else."""

    model: str | None = None
    cheaper: str | None = None
    fallbacks: tuple[str, ...] | None = None
    agents: Mapping[str, str] = field(factory=dict)


def chain(spot: Spot, value: object) -> list[object]:
    """Names, or groups of names."""
    if not isinstance(value, list):
        raise spot.fault(f"{value!r} is no list of names: write it in brackets")
    return [texts(spot, one) if isinstance(one, list) else text(spot, one) for one in value]


AGENT: dict[str, Reader] = {
    "model": text,
    "fallbacks": texts,
    "cheaper": text,
    "delegates": texts,
    "model_options": built(ModelOptions, retries=unless_false(built(Retry, short="times"))),
    "limits": built(Limits),
    "approvals": built(Approvals, chain=chain),
    "tools": each(overrides),
}
"""The keys of an agent's table. All but `tools` are arguments of Agent."""


def agent(spot: Spot, value: object) -> dict[str, object]:
    """What an agent's table says."""
    return fields(spot, value, AGENT)


SECTIONS: dict[str, Reader] = {
    "agent": each(agent),
    "routing": built(Routing, model=text, cheaper=text, fallbacks=texts, agents=each(text)),
    "provider": each(
        built(
            ProviderLimits,
            rate=unless_false(built(Rate)),
            tokens=unless_false(built(Rate)),
            breaker=unless_false(built(Breaker)),
            retries=built(RetryBudget),
        )
    ),
}
"""The tables at the top of a file, beside `policies`."""
