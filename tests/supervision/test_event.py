"""What supervisors tell the event stream about themselves."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Event, Failed, Restarted
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.directive import Directive
from choragus.supervision.errors import SystemFailed
from choragus.supervision.event import GaveUp, SupervisorEnded, SupervisorRestarted
from choragus.supervision.shutdown import AutoShutdown
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.supervisor import Node
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch

OFTEN = OneForOne(max_restarts=100, within=60.0)
ONCE = OneForOne(max_restarts=1, within=60.0)


@frozen
class Crash:
    text: str


@frozen
class Leave:
    pass


class Part(Actor[Crash | Leave]):
    bad_starts = 0

    async def on_start(self) -> None:
        if Part.bad_starts > 0:
            Part.bad_starts -= 1
            raise OSError("no start")

    @handle
    def crash(self, message: Crash) -> None:
        raise ValueError(message.text)

    @handle
    def leave(self, message: Leave) -> None:
        self.stop()


def tree(strategy: OneForOne, *, inner: OneForOne = ONCE) -> Supervisor:
    children = [Child(Part, name="a"), Child(Part, name="b")]
    return Supervisor(
        name="out", strategy=strategy, children=[Supervisor(name="in", strategy=inner, children=children)]
    )


async def crash(system: System, times: int) -> list[Event]:
    """The events of so many crashes of the one actor."""
    events = watch(system)
    part = system.find(Part, "out/in/a")
    for number in range(times):
        part.tell(Crash(str(number)))
        await settled()
    return events


@simulated(seeds=range(5))
async def test_a_supervisor_that_gives_up_says_why_and_the_one_above_that_it_runs_again() -> None:
    async with System(tree=tree(OFTEN), clock=clock) as system:
        events = await crash(system, 2)

        assert [type(event) for event in events] == [Failed, Restarted, Failed, GaveUp, SupervisorRestarted]
        gave_up = events[3]
        assert isinstance(gave_up, GaveUp)
        assert (gave_up.actor, gave_up.reason) == ("out/in", "more than 1 restarts within 60 s")
        assert [str(failure.error) for failure in gave_up.failures] == ["0", "1"]
        assert events[4] == SupervisorRestarted("out/in", 2)


@simulated(seeds=range(3))
async def test_a_failure_that_is_out_of_the_window_is_no_cause() -> None:
    async with System(tree=tree(OFTEN), clock=clock) as system:
        await crash(system, 1)
        await asyncio.sleep(61)
        events = await crash(system, 2)

        gave_up = next(event for event in events if isinstance(event, GaveUp))
        assert [str(failure.error) for failure in gave_up.failures] == ["0", "1"]


@simulated(seeds=range(3))
async def test_failures_that_are_out_of_the_window_are_let_go() -> None:
    async with System(tree=tree(OFTEN, inner=OFTEN), clock=clock) as system:
        await crash(system, 5)
        await asyncio.sleep(61)
        await crash(system, 1)

        inner = system._root.find("out/in")
        assert isinstance(inner, Node)
        assert len(inner._mender._failures) == 1
        await asyncio.sleep(61)
        assert len(inner._mender._failures) == 0


@simulated(seeds=range(3))
async def test_one_that_a_decider_makes_give_up_says_so() -> None:
    inner = OneForOne(decider={ValueError: Directive.ESCALATE})
    async with System(tree=tree(OFTEN, inner=inner), clock=clock) as system:
        events = await crash(system, 1)

        assert [(event.actor, event.reason) for event in events if isinstance(event, GaveUp)] == [
            ("out/in", "its decider escalates")
        ]


@simulated(seeds=range(3))
async def test_the_top_gives_up_last_and_under_no_name() -> None:
    never = OneForOne(max_restarts=0)
    system = System(tree=tree(never, inner=never), strategy=never, clock=clock)
    events: list[Event] = []

    with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
        async with system:
            system.events.subscribe(events.append)
            system.find(Part, "out/in/a").tell(Crash("0"))
            await asyncio.sleep(60)

    assert [event.actor for event in events if isinstance(event, GaveUp)] == ["out/in", "out", ""]


@simulated(seeds=range(3))
async def test_a_restart_that_fails_is_told() -> None:
    async with System(tree=tree(OFTEN, inner=OFTEN), clock=clock) as system:
        Part.bad_starts = 1
        events = await crash(system, 1)

        assert [type(event) for event in events] == [Failed, Failed, Restarted]
        failed = events[1]
        assert isinstance(failed, Failed)
        assert (failed.actor, str(failed.error), failed.message) == ("out/in/a", "no start", "on_start")


@simulated(seeds=range(3))
async def test_a_supervisor_that_shuts_itself_down_names_the_child_that_ended() -> None:
    part = Child(Part, name="a", restart=Restart.TEMPORARY, significant=True)
    inner = Supervisor(
        name="in", restart=Restart.TRANSIENT, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, children=[part]
    )
    async with System(tree=Supervisor(name="out", children=[inner]), clock=clock) as system:
        events = watch(system)

        system.find(Part, "out/in/a").tell(Leave())
        await settled()

        assert events == [SupervisorEnded("out/in", "out/in/a")]


@simulated(seeds=range(3))
async def test_the_root_restarts_once_by_default() -> None:
    with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
        async with System(tree=Child(Part, name="a"), clock=clock) as system:
            for _ in range(2):
                system.find(Part, "a").tell(Crash(""))
                await settled()
            await asyncio.sleep(60)


@simulated(seeds=range(3))
async def test_the_roots_strategy_is_the_systems() -> None:
    async with System(tree=Child(Part, name="a"), strategy=OFTEN, clock=clock) as system:
        events = watch(system)

        for _ in range(20):
            system.find(Part, "a").tell(Crash(""))
            await settled()

        assert events[-1] == Restarted("a", 21)
