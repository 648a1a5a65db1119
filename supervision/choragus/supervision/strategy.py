"""Strategies, and how they lead from the state of the children and an end to a decision: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

import attrs

from .backoff import Backoff
from .directive import RESTART, Decider, Directive, check_decider
from .errors import SpecFault


class Restart(Enum):
    """When a child is started again, in OTP's words."""

    PERMANENT = "permanent"
    """After any end."""
    TRANSIENT = "transient"
    """After a failure only; after a normal end its spec is kept, without a process."""
    TEMPORARY = "temporary"
    """Never; its spec is dropped, and the name is free at once."""


@attrs.frozen
class _Strategy:
    max_restarts: int = 1
    within: float = 5.0
    backoff: Backoff | None = None
    decider: Decider = attrs.field(factory=dict, hash=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.max_restarts, int) or isinstance(self.max_restarts, bool) or self.max_restarts < 0:
            raise SpecFault(f"{self}: max_restarts is 0 or more, a whole number")
        if not isinstance(self.within, int | float) or not 0 < self.within < math.inf:
            raise SpecFault(f"{self}: within is seconds above 0")
        if not isinstance(self.backoff, Backoff | None):
            raise SpecFault(f"{self}: backoff is a Backoff(first=..., most=...), or None")
        check_decider(self.decider)


@attrs.frozen
class OneForOne(_Strategy):
    """Restart the child that failed; its siblings keep identity and state.

    More than `max_restarts` restarts within `within` seconds (a sliding window of monotonic time) and the supervisor
    gives up: it stops its children and fails itself. As OTP's supervisor: 1 restart in 5 s by default. A restart of
    several children counts once, one that fails counts again.

    Args:
        backoff: seconds to wait before each restart of a child, growing with that child's failures; none by default.
        decider: what to do by exception type, the most specific class first. An error that it does not know is looked
            up in the supervisor above, and so on; RESTART when none knows it.
    """


@attrs.frozen
class OneForAll(_Strategy):
    """When a child is to be restarted, stop the others in reverse order, then start all in the order of their specs.

    For children that are of no use without each other. All means all, as in OTP: also those that had ended normally or
    had been stopped on request; temporary siblings are stopped and not started again. The siblings' mail waits and is
    handled by their next incarnation. When one of them cannot start, those that came up before it are stopped again
    and the whole set is tried anew. The arguments are those of OneForOne.
    """


@attrs.frozen
class RestForOne(_Strategy):
    """When a child is to be restarted, so are those that were started after it: stopped in reverse, started in order.

    For a chain in which each depends on those before it, which are left alone. When one of them cannot start, only it
    and those after it are tried anew. All else as OneForAll.
    """


Strategy: TypeAlias = OneForOne | OneForAll | RestForOne


class End(Enum):
    """How a child came to its end."""

    NORMAL = "normal"
    CRASH = "crash"
    INIT = "init"
    """It failed in its init, when it was restarted."""


@attrs.frozen
class Member:
    """A child, as far as decisions need it. `is_alive`: it has a process, or is about to be given one."""

    name: str
    restart: Restart = Restart.PERMANENT
    is_alive: bool = True
    significant: bool = False


@attrs.frozen
class Resume:
    """The child goes on as it is."""


@attrs.frozen
class RestartChildren:
    """Stop these in this order, wait `after` seconds, start those in that order.

    Who is stopped and not started is temporary, and forgotten.
    """

    after: float
    stop: tuple[str, ...]
    start: tuple[str, ...]


@attrs.frozen
class Forget:
    """The child is not started again, and its spec is dropped."""


@attrs.frozen
class Keep:
    """The child is not started again; its spec is kept, without a process."""


@attrs.frozen
class Escalate:
    """The supervisor gives up; `by_decider`: not for too many restarts, but because of the error itself."""

    reason: str
    by_decider: bool = False


FORGET, KEEP, RESUME = Forget(), Keep(), Resume()

# By name: see `choragus.actors.status`.
PERMANENT, TEMPORARY = Restart.PERMANENT, Restart.TEMPORARY
NORMAL, CRASH = End.NORMAL, End.CRASH

Decision: TypeAlias = Resume | RestartChildren | Forget | Keep | Escalate


def decide(
    strategy: Strategy,
    members: Sequence[Member],
    name: str,
    end: End,
    directive: Directive,
    *,
    restarts: Sequence[float],
    failures: int = 0,
    now: float,
    chance: float,
) -> Decision:
    """What to do about a child that ended.

    Args:
        members: all children, in start order.
        name: the one that ended.
        directive: what the deciders say about its error.
        restarts: when children were restarted before, monotonic seconds, oldest first.
        failures: how many failures of this child in a row came before, for the backoff.
        now: monotonic seconds.
        chance: between 0 and 1, for the backoff's jitter.
    """
    restart = next(member.restart for member in members if member.name == name)
    judgement = judge(strategy, restart, end, directive, restarts=restarts, now=now)
    if judgement is not None:
        return judgement
    stop, start = affected(strategy, members, name)
    return RestartChildren(_delay(strategy, failures, chance), stop, start)


def judge(
    strategy: Strategy, restart: Restart, end: End, directive: Directive, *, restarts: Sequence[float], now: float
) -> Resume | Forget | Keep | Escalate | None:
    """The part of `decide` that is about the child that ended alone; None: it is to be started again."""
    gone = FORGET if restart is TEMPORARY else KEEP
    if end is NORMAL:
        if restart is not PERMANENT:
            return gone
    elif directive is not RESTART:
        return _ordered(directive, end, gone)
    elif restart is TEMPORARY:
        return gone
    if exhausted(strategy, restarts, now):
        return Escalate(f"more than {strategy.max_restarts} restarts within {strategy.within:g} s")
    return None


def _ordered(directive: Directive, end: End, gone: Forget | Keep) -> Resume | Forget | Keep | Escalate:
    """What a decider wants, other than a restart."""
    if directive is Directive.ESCALATE:
        return Escalate("its decider escalates", by_decider=True)
    return RESUME if directive is Directive.RESUME and end is CRASH else gone


def affected(strategy: Strategy, members: Sequence[Member], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom a restart of that child stops, in this order, and whom it starts, in that order."""
    match strategy:
        case OneForOne():
            return (), (name,)
        case OneForAll():
            group = list(members)
        case RestForOne():
            first = [member.name for member in members].index(name)
            group = list(members[first:])
    stop = tuple(member.name for member in reversed(group) if member.is_alive and member.name != name)
    start = tuple(member.name for member in group if member.restart is not TEMPORARY)
    return stop, start


def exhausted(strategy: Strategy, restarts: Sequence[float], now: float) -> bool:
    """Whether the intensity allows no further restart now: `max_restarts` of them lie within the window."""
    most = strategy.max_restarts
    return len(restarts) >= most and (most == 0 or now - restarts[-most] <= strategy.within)


def _delay(strategy: Strategy, failures: int, chance: float) -> float:
    return 0.0 if strategy.backoff is None else strategy.backoff.delay(failures, chance)
