"""The model gateway of a runtime, and what that says of providers, held against its agents' models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.offering import every_model
from choragus.agents.toolbelt.secret import Vault

from .gateway import ModelGateway
from .options import ProviderLimits
from .provider import Providers


def gateway_for(
    agents: Iterable[Agent[object]], given: object, vault: Vault, clock: Callable[[], float]
) -> ModelGateway:
    """The gateway of a runtime with these agents; raises AgentFault as `check_providers`."""
    return ModelGateway(Providers(check_providers(given, agents)), vault, clock=clock)


def check_providers(given: object, agents: Iterable[Agent[object]]) -> dict[str, ProviderLimits]:
    """The limits by their providers' names; without any when nothing was given.

    Raises:
        AgentFault: when one is none, or a provider is no agent's.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise AgentFault(f"providers={given!r} names none: give a dict such as {{'openai': ProviderLimits(...)}}")
    known = {model.provider for agent in agents for model in every_model(agent)}
    for name, limits in given.items():
        if not isinstance(limits, ProviderLimits):
            raise AgentFault(f"providers[{name!r}] is {limits!r}: give ProviderLimits(...)")
        if name not in known:
            among = ", ".join(sorted(known)) or "none"
            raise AgentFault(f"providers names {name!r}, and no agent here has a model of it; there are: {among}")
    return dict(given)
