"""Specifications, and the pure parts: what is refused, the defaults, strategies and delays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.mailbox.codec import stored
from choragus.supervision.backoff import Backoff
from choragus.supervision.directive import Directive
from choragus.supervision.errors import SpecFault
from choragus.supervision.shutdown import AutoShutdown
from choragus.supervision.spec import Child, DynamicSupervisor, Region, Supervisor
from choragus.supervision.strategy import (
    Decision,
    End,
    Escalate,
    Forget,
    Member,
    OneForAll,
    OneForOne,
    Restart,
    RestartChildren,
    decide,
)
from choragus.supervision.system import System


@stored("test.spec.ping")
@frozen
class Ping:
    pass


@stored("test.spec.state")
@define
class State:
    pass


class Plain(Actor[Ping]):
    @handle
    def ping(self, message: Ping) -> None: ...


class Durable(DurableActor[State, Ping], name="test.spec.durable"):
    @handle
    def ping(self, message: Ping) -> None: ...


class Namesake(DurableActor[State, Ping], name="test.spec.durable"):
    @handle
    def ping(self, message: Ping) -> None: ...


def verdict(strategy: OneForOne, restart: Restart, restarts: list[float], now: float, chance: float) -> Decision:
    """What is decided about the crash of an only child."""
    members = [Member("a", restart)]
    return decide(strategy, members, "a", End.CRASH, Directive.RESTART, restarts=restarts, now=now, chance=chance)


def again(after: float) -> RestartChildren:
    return RestartChildren(after, stop=(), start=("a",))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Child(Plain, name=""), r"^'' is no name"),
        (lambda: Child(Plain, name="a/b"), r"^'a/b' is no name .*use text without a slash$"),
        (lambda: Child(Plain, name="a", restart="always"), r"^child 'a': restart='always' is none of"),  # type: ignore[arg-type]
        (lambda: Child(Plain, name="a", shutdown=-1), r"^child 'a': shutdown=-1 must be seconds, 0 or more$"),
        (lambda: Child(Plain, name="a", shutdown=float("nan")), r"^child 'a': shutdown=nan"),
        (
            lambda: Child(Plain, name="a", mailbox=0),
            r"^mailbox=0: a mailbox with limit=0: it must be a whole number, 1 or more, or math.inf$",
        ),
        (lambda: Child(Durable, name="a"), r"^child 'a': Durable is durable: pass it in System\(actors="),
        (
            lambda: Supervisor(name="s", children=[Child(Plain, name="a"), Child(Plain, name="a")]),
            r"^supervisor 's' has two children named 'a': rename one$",
        ),
        (
            lambda: Child(Plain, name="a", significant=True),
            r"^child 'a' is significant and permanent: make it transient",
        ),
        (
            lambda: Supervisor(
                name="s", children=[Child(Plain, name="a", restart=Restart.TRANSIENT, significant=True)]
            ),
            r"^child 'a' is significant, but 's' has auto_shutdown=NEVER: set it$",
        ),
        (lambda: Supervisor(name="s", significant=True), r"^supervisor 's' is significant and permanent"),
        (lambda: Supervisor(name="s", restart="no"), r"^supervisor 's': restart='no' is none of"),  # type: ignore[arg-type]
        (lambda: Supervisor(name="s", strategy="all"), r"^supervisor 's': strategy='all' is none"),  # type: ignore[arg-type]
        (lambda: Supervisor(name="s", auto_shutdown=True), r"^supervisor 's': auto_shutdown=True is none of"),  # type: ignore[arg-type]
        (
            lambda: DynamicSupervisor(name="d", strategy=OneForAll()),  # type: ignore[arg-type]
            r"^supervisor 'd': dynamic children are one for one",
        ),
        (
            lambda: OneForOne(decider={BaseException: Directive.STOP}),
            r"^decider: BaseException would eat cancellations",
        ),
        (lambda: OneForOne(decider={int: Directive.STOP}), r"^decider: <class 'int'> is no exception type$"),  # type: ignore[dict-item]
        (lambda: OneForOne(decider={ValueError: "stop"}), r"^decider: 'stop' for ValueError is no Directive$"),  # type: ignore[dict-item]
        (lambda: System(tree=[Child(Plain, name="a"), Child(Plain, name="a")]), r"has two children named 'a'"),
        (lambda: OneForOne(max_restarts=-1), r"max_restarts is 0 or more"),
        (lambda: OneForOne(within=0), r"within is seconds above 0$"),
        (lambda: Backoff(first=0, most=1), r"0 < first <= most"),
        (lambda: Backoff(first=2, most=1), r"0 < first <= most"),
        (lambda: Backoff(first=1, most=2, jitter=2), r"jitter lies between 0 and 1$"),
        (lambda: Region(Plain), r"is no durable actor: derive it from DurableActor"),
        (lambda: Region(Durable, attempts=0), r"^region of Durable: attempts=0 must be 1 or more$"),
        (lambda: System(actors=[Plain]), r"is no durable actor"),
        (lambda: System(actors=[Durable, Namesake]), r"^Namesake and Durable are both stored as 'test.spec.durable'"),
    ],
)
def test_r04_a_bad_specification_is_refused_before_anything_starts(make: Callable[[], object], says: str) -> None:
    with pytest.raises(SpecFault, match=says):
        make()


def test_r04_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'restarts'"):
        Child(Plain, name="a", restarts=3)  # type: ignore[call-arg]


def test_r05_defaults_are_otps() -> None:
    child = Child(Plain, name="a")
    supervisor = Supervisor(name="s")

    assert (OneForOne().max_restarts, OneForOne().within, OneForOne().backoff) == (1, 5.0, None)
    assert (child.restart, child.shutdown, child.significant) == (Restart.PERMANENT, 5.0, False)
    assert (supervisor.strategy, supervisor.restart) == (OneForOne(), Restart.PERMANENT)
    assert (supervisor.auto_shutdown, supervisor.keeps_added) == (AutoShutdown.NEVER, False)
    assert (OneForAll().max_restarts, OneForAll().within) == (1, 5.0)


def test_r18_more_restarts_than_allowed_within_the_window_escalate() -> None:
    strategy = OneForOne(max_restarts=2, within=10.0)

    assert verdict(strategy, Restart.PERMANENT, [], 100.0, 0.0) == again(0.0)
    assert verdict(strategy, Restart.PERMANENT, [95.0], 100.0, 0.0) == again(0.0)
    assert verdict(strategy, Restart.PERMANENT, [95.0, 96.0], 100.0, 0.0) == Escalate(
        "more than 2 restarts within 10 s"
    )
    assert verdict(strategy, Restart.TEMPORARY, [95.0, 96.0], 100.0, 0.0) == Forget()


def test_r19_crashes_spaced_wider_than_the_window_never_escalate() -> None:
    strategy = OneForOne(max_restarts=1, within=10.0)
    restarts = [11.0 * number for number in range(1, 50)]

    assert verdict(strategy, Restart.PERMANENT, restarts, 11.0 * 50, 0.0) == again(0.0)


def test_r19_without_restarts_the_first_crash_escalates() -> None:
    assert isinstance(verdict(OneForOne(max_restarts=0), Restart.PERMANENT, [], 0.0, 0.0), Escalate)


def test_r23_a_window_of_thirty_days_works_like_one_of_five_seconds() -> None:
    month = 30 * 86_400.0
    strategy = OneForOne(max_restarts=1, within=month)

    assert isinstance(verdict(strategy, Restart.PERMANENT, [0.0], month - 1, 0.0), Escalate)
    assert verdict(strategy, Restart.PERMANENT, [0.0], month + 1, 0.0) == again(0.0)


def test_r24_backoff_doubles_up_to_its_most_with_jitter() -> None:
    assert [Backoff(first=1, most=8).delay(n) for n in (0, 1, 2, 3, 4, 5000)] == [1, 2, 4, 8, 8, 8]
    assert Backoff(first=1, most=8, jitter=0.5).delay(1, 1.0) == 3.0


def test_r24_the_delay_goes_by_the_childs_own_failures_and_not_by_the_supervisors_restarts() -> None:
    strategy = OneForOne(max_restarts=100, within=1000.0, backoff=Backoff(first=1, most=8))

    decision = decide(
        strategy,
        [Member("a"), Member("b")],
        "a",
        End.CRASH,
        Directive.RESTART,
        restarts=[100.0, 101.0, 103.0],
        failures=1,
        now=107.0,
        chance=0.0,
    )

    assert decision == again(2.0)


def test_a_child_that_is_no_actor_is_refused() -> None:
    with pytest.raises(SpecFault, match=r"^child 'number': <class 'int'> is no actor class, nor a function"):
        Child(int, name="number")  # type: ignore[arg-type]  # that is the point
