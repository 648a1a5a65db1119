"""The sections of a configuration file: which keys there are, and what reads each.

To add a section, write its reader and name it in one of the tables here: what stands in AGENT is handed to Agent under
its key, what stands in SECTIONS is kept by the Config under its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from choragus.agents.approver import Approvals
from choragus.agents.errors import ConfigFault, PolicyFault
from choragus.agents.knowledge.declaration import Library
from choragus.agents.limits import Limits
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.policy.chain import Policy
from choragus.agents.policy.config import read_policies
from choragus.agents.toolbelt.options import Breaker, Rate, Retry

from .context import context
from .overriding import overrides
from .planning import planning
from .spot import Spot
from .value import Reader, built, each, fields, flag, table, text, texts, unless_false


@frozen(kw_only=True)
class Routing:
    """Which model answers for whom; `agents` for single ones, the others for all that say nothing else."""

    model: str | None = None
    cheaper: str | None = None
    fallbacks: tuple[str, ...] | None = None
    agents: Mapping[str, str] = field(factory=dict)


def count(spot: Spot, value: object) -> int:
    """A whole number, 0 or more."""
    if type(value) is not int or value < 0:
        raise spot.fault(f"{value!r} is no count: give a whole number, 0 or more")
    return value


def policies(spot: Spot, value: object) -> tuple[Policy, ...]:
    """Tables of policies that stand in this file."""
    try:
        return tuple(read_policies(spot.file, spot.text, table(spot, value), f"{'.'.join(spot.path)}."))
    except PolicyFault as error:
        raise ConfigFault(error.place, error.detail) from None


def library(spot: Spot, value: object) -> Library:
    """A library; its name is the table's."""
    if "name" in table(spot, value):
        raise spot.at("name").fault(f"its name is the table's, {spot.path[-1]!r}: leave it out")
    made = built(Library, only=("name", "keep_seconds", "most_documents", "chunk"))
    return made(spot, {"name": spot.path[-1], **table(spot, value)})


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
    "limits": built(Limits),
    "approvals": built(Approvals, chain=chain),
    "tools": each(overrides),
    "model_options": built(ModelOptions, retries=unless_false(built(Retry, short="times"))),
    "planning": planning,
    "context": context,
    "repairs": count,
    "policies": policies,
    "episodes": flag,
}
"""The keys of an agent's table. All but `tools` are arguments of Agent."""

_RATE = unless_false(built(Rate))


def agent(spot: Spot, value: object) -> dict[str, object]:
    """What an agent's table says."""
    return fields(spot, value, AGENT)


SECTIONS: dict[str, Reader] = {
    "agent": each(agent),
    "routing": built(Routing, model=text, cheaper=text, fallbacks=texts, agents=each(text)),
    "provider": each(
        built(
            ProviderLimits,
            rate=_RATE,
            tokens=_RATE,
            breaker=unless_false(built(Breaker)),
            retries=built(RetryBudget),
        )
    ),
    "library": each(library),
}
"""The tables at the top of a file, beside `policies`."""
