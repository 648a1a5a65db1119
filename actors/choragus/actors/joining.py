"""What a durable actor has to do with the turns of others that it takes part in; see `chain`."""

from __future__ import annotations

import asyncio

import attrs

from choragus.mailbox.turn import Envelope

from .inbox import Inbox
from .standing import Standing
from .status import LIVE, Status


class Joining:
    """The part of a cell that others use who hand it a message in their own turn."""

    status: Status
    is_lively: bool
    inbox: Inbox
    _standing: Standing
    _busy: bool
    _hold: asyncio.TimerHandle | None
    _astray: list[Envelope]
    _foreseen: tuple[Envelope, BaseException] | None

    def activate(self) -> None:
        """Go on with what waits."""
        raise NotImplementedError

    def _tell_quiet(self) -> None:
        raise NotImplementedError

    def is_free_but_for(self, envelope: Envelope | None) -> bool:
        """Whether a message that came now, behind that one if there is one, would be handled at once."""
        is_free = not (self._busy and envelope is None) and self._hold is None and not self._astray
        lives = self.status in LIVE and self._standing.is_loaded and not self._standing.ended
        return is_free and lives and self.inbox.holds_only(envelope)

    def take_part(self) -> None:
        """Be in the hands of another actor's turn until `go_on`."""
        self._busy = self.is_lively = True

    def go_on(self) -> None:
        """That turn is accepted, or given up: go on with what waits."""
        self._busy = False
        self._tell_quiet()
        self.activate()

    def foresee(self, envelope: Envelope, error: BaseException) -> None:
        """The message was tried before it was delivered, and its handler raised this: that is its first try."""
        self._foreseen = (envelope, error)

    def foresees(self, envelope: Envelope) -> bool:
        """Whether the message has been tried already."""
        return self._foreseen is not None and self._foreseen[0] == envelope

    def _foreseen_error(self, envelope: Envelope) -> BaseException | None:
        """What the first try of the message has raised, if that has been; told once."""
        if self._foreseen is None or self._foreseen[0].id != envelope.id:
            return None
        (tried, error), self._foreseen = self._foreseen, None
        return error if attrs.evolve(envelope, seq=0) == tried else None
