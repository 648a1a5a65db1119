"""A library in an agent's hands: the tools that search it and write to it."""

from __future__ import annotations

from collections.abc import Callable

from choragus.agents.flow.declaration import Labels
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.source import source_hash

from .episode import Episodes
from .label import untrusted
from .shelf import Shelf

Namespace = str | Callable[[ToolContext], str]

MOST = 20
"""Parts that a search gives an agent at most."""


def memory_tools(name: str, *, read: bool, write: bool, namespace: Namespace, called: str) -> list[Tool]:
    """See `Library.tools`."""

    whose = namespace if isinstance(namespace, str) else f"by {source_hash(namespace)}"
    caught = f"library {name} of {whose}"

    def shelf(context: ToolContext) -> Shelf:
        found = context.library(name, namespace if isinstance(namespace, str) else namespace(context))
        assert isinstance(found, Shelf)
        return found

    made: list[Tool] = [search_tool(f"search_{called}", shelf, caught)] if read else []
    if write:
        made.append(_remember(f"remember_{called}" if called != "memory" else "remember", shelf, caught))
    return made


def search_tool(name: str, shelf: Callable[[ToolContext], Shelf], caught: str = "") -> Tool:
    """The tool that searches; its result carries the labels of each part that it holds.

    Args:
        caught: what library that is: part of the tool's identity, for its source does not say.
    """

    @tool(risk="read", name=name, labels=Labels(within=True), version=caught)
    async def search_memory(query: str, limit: int = 5, *, context: ToolContext) -> list[dict[str, object]]:
        """Search what was remembered, by the words of a question or a few key words; the best fit comes first."""
        hits = await shelf(context).search(query, max(1, min(limit, MOST)))
        return [
            {
                "text": hit.text,
                "source": hit.provenance.source,
                "labels": list(hit.labels),
                "id": hit.id,
                "score": float(f"{hit.score:.4g}"),
            }
            for hit in hits
        ]

    return search_memory


def _remember(name: str, shelf: Callable[[ToolContext], Shelf], caught: str) -> Tool:
    flow = Labels(trusted=["$"], arguments={"text": "any"})

    @tool(risk="reversible", name=name, idempotent=True, labels=flow, version=caught)
    async def remember(text: str, subject: str = "", *, context: ToolContext) -> dict[str, str]:
        """Keep a text for later runs. Name as subject whose data it is, if it is somebody's."""
        id = await shelf(context).add(
            text,
            id=f"call:{context.idempotency_key}",
            source=f"run {context.run}",
            run=context.run,
            call=context.call,
            labels=untrusted(f"run {context.run}"),
            subject=subject,
        )
        return {"id": id}

    return remember


def episodes_tool(agent: str, *, name: str = "search_episodes") -> Tool:
    """A tool that finds what earlier runs of the agent of that name have left.

    Each episode comes with its labels: what a run has written after it had read untrusted text is untrusted.
    """

    @tool(risk="read", name=name, labels=Labels(within=True), version=f"episodes of {agent}")
    async def search_episodes(goal: str, limit: int = 3, *, context: ToolContext) -> list[dict[str, object]]:
        """Find earlier runs with a goal like this one: how they ended, and with which tools."""
        found = context.episodes(agent)
        assert isinstance(found, Episodes)
        return [
            {
                "text": each.text,
                "labels": list(each.labels),
                "run": each.run,
                "status": each.status,
                "score": float(f"{each.score:.4g}"),
            }
            for each in await found.search(goal, max(1, min(limit, MOST)))
        ]

    return search_episodes
