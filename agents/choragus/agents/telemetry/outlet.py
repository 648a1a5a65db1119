"""Where facts go: the seam between what reads the logbook and the SDK that is loaded for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .fact import Attributes, Facts, Point, SpanFact
from .shelf import Sampling

Reading = tuple[float, Attributes]
"""A value of a gauge, and what it is about."""

Item = SpanFact | Point


class Outlet(Protocol):
    """Takes what was told. Its methods that take are called in a thread, one at a time; False or an error: again."""

    cursor: str
    dropped: int
    """How much was refused for good and is not asked for any more."""
    every: float
    """Seconds after which what was taken is confirmed; 0: it is when it is taken."""

    @property
    def samples(self) -> Sampling:
        """Which traces are wanted."""
        ...

    def of(self, facts: Facts) -> Sequence[Item]:
        """What of the facts goes here."""
        ...

    def take(self, items: Sequence[Item]) -> bool:
        """Hand it over; whether it was taken."""
        ...

    def confirm(self) -> bool:
        """Whether all that was taken has left."""
        ...

    def close(self) -> None:
        """Nothing will come any more; what is the application's own stays open."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """An outlet of metrics: it is also told how the live system stands."""

    live: dict[str, Sequence[Reading]]
