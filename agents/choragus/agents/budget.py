"""What a run may spend, has spent and has set aside, and the time in which nobody worked on it. Pure."""

from __future__ import annotations

import attrs

from .limits import Limits, Spent, exceeded


@attrs.define
class Budget:
    """The spending of one run. Times are seconds since the epoch.

    `idle` is the time in which nobody worked: something waited for a person, or no process had the run open since
    `seen`.
    """

    limits: Limits = attrs.field(factory=Limits)
    started: float = 0.0
    spent: Spent = attrs.field(factory=Spent)
    reserved: dict[str, Spent] = attrs.field(factory=dict)
    waiting_since: float = 0.0
    idle: float = 0.0
    seen: float = 0.0

    def begin(self, limits: Limits, started: float) -> None:
        """The run begins."""
        self.limits = limits
        self.started = self.seen = started

    def set_aside(self, token: str, most: Spent, *, now: float, opened: float) -> str | None:
        """Reserve `most` under the token beside what is reserved under others, or say which limit leaves no room.

        Args:
            opened: when this process opened the run's file.
        """
        asked = most
        for other, amount in self.reserved.items():
            asked = asked if other == token else asked.add(amount)
        wall = now - self.started
        spent = self.spent.add(Spent(active_seconds=max(0.0, wall - self.idled(now=now, opened=opened))))
        reason = exceeded(self.limits, spent, asked, wall)
        if reason is None:
            self.reserved[token] = most
        return reason

    def spend(self, token: str, spent: Spent) -> None:
        """What was reserved under the token is spent, or given back."""
        self.reserved.pop(token, None)
        self.spent = self.spent.add(spent)

    def idled(self, *, now: float, opened: float) -> float:
        """Seconds of the run so far in which nobody worked."""
        if self.waiting_since:
            return self.idle + now - self.waiting_since
        if self.seen < opened:
            self.idle += opened - self.seen
        self.seen = now
        return self.idle

    def clock(self, waits: bool, *, now: float, opened: float) -> None:
        """Take note that something waits for a person now, or that nothing does any longer."""
        idle = self.idled(now=now, opened=opened)
        if waits and not self.waiting_since:
            self.waiting_since = now
        elif not waits and self.waiting_since:
            self.idle, self.seen, self.waiting_since = idle, now, 0.0
