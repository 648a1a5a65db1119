"""The flight recorder: what volatile actors handled last, always on."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import attrs

RECORDED = 4_096
"""Handled messages that are kept."""

Record: TypeAlias = "tuple[str, type, str, float, float] | tuple[str, str, str, float, float, str]"
"""Actor, message, sender, beginning, end; of a failure also the error."""


@attrs.frozen
class Handled:
    """A message that was handled, or failed upon.

    Args:
        actor: who handled it.
        message: the class's name.
        sender: the path of the actor that sent it; empty for the host.
        began: seconds of the loop's clock.
        seconds: how long it took, waiting included.
        error: the class's name of what it failed with; empty when it did not.
    """

    actor: str
    message: str
    sender: str
    began: float
    seconds: float
    error: str = ""


class Trace:
    """A ring of records. One is a tuple, made per message; what is readable is made when somebody reads."""

    __slots__ = ("_ring", "record")

    def __init__(self) -> None:
        self._ring: deque[Record] = deque(maxlen=RECORDED)
        self.record = self._ring.append

    def recent(self, most: int, path: str | None) -> tuple[Handled, ...]:
        """The last that were handled, the newest last; of one actor, or of all.

        Raises:
            ValueError: when `most` is no whole number, or less than 1.
        """
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise ValueError(f"recent({most!r}): give how many records, 1 or more; {RECORDED:,} are kept")
        chosen = [record for record in self._ring if path is None or record[0] == path]
        return tuple(_handled(record) for record in chosen[-most:])


def _handled(record: Record) -> Handled:
    actor, message, sender, began, ended = record[:5]
    name = message if isinstance(message, str) else message.__name__
    return Handled(actor, name, sender, began, ended - began, record[5] if len(record) == 6 else "")
