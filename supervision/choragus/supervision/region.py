"""A running region: the supervisor of the durable actors of one type, each key by itself."""

from __future__ import annotations

import random
from collections import Counter

from choragus.actors.cell import Failure
from choragus.actors.durable_cell import DurableCell
from choragus.actors.kernel import Kernel

from .spec import Region


class RegionNode:
    """Decides about the failures of one type's actors. On a message, the attempt limit takes the intensity's place."""

    def __init__(self, kernel: Kernel, spec: Region) -> None:
        self.path = spec.durable.type_name
        self.attempts = spec.attempts
        self._kernel = kernel
        self._spec = spec
        self._unloadable: Counter[str] = Counter()

    def delay(self, attempts: int) -> float:
        """Seconds before the next try at a message that failed that often."""
        return self._spec.backoff.delay(attempts - 1, random.random())

    def durable_failed(self, child: DurableCell, failure: Failure) -> None:
        """Restart at once after a failure on a message, whose retry waits by itself; else after a delay, or never."""
        if failure.message:
            self._unloadable.pop(child.id, None)
            child.restart()
            return
        self._unloadable[child.id] += 1
        failures = self._unloadable[child.id]
        if failures >= self.attempts:
            child.suspend(failure.error)
        else:
            self._kernel.loop.call_later(self.delay(failures), child.restart)
