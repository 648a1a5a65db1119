"""How long to wait before trying again: pure."""

from __future__ import annotations

import math

import attrs

from .errors import SpecFault


@attrs.frozen
class Backoff:
    """Delays that double: `min(most, first * 2**n) * (1 + jitter * chance)`, in seconds.

    With first 1 and most 8: 1, 2, 4, 8, 8. Each child has a count of its own, which its siblings' failures leave alone;
    so has a supervisor below, which counts how often it gave up. As Pekko's `BackoffSupervisor`, which wraps one child.

    The count starts again when the child has been up for `reset` seconds without a failure; by default for `most`
    seconds (Pekko: for the first delay). Time spent waiting to be restarted does not count towards it.

    >>> [Backoff(first=1, most=8).delay(n) for n in range(5)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    """

    first: float
    most: float
    jitter: float = 0.0
    reset: float | None = None

    def __attrs_post_init__(self) -> None:
        numbers = (self.first, self.most, self.jitter, self.calm)
        if not all(isinstance(one, int | float) for one in numbers):
            raise SpecFault(f"{self}: all of them are numbers, of seconds but for jitter")
        if not (0 < self.first <= self.most < math.inf) or not 0 <= self.jitter <= 1:
            raise SpecFault(f"{self}: first and most are seconds, 0 < first <= most, and jitter lies between 0 and 1")

    @property
    def calm(self) -> float:
        """Seconds without a failure after which the count starts again."""
        return self.most if self.reset is None else self.reset

    def delay(self, failures: int, chance: float = 0.0) -> float:
        """Seconds to wait after `failures` failures before this one; `chance` lies between 0 and 1."""
        doublings = min(failures, 1023)
        return float(min(self.most, self.first * 2.0**doublings) * (1 + self.jitter * chance))
