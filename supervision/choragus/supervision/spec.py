"""A supervision tree as a value: children, supervisors, and what they do about failures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Never, TypeAlias, cast

import attrs

from choragus.actors.actor import Actor
from choragus.actors.durable import DurableActor

from .backoff import Backoff
from .errors import SpecFault

MAILBOX = 10_000
"""How many messages wait in a volatile mailbox unless the child's spec says otherwise."""


class Restart(Enum):
    """When a child is started again, in OTP's words."""

    PERMANENT = "permanent"
    """After any end."""
    TRANSIENT = "transient"
    """After a failure only."""
    TEMPORARY = "temporary"
    """Never; the name is free at once."""


@attrs.frozen
class OneForOne:
    """Restart the child that failed; its siblings keep identity and state.

    More than `max_restarts` restarts within `within` seconds (a sliding window of monotonic time) and the supervisor
    gives up: it stops its children and fails itself. As OTP's supervisor: 1 restart in 5 s by default. With a
    `backoff` each restart waits.
    """

    max_restarts: int = 1
    within: float = 5.0
    backoff: Backoff | None = None

    def __attrs_post_init__(self) -> None:
        if self.max_restarts < 0 or not 0 < self.within < math.inf:
            raise SpecFault(f"{self}: max_restarts is 0 or more, within is seconds above 0")


Strategy: TypeAlias = OneForOne


@attrs.frozen
class Child:
    """One actor of a tree.

    Args:
        actor: the class, or a function that builds the actor; called anew for every incarnation.
        name: unique among its siblings, without a slash.
        args: positional arguments for `actor`.
        kwargs: keyword arguments for `actor`.
        restart: permanent by default, as OTP.
        shutdown: seconds that it may take to stop (5 by default, as OTP's workers); then it is cancelled, and past a
            grace of 1 s cut off.
        mailbox: how many messages may wait.
    """

    actor: Callable[..., Actor[Never]] = attrs.field()
    name: str = attrs.field(kw_only=True)
    args: tuple[object, ...] = attrs.field(kw_only=True, default=())
    kwargs: Mapping[str, object] = attrs.field(kw_only=True, factory=dict)
    restart: Restart = attrs.field(kw_only=True, default=Restart.PERMANENT)
    shutdown: float = attrs.field(kw_only=True, default=5.0)
    mailbox: int = attrs.field(kw_only=True, default=MAILBOX)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        if not isinstance(self.restart, Restart):
            raise SpecFault(f"child {self.name!r}: restart={self.restart!r} is none of {[one.name for one in Restart]}")
        if not self.shutdown >= 0:
            raise SpecFault(f"child {self.name!r}: shutdown={self.shutdown!r} must be seconds, 0 or more")
        if self.mailbox < 1:
            raise SpecFault(f"child {self.name!r}: mailbox={self.mailbox!r} must be 1 or more")
        if isinstance(self.actor, type) and issubclass(self.actor, DurableActor):
            raise SpecFault(f"child {self.name!r}: {self.actor.__name__} is durable: pass it in System(actors=[...])")


def _as_tuple(children: Iterable[Child | Supervisor]) -> tuple[Child | Supervisor, ...]:
    return tuple(children)


@attrs.frozen(kw_only=True)
class Supervisor:
    """A supervisor and its children, started in order and stopped in reverse."""

    name: str
    strategy: Strategy = attrs.field(factory=OneForOne)
    children: tuple[Child | Supervisor, ...] = attrs.field(default=(), converter=_as_tuple)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        names = [child.name for child in self.children]
        for name in names:
            if names.count(name) > 1:
                raise SpecFault(f"supervisor {self.name!r} has two children named {name!r}: rename one")


@attrs.frozen
class Region:
    """How the durable actors of one type are supervised: each key by itself.

    A message that fails is tried again, `attempts` times in all with `backoff` between, then parked, and the actor
    goes on. An actor that cannot be loaded is tried as often, then suspended until the next opening. Neither touches
    another key, and neither ends the system.
    """

    actor: type[Actor[Never]]
    attempts: int = attrs.field(kw_only=True, default=5)
    backoff: Backoff = attrs.field(kw_only=True, factory=lambda: Backoff(first=0.1, most=30.0))

    def __attrs_post_init__(self) -> None:
        if not (isinstance(self.actor, type) and issubclass(self.actor, DurableActor) and self.actor.type_name):
            raise SpecFault(f"{self.actor!r} is no durable actor: derive it from DurableActor[...] with a name")
        if self.attempts < 1:
            raise SpecFault(f"region of {self.actor.__name__}: attempts={self.attempts!r} must be 1 or more")

    @property
    def durable(self) -> type[DurableActor[object, object]]:
        """The actor's class, as the kernel holds durable actors of every type."""
        return cast("type[DurableActor[object, object]]", self.actor)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name or "/" in name:
        raise SpecFault(f"{name!r} is no name for a child or supervisor: use text without a slash")
