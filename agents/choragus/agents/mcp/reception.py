"""The calls of an MCP server's clients, carried out by a runtime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from choragus.agents.agent import Agent, agents_by_name
from choragus.agents.errors import AgentError, AgentFault, Outcome, UnknownRun, Waiting
from choragus.agents.run import Run

STATUS = "run_status"
"""The tool that says what became of a run."""


class Host(Protocol):
    """What is needed of a runtime."""

    async def start(self, agent: Agent[object], goal: str, *, key: str = "") -> Run[object]:
        """See `Runtime.start`."""

    async def run(self, id: str) -> Run[object]:
        """See `Runtime.run`."""


class Reception:
    """What clients may ask for. A client is never taken for a person: it decides
    nothing, and learns of a run only what its id, which it was given, entitles it to.

    Args:
        wait: seconds that a call waits for a result.

    Raises:
        AgentFault: when one is no agent, or is named as the tool that says what became of a run.
    """

    def __init__(self, runtime: Host, agents: Iterable[Agent[object]], wait: float) -> None:
        self.agents = agents_by_name(agents)
        if STATUS in self.agents:
            raise AgentFault(f"an agent is named {STATUS!r}, as the tool that says what became of a run: rename it")
        self._runtime = runtime
        self._wait = wait

    async def start(self, agent: str, goal: str, key: str) -> str:
        """Start a run, or find that of the key, and say what there is of its result.

        Raises:
            AgentError: with why there is none.
        """
        return await self._told(await self._runtime.start(self.agents[agent], goal, key=key), self._wait)

    async def status(self, run: str) -> str:
        """What there is of a run's result; only the whole id counts.

        Raises:
            AgentError: with why there is none.
        """
        try:
            found = await self._runtime.run(run)
        except UnknownRun as error:
            raise AgentError(f"there is no run {run!r}") from error
        if found.id != run or (await found.status()).agent not in self.agents:
            raise AgentError(f"there is no run {run!r}")
        return await self._told(found, 0.01)

    async def _told(self, run: Run[object], wait: float) -> str:
        try:
            return f"{await run.result(timeout=wait)}"
        except Waiting:
            needs = [one.kind for one in await run.pending()]
            why = "it waits for a person's decision" if needs else "it goes on"
            return f"run {run.id} has no result yet: {why}; ask again with {STATUS}"
        except Outcome as error:
            raise AgentError(str(error)) from error
