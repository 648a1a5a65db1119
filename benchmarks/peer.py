"""Another actor library, as far as it is measured: what it can be told to do, and how much of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs
from benchmarks.target import Target

Work: TypeAlias = Callable[[int], float]
"""Does so much of the work, and gives back seconds for one unit of it."""


@attrs.frozen
class Trial:
    """One kind of work: who does how much of it, and what is promised."""

    name: str
    work: Work
    amount: int
    target: Target | None = None


@attrs.frozen
class Peer:
    """The library's name, what it does, and how it does that."""

    name: str
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]
