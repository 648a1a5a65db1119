"""What few cells need: made when it is first needed, so that an idle actor does not pay for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from .delivery import Delivery
from .dispatch import Table
from .reply import Reply
from .room import Room
from .status import Exit
from .timer import Timers
from .watch import Linked, Watches


class Beginning(Protocol):
    """An `on_start` that runs."""

    async def end(self) -> None:
        """Break it off."""
        ...


class Annex:
    """A cell's rarely used parts."""

    __slots__ = (
        "asking",
        "ending",
        "idle",
        "is_deep",
        "links",
        "piped",
        "room",
        "starter",
        "stash",
        "table",
        "tasks",
        "timers",
        "watchers",
        "watches",
    )

    def __init__(self) -> None:
        self.asking: list[Reply[object]] = []
        self.room: Room | None = None
        self.stash: list[Delivery] = []
        self.is_deep = False
        self.watchers: dict[object, Callable[[Exit], None]] = {}
        self.watches: Watches | None = None
        self.links: set[Linked] = set()
        self.piped: set[asyncio.Task[None]] = set()
        self.timers: Timers | None = None
        self.table: Table | None = None
        self.tasks: set[asyncio.Task[object]] = set()
        self.starter: Beginning | None = None
        self.ending: asyncio.Task[None] | None = None
        self.idle: asyncio.Future[None] | None = None
