"""The effects of contexts, by the names under which the system runs them."""

from __future__ import annotations

from choragus.actors.effect import Runner
from choragus.agents.service import Services

from .looking import Looking
from .summarising import Summariser


def context_runners(services: Services) -> dict[str, Runner]:
    """What writes summaries, and what looks things up."""
    return {"summary": Summariser(services).call, "retrieve": Looking(services).call}
