"""What a runtime says of the providers of its agents' models, held against these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault

from .options import ProviderLimits


def check_providers(given: object, agents: Iterable[Agent]) -> dict[str, ProviderLimits]:
    """The limits by their providers' names; without any when nothing was given.

    Raises:
        AgentFault: when one is none, or a provider is no agent's.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise AgentFault(f"providers={given!r} names none: give a dict such as {{'openai': ProviderLimits(...)}}")
    known = {model.provider for agent in agents for model in (*agent.models, agent.last_model)}
    for name, limits in given.items():
        if not isinstance(limits, ProviderLimits):
            raise AgentFault(f"providers[{name!r}] is {limits!r}: give ProviderLimits(...)")
        if name not in known:
            among = ", ".join(sorted(known)) or "none"
            raise AgentFault(f"providers names {name!r}, and no agent here has a model of it; there are: {among}")
    return dict(given)
