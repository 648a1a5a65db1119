"""What a durable cell holds of its mailbox: the head in memory, the rest on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Set

from choragus.mailbox.address import ActorId
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope

WINDOW = 64
"""How many waiting messages are held in memory."""


class Inbox:
    """The first messages of one durable mailbox, in order.

    `deliver` keeps a message only while nothing older waits on disk alone; otherwise it is found there in its turn.
    """

    def __init__(self, actor: ActorId, store: Store) -> None:
        self._actor = actor
        self._store = store
        self._held: deque[Envelope] = deque()
        self._more = True
        self._fetching = False

    def __bool__(self) -> bool:
        return bool(self._held) or self._more

    def __len__(self) -> int:
        return len(self._held)

    @property
    def head(self) -> Envelope | None:
        """The message to handle next, if it is in memory."""
        return self._held[0] if self._held else None

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due; an answer takes the place of the timer that waited for it."""
        if envelope.answer:
            self.drop_timers({envelope.timer})
        if self._more or self._fetching or len(self._held) >= WINDOW:
            self._more = True
        else:
            self._held.append(envelope)

    def hint(self) -> None:
        """There may be messages on disk that nobody delivered."""
        self._more = True

    def replace_head(self, envelope: Envelope) -> None:
        """The head has been tried: hold it as it stands on disk now."""
        if self._held and self._held[0].id == envelope.id:
            self._held[0] = envelope

    def drop_timers(self, names: Set[str]) -> None:
        """Timers of these names were taken back or replaced: those that are held are not on disk any more."""
        if any(envelope.timer in names and not envelope.answer for envelope in self._held):
            kept = [one for one in self._held if one.answer or one.timer not in names]
            self._held = deque(kept)

    def take(self, envelope: Envelope) -> None:
        """The message is off the disk."""
        if self._held and self._held[0].id == envelope.id:
            self._held.popleft()

    def forget(self) -> None:
        """Hold nothing: begin again from what is on disk."""
        self._held.clear()
        self._more = True

    async def refill(self, now: float) -> None:
        """Read what is due, when nothing is held."""
        if not self._held and self._more:
            self._more = False
            self._fetching = True
            try:
                found = await self._store.fetch(self._actor, WINDOW, now)
            except BaseException:
                self._more = True
                raise
            finally:
                self._fetching = False
            self._held = deque(found)
            self._more = self._more or len(found) == WINDOW
