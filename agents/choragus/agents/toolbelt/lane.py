"""How many calls of one tool or provider run at once, how fast they begin, and whether it is worth calling at all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from .breaking import Moved, unheard
from .options import Breaker, Rate


class Bounds(Protocol):
    """What a lane holds its calls to; None: it does not."""

    @property
    def concurrency(self) -> int | None: ...

    @property
    def rate(self) -> Rate | None: ...

    @property
    def breaker(self) -> Breaker | None: ...


class Refused(Exception):
    """Raised when the breaker is open; `again` is in how many seconds it may be tried."""

    def __init__(self, again: float) -> None:
        super().__init__(again)
        self.again = again


class Lane:
    """What all calls of one tool or provider pass, whichever run they are of.

    Waiting is in order; a wait may be cancelled.

    Args:
        clock: seconds that only go forward.
        where: what is called, for whoever is told when its breaker moves.
    """

    def __init__(self, options: Bounds, clock: Callable[[], float], where: str = "", moved: Moved = unheard) -> None:
        self._most = options.concurrency
        self._inside = self._entering = 0
        self._room = None if options.concurrency is None else asyncio.Semaphore(options.concurrency)
        self._bucket = None if options.rate is None else Bucket(options.rate, clock)
        self._circuit = None if options.breaker is None else Circuit(options.breaker, clock, partial(moved, where))

    @property
    def has_room(self) -> bool:
        """Whether one more call would begin at once."""
        is_open = self._most is None or self._inside < self._most
        return is_open and (self._bucket is None or self._bucket.filled() - self._entering >= 1.0)

    def arrive(self) -> None:
        """A call goes to `enter`; `arrived` follows."""
        self._inside += 1
        self._entering += 1

    def arrived(self, is_in: bool) -> None:
        """It is in, or it went away."""
        self._entering -= 1
        self._inside -= not is_in

    async def enter(self) -> bool:
        """Wait until a call may begin; then `leave` follows, with what this gives: whether the call is a probe.

        Raises:
            Refused: the breaker is open; nothing is to be left.
        """
        if self._circuit is not None:
            self._circuit.look()
        if self._room is not None:
            await self._room.acquire()
        try:
            if self._bucket is not None:
                await self._bucket.take()
            return self._circuit is not None and self._circuit.admit()
        except BaseException:
            if self._room is not None:
                self._room.release()
            raise

    def leave(self, is_probe: bool, has_failed: bool | None) -> None:
        """The call is over; None: it says nothing about the tool or provider."""
        self._inside -= 1
        if self._room is not None:
            self._room.release()
        if self._circuit is not None:
            self._circuit.ended(is_probe, has_failed)


class Bucket:
    """A bucket of tokens, full at first."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.times)
        self._at = clock()
        self._line = asyncio.Lock()
        self._returned = asyncio.Event()

    async def take(self, amount: float = 1.0) -> None:
        """Take so many tokens, once they are there; of more than it holds, once it is full."""
        async with self._line:
            wanted = min(amount, float(self._rate.times))
            while (lacking := wanted - self.filled()) > 1e-9:
                self._returned.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(lacking * self._rate.per / self._rate.times):
                        await self._returned.wait()
            self._tokens -= amount

    def has(self, amount: float) -> bool:
        """Whether `take` would not wait."""
        return not self._line.locked() and self.filled() >= min(amount, float(self._rate.times)) - 1e-9

    def put_back(self, amount: float) -> None:
        """Some were not needed; a negative amount was needed besides."""
        self._tokens = min(float(self._rate.times), self.filled() + amount)
        self._returned.set()

    def filled(self) -> float:
        """The tokens that are in it now."""
        now = self._clock()
        more = (now - self._at) * self._rate.times / self._rate.per
        self._tokens, self._at = min(float(self._rate.times), self._tokens + more), now
        return self._tokens


class Circuit:
    """Whether a tool or provider is called: closed, open for a while, then half open for one call."""

    def __init__(
        self, breaker: Breaker, clock: Callable[[], float], moved: Callable[[float], None] = lambda _: None
    ) -> None:
        self._moved = moved
        self._breaker = breaker
        self._clock = clock
        self._failures: deque[float] = deque()
        self._open_until: float | None = None
        self._probes = False

    def look(self) -> None:
        """Raise Refused while it is open, or while the one call of a half-open one is under way."""
        if self._open_until is None:
            return
        again = self._open_until - self._clock()
        if again > 0 or self._probes:
            raise Refused(max(again, 0.0))

    def admit(self) -> bool:
        """As `look`; and the call that passes a half-open one is its probe."""
        self.look()
        self._probes = self._open_until is not None
        return self._probes

    def ended(self, is_probe: bool, has_failed: bool | None) -> None:
        """A call that was admitted is over."""
        if is_probe:
            self._probes = False
        now = self._clock()
        if has_failed:
            self._failures.append(now)
            while self._failures[0] <= now - self._breaker.within:
                self._failures.popleft()
            if is_probe or (self._open_until is None and len(self._failures) >= self._breaker.failures):
                self._open_until = now + self._breaker.open_for
                self._moved(self._breaker.open_for)
        elif has_failed is False and is_probe:
            self._failures.clear()
            self._open_until = None
            self._moved(0.0)
