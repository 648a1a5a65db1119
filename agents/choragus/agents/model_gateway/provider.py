"""What the calls of one provider share, whichever run they are of: room, a pause that it asked for, and its retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from choragus.agents.toolbelt.breaking import Moved, unheard
from choragus.agents.toolbelt.lane import Bucket, Lane, Refused

from .options import ProviderLimits, RetryBudget

PAUSED: Literal["paused"] = "paused"
"""The provider has asked to be left alone for a while."""

CROWDED: Literal["crowded"] = "crowded"
"""Too many calls wait in line."""

RETRIES: Literal["retries"] = "retries"
"""Too many calls that had failed are being made again."""

UNAVAILABLE: Literal["unavailable"] = "unavailable"
"""Its breaker is open."""

Why: TypeAlias = Literal["paused", "crowded", "retries", "unavailable"]

LONGEST_PAUSE = 3600.0
"""Seconds for which one answer may stop the calls of all runs; the run that it was for waits as long as it says."""

EARLY = 0.05
"""Seconds by which a call may come before the end of a pause, for the clocks of timers are others."""

SLOTS = 12
"""Into how many parts the time of a retry budget is cut."""


class NotNow(Exception):
    """Raised when a call is not made; `again` is in how many seconds it may come again."""

    def __init__(self, why: Why, again: float) -> None:
        super().__init__(why, again)
        self.why = why
        self.again = again


@frozen
class Pass:
    """A call that may be made; it is given back by `Provider.leave`."""

    tokens: int
    is_probe: bool
    is_retry: bool


@define
class Line:
    """The calls that wait in line, over all providers. Each takes up one of the 256 places that effects have."""

    most: int = 64
    waiting: int = 0


class Provider:
    """One provider. What it knows is of this process, and begins anew with the next.

    Args:
        clock: seconds that only go forward.
        line: shared with the other providers.
        moved: told when its breaker moves.
    """

    def __init__(
        self,
        limits: ProviderLimits,
        clock: Callable[[], float],
        line: Line,
        name: str = "",
        moved: Moved = unheard,
    ) -> None:
        bounded = limits.concurrency is not None or limits.rate is not None or limits.breaker is not None
        self._lane = Lane(limits, clock, f"provider/{name}", moved) if bounded else None
        self._bucket = None if limits.tokens is None else Bucket(limits.tokens, clock)
        self._retries = Retries(limits.retries, clock)
        self._clock = clock
        self._line = line
        self._paused_until = 0.0

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a call may use."""
        return self._bucket is not None

    async def enter(self, tokens: int, *, is_retry: bool) -> Pass:
        """Wait until the call may be made.

        Args:
            tokens: the most that it may use.

        Raises:
            NotNow: it may not, for a while.
        """
        self._check_pause()
        if is_retry and not self._retries.has_room:
            raise NotNow(RETRIES, self._retries.wait)
        self._retries.begun(is_retry)
        try:
            is_probe = False if self._lane is None and self._bucket is None else await self._enter_line(tokens)
        except BaseException:
            self._retries.not_made(is_retry)
            raise
        return Pass(tokens, is_probe, is_retry)

    async def beside(self, tokens: int) -> Pass | None:
        """The same for a call beside one that is under way: counted as a retry; None where it would have to wait."""
        if self._must_wait(tokens):
            return None
        try:
            return await self.enter(tokens, is_retry=True)
        except NotNow:
            return None

    def leave(self, granted: Pass, *, used: int | None, has_failed: bool | None) -> None:
        """The call is over.

        Args:
            used: the tokens that it has used; None when nobody knows.
            has_failed: None when it says nothing about the provider.
        """
        if self._lane is not None:
            self._lane.leave(granted.is_probe, has_failed)
        if self._bucket is not None and used is not None:
            self._bucket.put_back(granted.tokens - used)
        self._retries.ended(granted.is_retry, has_failed=has_failed is not False)

    def pause(self, seconds: float) -> None:
        """The provider asks to be left alone: no call of any run begins before that."""
        self._paused_until = max(self._paused_until, self._clock() + min(seconds, LONGEST_PAUSE))

    def _check_pause(self) -> None:
        again = self._paused_until - self._clock()
        if again > EARLY:
            raise NotNow(PAUSED, again)

    def _must_wait(self, tokens: int) -> bool:
        no_room = self._lane is not None and not self._lane.has_room
        return no_room or (self._bucket is not None and not self._bucket.has(tokens))

    async def _enter_line(self, tokens: int) -> bool:
        must_wait = self._must_wait(tokens)
        if must_wait and self._line.waiting >= self._line.most:
            raise NotNow(CROWDED, 0.0)
        self._line.waiting += must_wait
        try:
            return await self._enter(tokens)
        finally:
            self._line.waiting -= must_wait

    async def _enter(self, tokens: int) -> bool:
        lane, is_probe = self._lane, False
        if lane is not None:
            lane.arrive()
            is_in = False
            try:
                is_probe = await lane.enter()
                is_in = True
            except Refused as refused:
                raise NotNow(UNAVAILABLE, refused.again) from None
            finally:
                lane.arrived(is_in)
        try:
            if self._bucket is not None:
                await self._bucket.take(tokens)
            self._check_pause()  # it may have been asked for while the call stood in line
        except BaseException:
            if lane is not None:
                lane.leave(is_probe, None)
            raise
        return is_probe


