"""A supervision tree as a value: children, supervisors, and what they do about failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Never, TypeAlias, cast

import attrs

from choragus.actors.actor import Actor, M
from choragus.actors.durable import DurableActor
from choragus.actors.mailbox import DEFAULT, Mailbox, as_mailbox

from .backoff import Backoff
from .errors import SpecFault
from .shutdown import AutoShutdown
from .strategy import OneForAll, OneForOne, Restart, RestForOne, Strategy


def _as_mailbox(given: int | Mailbox) -> Mailbox:
    if given is DEFAULT:
        return DEFAULT
    try:
        return as_mailbox(given)
    except (TypeError, ValueError) as error:
        raise SpecFault(f"mailbox={given!r}: {error}") from error


@attrs.frozen
class Child(Generic[M]):
    """One actor of a tree.

    Args:
        actor: the class, or a function that builds the actor; called anew for every incarnation.
        name: unique among its siblings, without a slash.
        args: positional arguments for `actor`. Those of a temporary child are let go once it runs.
        kwargs: keyword arguments for `actor`, likewise.
        restart: permanent by default, as OTP.
        shutdown: seconds that it may take to stop (5 by default, as OTP's workers; `math.inf` waits for it as long as
            it takes); then it is cancelled, and past a grace of 1 s cut off. 0 cancels at once: OTP's `brutal_kill`.
        startup: seconds that its `on_start` may take, 60 by default (`math.inf` for as long as it takes, as OTP); then
            it is cancelled, and the start has failed with StartTimeout.
        mailbox: how many messages may wait, or a Mailbox that says more. 10,000 by default.
        significant: whether its end by itself may end the supervisor: see AutoShutdown. Not for permanent children.
    """

    actor: Callable[..., Actor[M]] = attrs.field()
    name: str = attrs.field(kw_only=True)
    args: tuple[object, ...] = attrs.field(kw_only=True, default=())
    kwargs: Mapping[str, object] = attrs.field(kw_only=True, factory=dict)
    restart: Restart = attrs.field(kw_only=True, default=Restart.PERMANENT)
    shutdown: float = attrs.field(kw_only=True, default=5.0)
    startup: float = attrs.field(kw_only=True, default=60.0)
    mailbox: Mailbox = attrs.field(kw_only=True, default=DEFAULT, converter=_as_mailbox)
    significant: bool = attrs.field(kw_only=True, default=False)

    def __attrs_post_init__(self) -> None:
        _check_common("child", self.name, self.restart, self.significant)
        if not (_is_number(self.shutdown) and self.shutdown >= 0):
            raise SpecFault(f"child {self.name!r}: shutdown={self.shutdown!r} must be seconds, 0 or more")
        if not (_is_number(self.startup) and self.startup > 0):
            raise SpecFault(f"child {self.name!r}: startup={self.startup!r} must be seconds above 0")
        if not isinstance(self.args, (tuple, list)):  # a union would be made anew each time
            raise SpecFault(f"child {self.name!r}: args={self.args!r} must be a tuple, as in args=(1, 2)")
        if type(self.kwargs) is not dict and not isinstance(self.kwargs, Mapping):  # the second asks an ABC
            raise SpecFault(f"child {self.name!r}: kwargs={self.kwargs!r} must be a dict of arguments by name")
        is_class = isinstance(self.actor, type)
        if not callable(self.actor) or (is_class and not issubclass(self.actor, Actor)):  # type: ignore[arg-type]  # one
            raise SpecFault(
                f"child {self.name!r}: {self.actor!r} is no actor class, nor a function that builds an actor"
            )
        if is_class and issubclass(self.actor, DurableActor):  # type: ignore[arg-type]  # as above
            raise SpecFault(f"child {self.name!r}: {self.actor.__name__} is durable: pass it in System(actors=[...])")

    def build(self) -> Actor[M]:
        """A new actor of this spec."""
        return self.actor(*self.args, **self.kwargs) if self.args or self.kwargs else self.actor()


Spec: TypeAlias = "Child[Never] | Supervisor | DynamicSupervisor"


def as_specs(children: Iterable[Spec]) -> tuple[Spec, ...]:
    """The children, each of them a spec.

    Raises:
        SpecFault: when they are none, naming what there is instead.
    """
    if isinstance(children, SPECS) or not isinstance(children, Iterable):
        raise SpecFault(f"children={children!r}: give a list of Child(...) and supervisors")
    given = tuple(children)
    for one in given:
        check_spec(one)
    return given


def check_spec(given: object) -> None:
    """Refuse what is no spec.

    Raises:
        SpecFault: naming it, and what was probably meant.
    """
    if not isinstance(given, SPECS):
        meant = f"Child({given.__name__}, name=...)" if isinstance(given, type) else "Child(...) or Supervisor(...)"
        raise SpecFault(f"{given!r} is no child of a supervisor: use {meant}")


@attrs.frozen(kw_only=True)
class Supervisor:
    """A supervisor and its children, started in order and stopped in reverse, one by one. A supervisor stops without
    a limit of its own: its children have theirs.

    Args:
        name: unique among its siblings, without a slash.
        strategy: one-for-one, at most 1 restart in 5 s, by default.
        children: their names are unique. More can be started at run time, see `System.supervisor()`.
        restart: what its own supervisor does when this one ends: permanent by default.
        significant: as of a Child.
        auto_shutdown: whether the end of significant children ends the supervisor: never by default.
        keeps_added: whether children that were added at run time come back when this supervisor is restarted. By
            default only `children` do, as in OTP.
    """

    name: str
    strategy: Strategy = attrs.field(factory=OneForOne)
    children: tuple[Spec, ...] = attrs.field(default=(), converter=as_specs)
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    keeps_added: bool = False

    def __attrs_post_init__(self) -> None:
        _check_common("supervisor", self.name, self.restart, self.significant)
        _check_strategy(self.name, self.strategy, self.auto_shutdown)
        names: set[str] = set()
        for child in self.children:
            if child.name in names:
                raise SpecFault(f"supervisor {self.name!r} has two children named {child.name!r}: rename one")
            names.add(child.name)
            check_significance(self.name, self.auto_shutdown, child)


@attrs.frozen(kw_only=True)
class DynamicSupervisor:
    """A supervisor that starts empty: its children are started at run time, and none depends on another.

    As Elixir's DynamicSupervisor and OTP's `simple_one_for_one`: a child that is stopped, or ends and is not to be
    restarted, leaves nothing behind; the children stop in parallel, so that stopping takes as long as the slowest and
    not as long as all of them together. Use Supervisor for parts that depend on each other, and Region for durable
    actors.

    Args: as of Supervisor, without `children`.
    """

    name: str
    strategy: OneForOne = attrs.field(factory=OneForOne)
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    keeps_added: bool = False

    def __attrs_post_init__(self) -> None:
        _check_common("supervisor", self.name, self.restart, self.significant)
        _check_strategy(self.name, self.strategy, self.auto_shutdown)
        if not isinstance(self.strategy, OneForOne):
            raise SpecFault(f"supervisor {self.name!r}: dynamic children are one for one; use Supervisor for more")

    @property
    def children(self) -> tuple[Spec, ...]:
        """None: it starts empty."""
        return ()


Group: TypeAlias = "Supervisor | DynamicSupervisor"

SPECS = (Child, Supervisor, DynamicSupervisor)


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


def check_significance(supervisor: str, auto_shutdown: AutoShutdown, child: Spec) -> None:
    """Refuse a significant child where nothing would come of it.

    Raises:
        SpecFault: when the supervisor never shuts down by itself.
    """
    if child.significant and auto_shutdown is AutoShutdown.NEVER:
        raise SpecFault(f"child {child.name!r} is significant, but {supervisor!r} has auto_shutdown=NEVER: set it")


def _check_common(kind: str, name: object, restart: object, significant: bool) -> None:
    if not isinstance(name, str) or not name or "/" in name:
        raise SpecFault(f"{name!r} is no name for a child or supervisor: use text without a slash")
    if not isinstance(restart, Restart):
        raise SpecFault(f"{kind} {name!r}: restart={restart!r} is none of {[one.name for one in Restart]}")
    if significant and restart is Restart.PERMANENT:
        raise SpecFault(f"{kind} {name!r} is significant and permanent: make it transient or temporary")


def _is_number(given: object) -> bool:
    return type(given) is float or (isinstance(given, int | float) and not isinstance(given, bool))


def _check_strategy(name: str, strategy: object, auto_shutdown: object) -> None:
    if not isinstance(strategy, OneForOne | OneForAll | RestForOne):
        raise SpecFault(f"supervisor {name!r}: strategy={strategy!r} is none: use OneForOne() or another")
    if not isinstance(auto_shutdown, AutoShutdown):
        raise SpecFault(
            f"supervisor {name!r}: auto_shutdown={auto_shutdown!r} is none of {[one.name for one in AutoShutdown]}"
        )
