"""A running region: the supervisor of the durable actors of one type, each key by itself."""

from __future__ import annotations

import random

from choragus.actors.kernel import Kernel
from choragus.actors.region import DurableChild
from choragus.actors.status import Failure

from .spec import Region


class RegionNode:
    """Decides about the failures of one type's actors. On a message, the attempt limit takes the intensity's place."""

    def __init__(self, kernel: Kernel, spec: Region) -> None:
        self.path = spec.durable.type_name
        self.attempts = spec.attempts
        self._kernel = kernel
        self._spec = spec

    def delay(self, attempts: int) -> float:
        """Seconds before the next try at a message that failed that often."""
        return self._spec.backoff.delay(attempts - 1, random.random())

    def durable_failed(self, child: DurableChild, failure: Failure) -> None:
        """Restart at once after a failure on a message, whose retry waits by itself; else after a delay, or never."""
        if failure.message:
            child.restart()
        elif child.faults >= self.attempts:
            child.suspend(failure.error)
        else:
            self._kernel.loop.call_later(self.delay(child.faults), child.restart)
