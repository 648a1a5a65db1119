"""The beat of a durable ticker: when it rings next, whatever was missed and wherever the clock went.

The beats are `origin`, `origin + every`, `origin + 2 * every`, ...: counted from one point, so that nothing adds up.
"""

from __future__ import annotations

from math import floor
from typing import Literal, get_args

import attrs

from choragus.mailbox.turn import Envelope

Missed = Literal["once", "skip", "all"]
"""What becomes of the beats that nobody could ring."""

MOST = 1_000
"""How many missed beats are rung by `missed="all"`; of more, the oldest are left out."""

SHORTEST = 0.001
"""The shortest beat in seconds: wall time as a float tells about a thousandth of it apart."""

MISSED: tuple[Missed, ...] = get_args(Missed)


@attrs.frozen(kw_only=True)
class Beat:
    """One ring of a ticker: due at `due`, one of the beats; `wait` seconds after it was put."""

    origin: float
    every: float
    missed: Missed
    due: float
    wait: float

    def following(self, now: float) -> Beat:
        """The ring after this one, which is handled now: the first beat to come, or with `all` the first one missed."""
        last = self._last(now)
        if now < self.due - self.every:  # the clock was set back
            return self._at(last + 1, now)
        nearest = round((self.due - self.origin) / self.every) + 1
        least = last - MOST + 2 if self.missed == "all" else last + 1
        return self._at(max(nearest, least), now)

    def again(self, now: float) -> Beat:
        """This ring put anew because the clock was set back: at the first beat to come, a first ring after its wait."""
        if self.wait > self.every:
            return attrs.evolve(self, origin=now + self.wait, due=now + self.wait)
        return self._at(self._last(now) + 1, now)

    def is_left_out(self, now: float, since: float) -> bool:
        """Whether the ring is one that was missed and is not wanted.

        Args:
            since: when the system was opened; what was due before has been missed, and what is a whole beat late.
        """
        return self.missed == "skip" and (self.due < since or now - self.due >= self.every)

    def is_astray(self, now: float) -> bool:
        """Whether the clock was set back so far that the ring would be late by a whole wait or more."""
        return self.due - now >= 2 * max(self.every, self.wait)

    def text(self) -> str:
        """What a stored ring carries beside its time."""
        return f"{self.origin!r} {self.every!r} {self.missed} {self.wait!r}"

    def _last(self, now: float) -> int:
        """The number of the last beat that has come."""
        number = floor((now - self.origin) / self.every)
        while self._time(number + 1) <= now:  # the division may be off by one
            number += 1
        return number if self._time(number) <= now else number - 1

    def _time(self, number: int) -> float:
        return self.origin + number * self.every

    def _at(self, number: int, now: float) -> Beat:
        due = self._time(number)
        return attrs.evolve(self, due=due, wait=max(0.0, due - now))


def beat_of(envelope: Envelope) -> Beat | None:
    """The beat of a ticker's ring; None for every other message.

    It is kept in `reply_then`, which means something else only where there is a `reply_to`.
    """
    if not envelope.timer or envelope.reply_to or not envelope.reply_then:
        return None
    origin, every, missed, wait = envelope.reply_then.split(" ")
    (kind,) = (one for one in MISSED if one == missed)
    return Beat(origin=float(origin), every=float(every), missed=kind, due=envelope.due, wait=float(wait))
