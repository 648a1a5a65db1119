"""Whether the code that runs now is inside a durable actor's turn."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from choragus.mailbox.address import ActorId


class OpenTurn(Protocol):
    """A turn that still collects."""

    actor: ActorId
    open: bool

    def send(self, receiver: ActorId, message: object) -> object:
        """Put a message into a durable mailbox, with the turn."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the turn is on disk; never, when it fails."""
        ...


CURRENT: ContextVar[OpenTurn | None] = ContextVar("choragus.turn", default=None)


def current_turn() -> OpenTurn | None:
    """The turn that the caller is inside of, or None; a task that outlives its turn is outside."""
    turn = CURRENT.get()
    return turn if turn is not None and turn.open else None
