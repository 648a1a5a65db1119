"""The context of a run as it stands on disk: its decisions, read once each, and what they make of the conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import attrs

from choragus.agents.model import ChatMessage
from choragus.agents.stream import context_stream
from choragus.mailbox.store import Store

from .decision import Decision, decision_of
from .working import Working

PAGE = 500

Conversation: TypeAlias = Callable[[str, int], Awaitable[Sequence[ChatMessage]]]
"""Gives the lines of a run's conversation up to a position, or more."""


@attrs.frozen
class Contexts:
    """The contexts of one runtime's runs, each kept as far as it was read."""

    store: Store
    conversation: Conversation
    _known: dict[str, Working] = attrs.field(factory=dict, init=False)
    _decisions: dict[str, list[Decision]] = attrs.field(factory=dict, init=False)

    async def at(self, run: str, upto: int, version: int) -> Working:
        """What is shown of the conversation up to `upto`, by the decisions up to `version`.

        Raises:
            LookupError: when there are not so many.
        """
        known = self._known.get(run, Working())
        if known.upto > upto or known.version > version:
            known = Working()
        decisions = await self.decisions(run, version)
        lines = (await self.conversation(run, upto))[known.upto : upto]
        known = known.hear(lines).decided(*decisions[known.version : version])
        self._known[run] = known
        return known

    async def decisions(self, run: str, version: int) -> Sequence[Decision]:
        """The decisions up to `version`, or more."""
        read = self._decisions.setdefault(run, [])
        while len(read) < version:
            page = await self.store.read(context_stream(run), after=len(read), limit=PAGE)
            if not page:
                raise LookupError(f"the context of run {run} has {len(read)} decisions, not {version}")
            read += [decision_of(entry) for entry in page if entry.position > len(read)]
        return read

    async def news(self, run: str) -> Sequence[Decision]:
        """All decisions that there are."""
        there = (await self.store.extent(context_stream(run))).last
        return await self.decisions(run, there) if there else ()

    def forget(self, run: str) -> None:
        """What was read can be read again."""
        self._known.pop(run, None)
        self._decisions.pop(run, None)
