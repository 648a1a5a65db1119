"""A keyed actor's place: what is kept for a key while its actor comes, is there, or goes."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Generic

import attrs

from choragus.actors.actor import M
from choragus.actors.local_ref import LocalRef
from choragus.actors.peek import is_leaving


class Presence(Enum):
    """Whether the actor of a key is in memory."""

    COMING = "coming"
    """It is being started, or being given what waited for it."""
    ACTIVE = "active"
    GOING = "going"


class Waiting(Generic[M]):
    """A message that waits for its actor, or somebody who waits to ask or send: who waits is let in by `gate`.

    Whoever is let in puts his message at once and then passes on, so that those behind him stay behind him.
    """

    __slots__ = ("counts", "gate", "message", "passed")

    def __init__(self, message: M, loop: asyncio.AbstractEventLoop | None = None, *, counts: bool = True) -> None:
        self.message = message
        self.counts = counts
        self.gate: asyncio.Future[LocalRef[M]] | None = None if loop is None else loop.create_future()
        self.passed: asyncio.Future[None] | None = None if loop is None else loop.create_future()

    def pass_on(self) -> None:
        """Let those behind go on."""
        if self.passed is not None and not self.passed.done():
            self.passed.set_result(None)


@attrs.define(eq=False)
class Seat(Generic[M]):
    """What is kept for a key. `comes_back`: it goes, and what waits here is for the next one. `held`: how many messages
    wait, those of waiting senders apart.
    """

    key: str
    name: str
    path: str
    used: float
    presence: Presence = Presence.COMING
    ref: LocalRef[M] | None = None
    comes_back: bool = False
    held: int = 0
    waiting: deque[Waiting[M]] = attrs.field(factory=deque)

    @property
    def open_ref(self) -> LocalRef[M] | None:
        """Its actor, when that is there and takes mail; None: what comes waits here."""
        ref = self.ref
        return ref if self.presence is Presence.ACTIVE and ref is not None and not is_leaving(ref) else None

    def hold(self, waiting: Waiting[M]) -> None:
        """Let it wait, behind the others."""
        self.waiting.append(waiting)
        self.held += waiting.counts

    def drop(self, waiting: Waiting[M]) -> None:
        """It waits no more; one that does not wait is fine."""
        if waiting in self.waiting:
            self.waiting.remove(waiting)
            self.held -= waiting.counts
