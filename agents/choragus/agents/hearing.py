"""The conversations of the runs that go on, as far as they are known in memory: read from disk, or said just now."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .model import ChatMessage
from .stream import conversation_stream

PAGE = 500


@attrs.frozen
class Hearing:
    """What was said in each run, in order.

    A run's memory hands its lines over in the turn that appends them, so that whoever stands upon that turn need not
    wait for the disk to read them. When the turn is undone, or fails, the next one writes from the same position on,
    and its lines take the place of those. What leaves the system leaves after the commit, so with lines that stand.
    """

    store: Store
    _heard: dict[str, list[ChatMessage]] = attrs.field(factory=dict, init=False)

    def listen(self, run: str) -> None:
        """Take lines of the run from now on, until `forget`."""
        self._heard.setdefault(run, [])

    def hear(self, run: str, after: int, lines: Sequence[ChatMessage]) -> None:
        """These stand behind position `after`; where those before them are not known, they are left to the disk."""
        heard = self._heard.get(run)
        if heard is not None and len(heard) >= after:
            heard[after:] = lines

    def knows(self, run: str, upto: int) -> bool:
        """Whether the lines up to a position are in memory."""
        return len(self._heard.get(run, ())) >= upto

    async def lines(self, run: str, upto: int) -> list[ChatMessage]:
        """The conversation of a run up to a position, or further.

        Raises:
            LookupError: when neither memory nor disk have so much of it.
        """
        heard = self._heard.setdefault(run, [])
        while len(heard) < upto:
            page = await self.store.read(conversation_stream(run), after=len(heard), limit=PAGE)
            if not page:
                raise LookupError(f"the conversation of run {run} ends at {len(heard)}, not at {upto}")
            heard += [
                decode_as(ChatMessage, Record("json", 1, entry.body)) for entry in page if entry.position > len(heard)
            ]
        return heard

    def forget(self, run: str) -> None:
        """Keep nothing of the run in memory; it can be read again."""
        self._heard.pop(run, None)
