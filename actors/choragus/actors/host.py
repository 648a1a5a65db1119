"""What a cell needs from the system around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .deadline import Deadlines
from .event import Events
from .place import Around
from .scheduler import Scheduler
from .trace import Record

SLOW = 10.0
"""Seconds from which on a handler is reported as slow."""


class Host(Around, Protocol):
    """The loop, and what is shared by all cells of a system."""

    now: Callable[[], float]
    scheduler: Scheduler
    deadlines: Deadlines
    events: Events
    record: Callable[[Record], None]
    slow: float
    stopped: bool
