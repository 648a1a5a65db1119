"""What a runtime says of its servers, and how a person accepts what they offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import choragus.agents.works as works
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentError

if TYPE_CHECKING:
    from choragus.supervision.system import System

    from .catalogue import Catalogue, ServerStatus
    from .declaration import McpServer
    from .offer import Offer


class Accepting:
    """The servers of a runtime."""

    _catalogue: Catalogue
    _system: System

    @property
    def _known(self) -> dict[str, Agent[object]]:
        """The agents with the tools of their servers."""
        return self._catalogue.agents

    def servers(self) -> list[ServerStatus]:
        """The MCP servers of its agents, by name: which run, what they offer, and what waits to be accepted."""
        return self._catalogue.status()

    async def accept(
        self, server: str, tool: str = "", *, by: str, mark: str = "", identity: Mapping[str, str] | None = None
    ) -> None:
        """Accept what a server offers now: one tool by the server's own name for it, or all that it offers.

        It counts at once. Runs that go on use it; when the file is opened again, those that began before are held as
        after any change of their agent.

        Args:
            by: whose word that is; `identity` is how it was established.
            mark: binds the word to what was seen: `ServerStatus.mark`. Empty: whatever there is.

        Raises:
            ValueError: when `by` is empty.
            AgentError: when nothing of the kind waits, or the server offers something else by now.
        """
        if not by.strip():
            raise ValueError(f"by={by!r} names nobody: say whose word it is")
        message = works.AcceptTools(by=by.strip(), tool=tool, mark=mark, identity=dict(identity or {"method": "host"}))
        refusal = await self._system.ref(works.Pinbook, server).ask(message)
        if refusal:
            raise AgentError(refusal)

    async def _keep(self, server: McpServer, offers: tuple[Offer, ...]) -> None:
        """Have what a server offers compared with what was accepted, and wait until that counts."""
        saw = works.SawTools(offers=offers, wanted=works.wanted(server, offers), is_strict=server.pin == "strict")
        await self._system.ref(works.Pinbook, server.name).ask(saw)
