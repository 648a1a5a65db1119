"""From a specification and a failure to a decision: pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .spec import OneForOne, Restart


@attrs.frozen
class RestartChild:
    """Start the child again after so many seconds."""

    after: float


@attrs.frozen
class Forget:
    """The child is not started again."""


@attrs.frozen
class Escalate:
    """The supervisor gives up."""

    reason: str


Decision = RestartChild | Forget | Escalate


def decide(strategy: OneForOne, restart: Restart, restarts: Sequence[float], now: float, chance: float) -> Decision:
    """What to do about a child that failed.

    Args:
        restart: the child's restart type.
        restarts: when children were restarted before, monotonic seconds, oldest first.
        now: monotonic seconds.
        chance: between 0 and 1, for the backoff's jitter.
    """
    if restart is Restart.TEMPORARY:
        return Forget()
    recent = within(strategy, restarts, now)
    if len(recent) >= strategy.max_restarts:
        return Escalate(f"more than {strategy.max_restarts} restarts within {strategy.within:g} s")
    if strategy.backoff is None:
        return RestartChild(0.0)
    reset = strategy.backoff.most if strategy.backoff.reset is None else strategy.backoff.reset
    return RestartChild(strategy.backoff.delay(_streak(restarts, now, reset), chance))


def within(strategy: OneForOne, restarts: Sequence[float], now: float) -> list[float]:
    """The restarts that count towards the intensity now."""
    return [at for at in restarts if now - at <= strategy.within]


def _streak(restarts: Sequence[float], now: float, reset: float) -> int:
    """How many restarts in a row lie less than `reset` seconds apart, counted back from now."""
    streak = 0
    later = now
    for at in reversed(restarts):
        if later - at >= reset:
            break
        streak += 1
        later = at
    return streak
