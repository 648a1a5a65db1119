"""What an exporter has refused by itself: whether it is that, or the exporter takes nothing at all. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .outlet import Item

TRIES = 3
"""How often a thing is refused alone, each time with others taken since the last, before it is dropped."""


@attrs.define
class Refused:
    """What was refused alone, by identity, and how often while the exporter took other things.

    Where nothing is taken the exporter is down, and nothing is ever dropped.
    """

    _tries: dict[int, tuple[int, int]] = attrs.field(factory=dict, init=False)
    _taken: int = attrs.field(default=0, init=False)

    def are_all(self, left: Sequence[Item]) -> bool:
        """Whether nothing is left but what was refused."""
        return all(id(one) in self._tries for one in left)

    def apart(self, left: Sequence[Item], most: int) -> Sequence[Item]:
        """What is handed over next: so much, or one by itself that was refused before."""
        if id(left[0]) in self._tries:
            return left[:1]
        end = next((at for at, one in enumerate(left[:most]) if id(one) in self._tries), most)
        return left[:end]

    def take(self, some: Sequence[Item]) -> None:
        """These were taken."""
        self._taken += 1
        if self._tries:
            for one in some:
                self._tries.pop(id(one), None)

    def is_for_good(self, one: Item) -> bool:
        """It was refused alone; whether it is dropped by that."""
        tries, taken = self._tries.get(id(one), (0, 0))
        if self._taken > taken:
            tries, taken = tries + 1, self._taken
        if tries >= TRIES:
            del self._tries[id(one)]
            return True
        self._tries[id(one)] = tries, taken
        return False
