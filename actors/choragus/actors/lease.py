"""The lease on a store: claimed once, renewed for as long as the system runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from choragus.mailbox.errors import LeaseLost, StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Claim

LEASE = 10.0
"""Seconds that a claim holds without being renewed."""


class Lease:
    """Ownership of a store by one node."""

    def __init__(self, store: Store, node: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._node = node
        self._clock = clock
        self._now = _monotonic()
        self._renewed = self._now()

    @property
    def is_fresh(self) -> bool:
        """Whether less than half of the lease has passed: only then may an effect start."""
        return self._now() - self._renewed < LEASE / 2

    async def claim(self) -> Claim:
        """Own the store.

        Raises:
            FileInUse: when a live process owns it.
        """
        asked = self._now()
        claim = await self._store.claim(self._node, LEASE, self._clock())
        self._renewed = asked
        return claim

    async def keep(self, renewed: Callable[[], None]) -> None:
        """Renew it until cancelled, and call `renewed` each time.

        Raises:
            LeaseLost: when another process has taken the store over.
        """
        while True:
            await asyncio.sleep(LEASE / 4)
            asked = self._now()
            try:
                held = await self._store.renew(self._node, LEASE, self._clock())
            except StoreError:  # the disk fails for now; whether the lease is lost shows when it works again
                continue
            if not held:
                raise lost(self._store)
            self._renewed = asked
            renewed()


def lost(store: Store) -> LeaseLost:
    """What a process ends with that is no longer the owner."""
    place = getattr(store, "path", None) or "the store"
    return LeaseLost(
        f"another process has taken {place} over: this one stood still for longer than its lease of {LEASE:g} s, or "
        "the clock was set forward; what it had not committed did not happen: keep one of the two processes"
    )


def _monotonic() -> Callable[[], float]:
    """A simulation's own time. Any other loop's may stand still for a turn (uvloop's does), however long that takes."""
    loop = asyncio.get_running_loop()
    return loop.time if getattr(loop, "is_simulated", False) else monotonic
