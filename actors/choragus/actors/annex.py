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
        "aside",
        "asking",
        "ending",
        "idle",
        "is_deep",
        "keeps",
        "links",
        "notices",
        "opened",
        "piped",
        "room",
        "starter",
        "stash",
        "table",
        "tasks",
        "timers",
        "urgent",
        "watchers",
        "watches",
    )

    def __init__(self) -> None:
        self.asking: list[Reply[object]] = []
        self.room: Room | None = None
        self.stash: list[Delivery] = []
        self.aside: Delivery | None = None  # what the handler that runs has set aside
        self.opened: object = None  # what the notice in hand said
        self.notices = 0  # those that wait: they are in the mailbox's depth, but take no room
        self.urgent = 0  # those of them that go first
        self.is_deep = False
        self.watchers: dict[object, Callable[[Exit], None]] = {}
        self.watches: Watches | None = None
        self.keeps = False
        self.links: set[Linked] = set()
        self.piped: set[asyncio.Task[None]] = set()
        self.timers: Timers | None = None
        self.table: Table | None = None
        self.tasks: dict[asyncio.Task[object], Delivery] = {}
        self.starter: Beginning | None = None
        self.ending: asyncio.Task[None] | None = None
        self.idle: asyncio.Future[None] | None = None
