"""The servers of a runtime: which of their tools its agents have, and the part of its tree that keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import attrs

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, ServerFault
from choragus.agents.plan.planning import check_server_tools
from choragus.agents.tool import Tool
from choragus.agents.toolbelt.secret import Vault
from choragus.mailbox.store import Store
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart

from .declaration import McpServer
from .line import STOPPING, Attendant, Keep, Line
from .offer import Offer, qualified
from .separator import SEPARATOR
from .session import Sdk, sdk
from .standing import Standing, by_name, standings
from .tooling import tool_of

PATH = "mcp"
"""Where the servers stand in the runtime's tree, each a supervisor with one attendant."""


@attrs.frozen(kw_only=True)
class ServerStatus:
    """A server of a runtime: `state` is "running", "starting" or "down", and `reason` why it is down.

    `tools` are the names under which agents have its tools; `changed`, `new` and `gone` are the server's own names for
    what is not as it was accepted, `unusable` says of what cannot be used why. `mark` stands for all that it offers.
    """

    name: str
    state: str
    reason: str
    tools: tuple[str, ...]
    changed: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    mark: str
    unusable: dict[str, str]


class Catalogue:
    """The agents of a runtime with the tools of their servers, changed in place when more is accepted.

    Raises:
        AgentFault: two different servers have one name, or a tool is named as if it were of a server.
    """

    def __init__(self, agents: Mapping[str, Agent[object]], vault: Vault) -> None:
        self._declared = agents
        self._vault = vault
        self._servers = _servers(agents.values())
        self._lines: dict[str, Line] = {}
        self._unusable: dict[str, dict[str, str]] = {}
        self._tools: dict[str, tuple[Tool, ...]] = {}
        self._fresh: dict[str, tuple[Offer, ...]] = {}
        self._sdk: Sdk | None = None
        self.agents: dict[str, Agent[object]] = dict(agents)
        """By name, each with all the tools that it has now."""

    async def open(self, store: Store, keep: Keep) -> None:
        """Read what was accepted; look at the servers that this file has never seen.

        Raises:
            ServerFault: one of these is not there.
            AgentFault: a plan falls back on a tool that one of these does not offer.
            ImportError: the extra is missing.
        """
        if not self._servers:
            return
        self._sdk = await sdk()
        known = await standings(store)
        self._lines = {name: self._line(server, keep) for name, server in self._servers.items()}
        unseen = [line for name, line in self._lines.items() if name not in known]
        for found in await asyncio.gather(*map(self._first, unseen), return_exceptions=True):
            if isinstance(found, BaseException):
                raise found
            known[found.server] = found
            self._check_plans(found)
        for name in self._lines:
            self.take(known[name])

    async def begin(self, keep: Keep) -> None:
        """Write down what was seen for the first time; then the servers may speak for themselves."""
        for name, offers in self._fresh.items():
            await keep(self._servers[name], offers)
        self._fresh.clear()
        for line in self._lines.values():
            line.may_begin.set()

    def take(self, standing: Standing) -> None:
        """What was accepted of a server, or what it offers, is this from now on."""
        line = self._lines.get(standing.server)
        if line is None:
            return  # a server that no agent has any more
        line.standing = standing
        self._tools[standing.server] = self._usable(line)
        for name, agent in self._declared.items():
            if any(one.name == standing.server for one in agent.servers):
                more = [tool for one in agent.servers for tool in self._tools.get(one.name, ())]
                self.agents[name] = attrs.evolve(agent, tools=(*agent.tools, *more))

    def tree(self) -> list[Supervisor]:
        """The servers as a part of the runtime's tree. One that is given up leaves it; the others go on."""
        if not self._lines:
            return []
        children = [
            Supervisor(
                name=name,
                strategy=line.server.restarts,
                restart=Restart.TEMPORARY,
                children=(Child(Attendant, name="attendant", args=(line,), shutdown=STOPPING),),
            )
            for name, line in self._lines.items()
        ]
        return [Supervisor(name=PATH, strategy=OneForOne(), restart=Restart.TEMPORARY, children=tuple(children))]

    def status(self) -> list[ServerStatus]:
        """Each server as it is now, by name."""
        return [
            ServerStatus(
                name=name,
                state=line.state,
                reason=line.reason,
                tools=tuple(tool.name for tool in self._tools[name]),
                changed=line.standing.changed,
                new=line.standing.new,
                gone=line.standing.gone,
                mark=line.standing.mark,
                unusable=dict(self._unusable.get(name, {})),
            )
            for name, line in sorted(self._lines.items())
        ]

    def _line(self, server: McpServer, keep: Keep) -> Line:
        return Line(
            server, sdk, lambda: {name: self._vault.value(name) for name in server.secrets}, keep, self._vault.scrubbed
        )

    async def _first(self, line: Line) -> Standing:
        server = line.server
        try:
            offers = await line.look()
        except Exception as error:
            raise ServerFault(
                f"server {server.name!r} ({server.way}) has never been seen with this file, so nobody knows its tools, "
                f"and it is not there: {line.why(error)}"
            ) from None
        self._fresh[server.name] = offers
        offered = by_name(offers)
        accepted = {} if server.pin == "strict" else dict(offered)
        return Standing(server=server.name, accepted=accepted, offered=offered, wanted=wanted(server, offers))

    def _check_plans(self, seen: Standing) -> None:
        server = self._servers[seen.server]
        names = [qualified(server.name, own) for own in seen.offered if server.allows(own)]
        for agent in self._declared.values():
            if server in agent.servers:
                check_server_tools(agent.name, agent.planning, server.name, f"{server.name}{SEPARATOR}", names)

    def _usable(self, line: Line) -> tuple[Tool, ...]:
        """The tools that agents have: accepted, allowed, and such as can be called."""
        assert self._sdk is not None
        found: dict[str, Tool] = {}
        unusable = self._unusable[line.server.name] = {}
        for own, offer in sorted(line.standing.accepted.items()):
            if not line.server.allows(own):
                continue
            made = tool_of(line, offer, self._sdk)
            if isinstance(made, str):
                unusable[own] = made
            elif made.name in found:
                unusable[own] = f"another tool of this server is called {made.name!r} too"
            else:
                found[made.name] = made
        return tuple(found.values())


def wanted(server: McpServer, offers: Iterable[Offer]) -> tuple[str, ...]:
    """The names of the tools that the server's declaration allows."""
    return tuple(one.name for one in offers if server.allows(one.name))


def _servers(agents: Iterable[Agent[object]]) -> dict[str, McpServer]:
    found: dict[str, McpServer] = {}
    for agent in agents:
        for server in agent.servers:
            own = [tool.name for tool in agent.tools if tool.name.startswith(f"{server.name}{SEPARATOR}")]
            if own:
                raise AgentFault(
                    f"the tool {own[0]!r} of agent {agent.name!r} is named as if it were of server {server.name!r}: "
                    "give it another name="
                )
            if found.setdefault(server.name, server) != server:
                raise AgentFault(
                    f"two different servers are named {server.name!r}: give one another name, or the same McpServer "
                    "to both agents"
                )
    return found