@define
class Slot:
    """The calls of one part of the time."""

    number: int
    first: int = 0
    again: int = 0


class Retries:
    """The retries of a budget, counted in a window that slides by a part of it at a time."""

    def __init__(self, budget: RetryBudget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._slots: list[Slot] = []

    @property
    def has_room(self) -> bool:
        """Whether one more fits. One in each slot does, so that it is noticed when the provider is back."""
        slots = self._recent()
        if not slots or slots[-1].number != self._number() or not slots[-1].again:
            return True
        allowed = self._budget.least + self._budget.share * sum(slot.first for slot in slots)
        return sum(slot.again for slot in slots) + 1 <= allowed

    @property
    def wait(self) -> float:
        """Seconds after which it is worth to look again."""
        return self._budget.within / SLOTS

    def begun(self, is_retry: bool) -> None:
        """A call begins."""
        slot = self._slot()
        slot.again += is_retry
        slot.first += not is_retry

    def ended(self, is_retry: bool, *, has_failed: bool) -> None:
        """A call is over; a retry that has succeeded does not count, and makes up for one that had failed."""
        for _ in range(2 if is_retry and not has_failed else 0):
            slot = next((slot for slot in self._recent() if slot.again), None)
            if slot is not None:
                slot.again -= 1

    def not_made(self, is_retry: bool) -> None:
        """A call that was to begin did not."""
        slot = self._slot()
        slot.again -= is_retry and slot.again > 0
        slot.first -= not is_retry and slot.first > 0

    def _slot(self) -> Slot:
        number = self._number()
        if not self._slots or self._slots[-1].number != number:
            self._slots = [*self._recent(), Slot(number)]
        return self._slots[-1]

    def _recent(self) -> list[Slot]:
        oldest = self._number() - SLOTS
        return [slot for slot in self._slots if slot.number > oldest]

    def _number(self) -> int:
        return int(self._clock() * SLOTS / self._budget.within)


@define
class Providers:
    """All providers of a runtime; one that nothing was said about has the limits that all have by default.

    `clock` gives seconds that only go forward; by default those of the event loop.
    """

    limits: dict[str, ProviderLimits] = field(factory=dict)
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    moved: Moved = unheard
    _found: dict[str, Provider] = field(factory=dict, init=False)
    _line: Line = field(factory=Line, init=False)

    def of(self, name: str) -> Provider:
        """The provider of that name."""
        found = self._found.get(name)
        if found is None:
            limits = self.limits.get(name) or ProviderLimits()
            found = self._found[name] = Provider(limits, self.clock, self._line, name, self.moved)
        return found
