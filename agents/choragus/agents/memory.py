"""The memory of one run: the conversation, and what of it the model sees next."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from choragus.actors.dispatch import handle

from .context.editing import Editing
from .context.errand import EditBlock, RetrySummary
from .context.work import MemoryState, Work
from .control import Drawn, Hold
from .message import MEMORY, ORCHESTRATOR, Perceive, Perceived, RunEnded, TakeOver
from .model import ChatMessage
from .stream import conversation_stream


class Memory(
    Editing[MemoryState, Perceive | TakeOver | Drawn | RetrySummary | Hold | RunEnded | EditBlock], name=MEMORY
):
    """Appends to the conversation and says how far the working context of a step goes."""

    @handle
    async def perceive(self, message: Perceive) -> None:
        """Append, then tell the orchestrator when the step's context stands."""
        if message.step and message.scope is not None:
            await self._begin(message)
            return
        self.services.hearing.hear(self.key, self.state.length, message.additions)
        self._append(message.additions)
        if message.step:
            self.log("memory.assembled", step=message.step, messages=self.state.length)
            self.tell(ORCHESTRATOR, Perceived(message.step, self.state.length))

    @handle
    def take_over(self, message: TakeOver) -> bool:
        """Append what a fork has from its parent."""
        self._append(message.additions)
        self.take_over_decisions(message.decisions)
        return True

    async def _begin(self, message: Perceive) -> None:
        """Begin with the context of a step, of what is on disk and of these lines."""
        working = await self.working()
        self._append(message.additions)
        self.take_over_decisions(message.decisions)
        working = working.hear(message.additions).decided(*(note.read() for note in message.decisions))
        if self.state.over or message.scope is None:
            return
        self.calibrate(message.scope.heard)
        self.state.work = Work(step=message.step, scope=message.scope)
        await self.assemble(working)

    def _append(self, additions: Sequence[ChatMessage]) -> None:
        for addition in additions:
            self.append(conversation_stream(self.key), addition.role, msgspec.to_builtins(addition))
        self.state.length += len(additions)
