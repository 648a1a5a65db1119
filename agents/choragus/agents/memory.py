"""The memory of one run: the conversation, and what of it the model sees next."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgspec

from choragus.actors.dispatch import handle
from choragus.mailbox.codec import stored

from .message import MEMORY, ORCHESTRATOR, Perceive, Perceived, TakeOver
from .model import ChatMessage
from .part import Part
from .stream import conversation_stream


@stored("choragus.memory_state")
@attrs.define
class MemoryState:
    """How long the conversation is; its text is a stream of its own."""

    length: int = 0


class Memory(Part[MemoryState, Perceive | TakeOver], name=MEMORY):
    """Appends to the conversation and says how far the working context of a step goes."""

    @handle
    def perceive(self, message: Perceive) -> None:
        """Append, then tell the orchestrator that the step's context stands."""
        self._append(message.additions)
        if message.step:
            self.log("memory.assembled", step=message.step, messages=self.state.length)
            self.tell(ORCHESTRATOR, Perceived(message.step, self.state.length))

    @handle
    def take_over(self, message: TakeOver) -> bool:
        """Append what a fork has from its parent."""
        self._append(message.additions)
        return True

    def _append(self, additions: Sequence[ChatMessage]) -> None:
        for addition in additions:
            self.append(conversation_stream(self.key), addition.role, msgspec.to_builtins(addition))
        self.state.length += len(additions)
