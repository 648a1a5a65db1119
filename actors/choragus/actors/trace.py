"""The flight recorder: what volatile actors handled last, always on."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import attrs

RECORDED = 4_096
"""Handled messages that are kept."""

Record: TypeAlias = "tuple[str, type, str, float, float]"


@attrs.frozen
class Handled:
    """A message that was handled, or failed upon.

    Args:
        actor: who handled it.
        message: the class's name.
        sender: the path of the actor that sent it; empty for the host.
        began: seconds of the loop's clock.
        seconds: how long it took, waiting included.
    """

    actor: str
    message: str
    sender: str
    began: float
    seconds: float


class Trace:
    """A ring of records. One is a tuple, made per message; what is readable is made when somebody reads."""

    __slots__ = ("_ring", "record")

    def __init__(self) -> None:
        self._ring: deque[Record] = deque(maxlen=RECORDED)
        self.record = self._ring.append

    def recent(self, most: int, path: str | None) -> tuple[Handled, ...]:
        """The last that were handled, the newest last; of one actor, or of all."""
        chosen = [record for record in self._ring if path is None or record[0] == path]
        return tuple(
            Handled(actor, kind.__name__, sender, began, ended - began)
            for actor, kind, sender, began, ended in chosen[max(0, len(chosen) - most) :]
        )
