"""Who is speaking: the durable turn that the code which runs now is inside of, and the actor whose handler it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol
from weakref import ref

from choragus.mailbox.address import ActorId

from .errors import CutOff


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


class Speaker(Protocol):
    """An actor that sends."""

    path: str


CURRENT: ContextVar[OpenTurn | None] = ContextVar("choragus.turn", default=None)

SPEAKER: ContextVar[Speaker | None] = ContextVar("choragus.speaker", default=None)
"""Set by a worker for the actor that it runs, and inherited by the tasks that a handler starts."""


ZOMBIES: set[ref[asyncio.Task[object]]] = set()
"""Tasks of handlers that were cut off and have not ended yet: what they send is refused. Nearly always empty.

Weak, for one may never end: it goes with its event loop.
"""


def fence(task: asyncio.Task[object]) -> None:
    """Refuse what this task sends from now on."""
    zombie = ref(task, ZOMBIES.discard)
    ZOMBIES.add(zombie)
    task.add_done_callback(lambda _: ZOMBIES.discard(zombie))


def check_fence(message: object) -> None:
    """Refuse a message from a handler that was cut off; asked only when there is any.

    Raises:
        CutOff: when the task that runs is that of one.
    """
    task = asyncio.current_task()
    if task is not None and ref(task) in ZOMBIES:
        raise CutOff(type(message).__name__)


def current_turn() -> OpenTurn | None:
    """The turn that the caller is inside of, or None; a task that outlives its turn is outside."""
    turn = CURRENT.get()
    return turn if turn is not None and turn.open else None
