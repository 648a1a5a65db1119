"""Following the conversations of a runtime's runs: each line read once, with what was shown besides in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from choragus.agents.agent import Agent
from choragus.agents.context.decision import Edited, Fetched
from choragus.agents.context.reading import Contexts, Conversation

from .reading import Reading

Shown: TypeAlias = Sequence[tuple[int, tuple[str, ...]]]
"""The sources of what the model was shown that is no line of the conversation, and behind which line that was."""


@attrs.frozen
class Readings:
    """The conversations as far as they were followed."""

    conversation: Conversation
    contexts: Contexts
    _known: dict[str, Reading] = attrs.field(factory=dict, init=False)

    async def of(self, run: str, agent: Agent[object], upto: int) -> Reading:
        """The conversation of a run up to a position."""
        reading = self._known.get(run)
        if reading is None or reading.read > upto:
            reading = self._known[run] = Reading(agent.prompt.text)
        besides = await self._besides(run, agent)
        for message in (await self.conversation(run, upto))[reading.read : upto]:
            _join(reading, besides)
            reading.take(message)
        _join(reading, besides)
        return reading

    def forget(self, run: str) -> None:
        """What was read can be read again."""
        self._known.pop(run, None)

    async def _besides(self, run: str, agent: Agent[object]) -> Shown:
        if agent.context is None:
            return ()
        found: list[tuple[int, tuple[str, ...]]] = []
        for one in await self.contexts.news(
            run
        ):  # in the order in which they were made: what was joined stays in place
            if isinstance(one, Fetched):
                found += [(one.upto, item.origin) for item in one.items]
            elif isinstance(one, Edited):
                found.append((one.upto, one.labels))
        return found


def _join(reading: Reading, besides: Shown) -> None:
    """Take note of what was shown before the next line was said."""
    while reading.joined < len(besides) and besides[reading.joined][0] <= reading.read:
        reading.join(besides[reading.joined][1])
