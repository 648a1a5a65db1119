"""What an agent of an application is at this moment, for whoever compares a run with it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NamedTuple

from choragus.agents.errors import AgentFault
from choragus.agents.mcp.separator import SEPARATOR
from choragus.agents.runtime import Runtime

from .keeping import Versions
from .provenance import provenance


class Today(NamedTuple):
    """An agent as it is now; `foreign` are the beginnings of the names of tools that only an open runtime knows."""

    hash: str
    identity: dict[str, object]
    contents: dict[str, str]
    provenance: dict[str, object]
    prompt: dict[str, object]
    foreign: tuple[str, ...]


def today(place: str, name: str) -> Today:
    """The agent of that name in the runtime at a place such as `myservice:runtime`, which is not opened.

    Raises:
        AgentFault: when there is no runtime at that place, or no such agent in it.
    """
    runtime = _runtime(place)
    agents = runtime.agents
    if name not in agents:
        raise AgentFault(f"the runtime at {place} has no agent {name!r}: it has {', '.join(agents) or 'none'}")
    agent, now = agents[name], runtime.identity(name)
    return Today(
        hash=now.hash,
        identity=now.as_dict(),
        contents=Versions(agents).contents(name),
        provenance=provenance(agent).as_dict(),
        prompt=agent.prompt.said(),
        foreign=tuple(f"{server.name}{SEPARATOR}" for server in agent.servers),
    )


def _runtime(place: str) -> Runtime:
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise AgentFault(f"--app {place!r} is no place: write MODULE:NAME, such as myservice:runtime")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise AgentFault(f"--app {place!r} cannot be had: {error}") from error
    made = found() if callable(found) and not isinstance(found, Runtime) else found
    if not isinstance(made, Runtime):
        raise AgentFault(f"--app {place!r} is {made!r}: name a Runtime, or a function that gives one")
    return made
