"""One agent from plain code, without an event loop of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import anyio

from .agent import Agent
from .errors import AgentFault
from .runtime import Runtime
from .tool import Risk
from .toolbelt.secret import Secrets

T = TypeVar("T")


def run_sync(
    agent: Agent[T],
    goal: str,
    *,
    path: str | Path | None = None,
    key: str = "",
    resources: object = None,
    secrets: Secrets | None = None,
) -> T:
    """Run one agent from plain code and give back its result; Ctrl-C ends it in order.

    With a path, a call that cannot be undone waits for `choragus approve` from another terminal.

    Raises:
        AgentFault: when the agent has an irreversible tool and there is no path: nobody could ever approve it.
        RuntimeError: when called inside a running event loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "run_sync starts an event loop of its own and one is running already: use "
            "`async with Runtime(...) as runtime` and `await (await runtime.start(agent, goal)).result()`"
        )

    risky = [tool.name for tool in agent.tools if tool.risk is Risk.IRREVERSIBLE]
    risky += [f"{one.name}__*" for one in agent.servers if not (one.is_always_reversible or one.trust_annotations)]
    if path is None and risky:
        raise AgentFault(
            f"agent {agent.name!r} has the irreversible tool {risky[0]!r}, and in memory nobody can approve its calls: "
            "give run_sync(path=...), or use Runtime and run.approve(...)"
        )

    async def main() -> T:
        async with Runtime(path, agents=[agent], signals=True, resources=resources, secrets=secrets) as runtime:
            return await (await runtime.start(agent, goal, key=key)).result()

    return anyio.run(main)
