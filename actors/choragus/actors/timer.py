"""Volatile timers: named, and dead with their incarnation."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .notice import Notice


class Owner(Protocol):
    """The cell whose timers they are."""

    path: str

    def put_notice(self, notice: Notice) -> None:
        """Put a notice into the mailbox, whether there is room or not."""
        ...


class Timer(Notice):
    """One timer. At most one ring of it waits in the mailbox: a slow actor is not buried under its own clock."""

    __slots__ = ("_every", "_handle", "_message", "_timers", "_waits", "name")

    def __init__(self, timers: Timers, name: str, message: object, after: float, every: float | None) -> None:
        self.name = name
        self._timers = timers
        self._message = message
        self._every = every
        self._waits = False
        self._handle = timers.loop.call_later(after, self._ring)

    def cancel(self) -> None:
        """Ring no more; a ring that waits in the mailbox comes to nothing."""
        self._handle.cancel()

    def open(self) -> object | None:
        self._waits = False
        if not self._timers.holds(self):
            return None
        if self._every is None:
            self._timers.cancel(self.name)
        return self._message

    def _ring(self) -> None:
        loop = self._timers.loop
        if self._every is not None:
            at = self._handle.when()
            missed = max(0.0, loop.time() - at) // self._every  # the loop was held up
            self._handle = loop.call_at(at + (missed + 1) * self._every, self._ring)
        if not self._waits:
            self._waits = True
            self._timers.owner.put_notice(self)


class Timers:
    """The timers of one incarnation, by name."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.owner = owner
        self.loop = loop
        self._timers: dict[str, Timer] = {}

    def set(self, name: str, message: object, after: float, every: float | None) -> None:
        """Set a timer in place of the one of that name.

        Raises:
            ValueError: when a time is negative or no number, or `every` is not above 0.
        """
        if not 0 <= after < float("inf"):
            raise ValueError(f"{self.owner.path}: timer {name!r} after {after!r} s: give seconds, 0 or more")
        if every is not None and not 0 < every < float("inf"):
            raise ValueError(f"{self.owner.path}: timer {name!r} every {every!r} s: give seconds above 0")
        self.cancel(name)
        self._timers[name] = Timer(self, name, message, after, every)

    def cancel(self, name: str) -> None:
        """Take a timer back, also when it has rung and its message waits."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def holds(self, timer: Timer) -> bool:
        """Whether that very timer is still set."""
        return self._timers.get(timer.name) is timer

    def cancel_all(self) -> None:
        """The incarnation is over."""
        for name in tuple(self._timers):
            self.cancel(name)
