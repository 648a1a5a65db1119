"""What a cell needs from the system around it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .deadline import Deadlines
from .event import Events
from .scheduler import Scheduler


class Host(Protocol):
    """The loop, and what is shared by all cells of a system."""

    loop: asyncio.AbstractEventLoop
    scheduler: Scheduler
    deadlines: Deadlines
    events: Events
    stopped: bool
