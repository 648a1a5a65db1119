"""How much to take at once so that each time is short: learnt from how long the last time took. Pure."""

from __future__ import annotations

import attrs

GOAL = 0.005
"""How long one time should take, in seconds."""

LEAST = 5


@attrs.define
class Pace:
    """A limit that follows the machine: a quarter of `most` at first, at most doubled at a time, never below 5.

    >>> pace = Pace(most=100)
    >>> pace.limit
    25
    >>> pace.took(0.020)
    >>> pace.limit
    6
    >>> pace.took(0.001)
    >>> pace.limit
    12
    """

    most: int
    limit: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.limit = max(1, self.most // 4)

    def took(self, seconds: float) -> None:
        """The last time, at the present limit, took so long."""
        fitting = self.limit * GOAL / seconds if seconds > 0 else self.most
        self.limit = max(min(LEAST, self.most), min(self.most, self.limit * 2, int(fitting)))
