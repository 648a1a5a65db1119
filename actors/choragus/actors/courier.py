"""Brings messages to durable actors in memory: early, while they are on their way to the disk, or from there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from choragus.mailbox.address import ActorId
from choragus.mailbox.turn import Closure, Committed, Envelope

from .alarm import Alarm
from .item import Landed
from .writer import Writer


class Mailbox(Protocol):
    """The cell of a durable actor, as those see it who bring messages."""

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due."""
        ...

    def deliver_early(self, envelope: Envelope, *, barred: bool = False) -> None:
        """Take a message that is on its way to the disk; `arrive` or `withdraw` follows."""
        ...

    def arrive(self, envelope: Envelope) -> None:
        """What came early is on disk."""
        ...

    def withdraw(self, envelope: Envelope) -> None:
        """What came early will never be on disk."""
        ...


Early = list[tuple[Mailbox, Envelope]]
"""What was brought early, and to whom."""


class Courier:
    """Knows where the cells are, and what is due.

    A message that is not due yet is brought by nobody: the alarm is set to it once it is on disk.
    """

    def __init__(
        self,
        cell: Callable[[ActorId], Mailbox | None],
        alarm: Alarm,
        clock: Callable[[], float],
        writer: Writer,
    ) -> None:
        self._cell = cell
        self._alarm = alarm
        self._clock = clock
        self._writer = writer

    def bring_early(self, envelopes: Iterable[Envelope], *, barred: bool = False) -> Early:
        """Bring what is due, before it is on disk; `arrived` or `undone` follows."""
        brought: Early = []
        now = 0.0
        for envelope in envelopes:
            if envelope.due and envelope.due > (now := now or self._clock()):
                continue
            cell = self._cell(envelope.receiver)
            if cell is not None:
                cell.deliver_early(envelope, barred=barred)
                brought.append((cell, envelope))
        return brought

    def arrived(self, brought: Early, envelopes: Collection[Envelope], dropped: Collection[str]) -> None:
        """These envelopes are on disk, but for those that were dropped; some were brought early."""
        for cell, envelope in brought:
            if envelope.id in dropped:
                cell.withdraw(envelope)
            else:
                cell.arrive(envelope)
        if len(brought) == len(envelopes):
            return
        early = {envelope.id for _, envelope in brought}
        for envelope in envelopes:
            if envelope.due and envelope.id not in early and envelope.id not in dropped:
                self.bring(envelope)  # what is due at once and was not brought is for nobody here

    def undone(self, brought: Early) -> None:
        """These envelopes will never be on disk."""
        for cell, envelope in reversed(brought):
            cell.withdraw(envelope)

    def bring(self, envelope: Envelope) -> None:
        """Bring a message that is on disk, when it is due."""
        if envelope.due > self._clock():
            self._alarm.set(envelope.due)
        elif (cell := self._cell(envelope.receiver)) is not None:
            cell.deliver(envelope)

    def post(self, envelope: Envelope, done: Landed) -> None:
        """Write a message from the host. One with a key may be there already: it waits for the disk, in its place."""
        brought = self.bring_early((envelope,), barred=bool(envelope.key))

        def settled(result: Committed) -> None:
            done(result)
            self.arrived(brought, (envelope,), result.known)

        self._writer.submit(envelope, settled)

    def close(self, closure: Closure, *, barred: bool) -> None:
        """Write the result of an effect."""
        brought = self.bring_early((closure.envelope,), barred=barred)

        def settled(result: Committed) -> None:
            dropped = (closure.envelope.id,) if closure.effect in result.dropped else ()
            self.arrived(brought, (closure.envelope,), dropped)

        self._writer.submit(closure, settled)
