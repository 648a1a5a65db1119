"""What the tools of agents need from the runtime, and whether it is there, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.tool import Tool


def check_resources(agents: Iterable[Agent[object]], resources: object) -> None:
    """Refuse resources that are not what a tool's `ToolContext[X]` says.

    Raises:
        AgentFault: they are none, or of another class than X.
    """
    for agent, tool in _tools(agents):
        wanted = tool.resources
        if wanted is None:
            continue
        name = getattr(wanted, "__name__", str(wanted))
        which = f"tool {tool.name!r} of agent {agent.name!r} wants ToolContext[{name}]"
        if resources is None:
            raise AgentFault(f"{which}, and the runtime has no resources: pass Runtime(resources=...)")
        if isinstance(wanted, type) and not _fits(resources, wanted):
            raise AgentFault(f"{which}, and the runtime's resources are a {type(resources).__name__}: pass a {name}")


def check_grant(agent: Agent[object], names: Iterable[str] | None) -> tuple[str, ...] | None:
    """The names of tools that a run of the agent is narrowed to, None for all.

    Raises:
        AgentFault: a name is that of none of its tools and delegates, or the names are one text.
    """
    if names is None:
        return None
    granted = (names,) if isinstance(names, str) else tuple(names)
    known = agent.reach
    if isinstance(names, str):
        raise AgentFault(f"tools={names!r} is one text: give a list of names, such as [{names!r}]")
    for name in granted:
        if name not in known:
            has = ", ".join(known) or "none"
            raise AgentFault(f"tools={list(granted)!r}: agent {agent.name!r} has no tool {name!a}; it has {has}")
    return tuple(name for name in known if name in granted)


def secret_names(agents: Iterable[Agent[object]]) -> list[str]:
    """The secrets that tools and servers of these agents declare."""
    agents = tuple(agents)
    of_tools = [name for _, tool in _tools(agents) for name in tool.options.secrets]
    of_servers = [name for agent in agents for server in agent.servers for name in server.secrets]
    return list(dict.fromkeys([*of_tools, *of_servers]))


def _tools(agents: Iterable[Agent[object]]) -> Iterator[tuple[Agent[object], Tool]]:
    for agent in agents:
        for tool in agent.tools:
            yield from ((agent, one) for one in _with_companions(tool))


def _with_companions(tool: Tool) -> Iterator[Tool]:
    yield tool
    for one in tool.companions:
        yield from _with_companions(one)


def _fits(resources: object, wanted: type) -> bool:
    try:
        return isinstance(resources, wanted)
    except TypeError:  # a protocol that cannot be looked at
        return True
