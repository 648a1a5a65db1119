"""What a running supervisor can be asked, and the children that it is given at run time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped, Ignore
from choragus.actors.event import DeadLetter, Event, Failed, Zombie
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.status import GRACE
from choragus.actors.testing.loop import running, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import AlreadyPresent, AlreadyStarted, NotFound, NotStopped, SpecFault
from choragus.supervision.handle import Count
from choragus.supervision.spec import Child, DynamicSupervisor, Supervisor
from choragus.supervision.state import ChildState
from choragus.supervision.strategy import OneForAll, OneForOne, Restart
from choragus.supervision.supervisor import Node
from choragus.supervision.system import System

Watch = Callable[[System], list[Event]]

MANY = OneForOne(max_restarts=100, within=60.0)
SLOW = OneForOne(max_restarts=100, within=60.0, backoff=Backoff(first=30, most=30))


@frozen
class Get(Request[int]):
    pass


@frozen
class Crash(Request[None]):
    pass


@frozen
class Hold:
    """Take so many seconds; a stubborn one swallows its cancellation."""

    seconds: float
    stubborn: bool = False


class Story:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bad: dict[str, Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}


class Part(Actor[Get | Crash | Hold]):
    def __init__(self, story: Story, name: str) -> None:
        self.story = story
        self.name = name
        self.count = 0

    async def on_start(self) -> None:
        if self.name in self.story.gates:
            await self.story.gates[self.name].wait()
        if self.name in self.story.bad:
            raise self.story.bad[self.name]
        self.story.lines.append(f"+{self.name}")

    async def on_stop(self) -> None:
        self.story.lines.append(f"-{self.name}")

    @handle
    def get(self, message: Get) -> int:
        self.count += 1
        return self.count

    @handle
    def crash(self, message: Crash) -> None:
        raise RuntimeError("crash")

    @handle
    async def hold(self, message: Hold) -> None:
        try:
            await asyncio.sleep(message.seconds)
        except asyncio.CancelledError:
            if not message.stubborn:
                raise
            await asyncio.sleep(10)


Message = Get | Crash | Hold


def part(
    story: Story, name: str, restart: Restart = Restart.PERMANENT, shutdown: float = 5.0, mailbox: int = 100
) -> Child[Message]:
    return Child(Part, name=name, args=(story, name), restart=restart, shutdown=shutdown, mailbox=mailbox)


def static(story: Story, strategy: OneForOne | OneForAll = MANY, *, keeps_added: bool = False) -> Supervisor:
    children = [part(story, name) for name in "abc"]
    return Supervisor(name="top", strategy=strategy, children=children, keeps_added=keeps_added)


def pool(*, strategy: OneForOne = MANY, keeps_added: bool = False) -> DynamicSupervisor:
    return DynamicSupervisor(name="top", strategy=strategy, keeps_added=keeps_added)


def states(system: System) -> dict[str, str]:
    return {child.name: child.state.value for child in system.supervisor("top").children()}


@simulated(seeds=range(5))
async def test_a_child_started_at_run_time_is_the_last_in_order_and_is_restarted() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        d = await system.supervisor("top").start_child(part(story, "d"))
        d.tell(Crash())
        assert await d.ask(Get()) == 1

    assert story.lines == ["+a", "+b", "+c", "+d", "+d", "-d", "-c", "-b", "-a"]


@simulated(seeds=range(5))
async def test_a_supervisor_can_be_started_at_run_time() -> None:
    story = Story()
    async with System(tree=pool()) as system:
        top = system.supervisor("top")
        inner = await top.start_child(Supervisor(name="in", children=[part(story, "a")]))

        assert inner == system.supervisor("top/in")
        assert inner.path == "top/in"
        assert await system.find(Part, "top/in/a").ask(Get()) == 1
        await top.stop_child(inner)
        assert story.lines == ["+a", "-a"]


@simulated(seeds=range(5))
async def test_r06_already_started_carries_the_ref_and_there_is_no_second_instance() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        with pytest.raises(AlreadyStarted, match=r"^top/a is alive already") as refused:
            await system.supervisor("top").start_child(part(story, "a"))

        assert refused.value.ref == system.find(Part, "top/a")
        assert story.lines == ["+a", "+b", "+c"]


@simulated(seeds=range(5))
async def test_r06_two_starts_under_one_name_at_once_give_one_instance() -> None:
    story = Story()
    story.gates["x"] = asyncio.Event()
    async with System(tree=pool()) as system:
        top = system.supervisor("top")
        starts = [asyncio.ensure_future(top.start_child(part(story, "x"))) for _ in range(2)]
        await settled()
        story.gates["x"].set()

        outcomes = await asyncio.gather(*starts, return_exceptions=True)

        assert sorted(isinstance(outcome, AlreadyStarted) for outcome in outcomes) == [False, True]
        assert story.lines == ["+x"]


@simulated(seeds=range(5))
async def test_the_name_of_a_stopped_child_whose_spec_is_kept_is_not_free() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        top = system.supervisor("top")
        await top.stop_child("a")

        with pytest.raises(AlreadyPresent, match=r"use restart_child, or delete_child first$"):
            await top.start_child(part(story, "a"))
        top.delete_child("a")
        assert await (await top.start_child(part(story, "a"))).ask(Get()) == 1
        assert list(states(system)) == ["b", "c", "a"]


@pytest.mark.parametrize("error", [RuntimeError("bad"), Ignore()])
@simulated(seeds=range(5))
async def test_r03_a_dynamic_child_that_does_not_start_leaves_no_entry(error: Exception) -> None:
    story = Story()
    story.bad["x"] = error
    async with System(tree=pool()) as system:
        if isinstance(error, Ignore):
            ref = await system.supervisor("top").start_child(part(story, "x"))
            with pytest.raises(ActorStopped):
                await ref.ask(Get())
        else:
            with pytest.raises(RuntimeError, match=r"^bad$"):
                await system.supervisor("top").start_child(part(story, "x"))

        assert states(system) == {}


@simulated(seeds=range(5))
async def test_r04_a_significant_child_is_refused_where_nothing_would_come_of_it() -> None:
    spec = Child(Part, name="x", args=(Story(), "x"), restart=Restart.TRANSIENT, significant=True)
    async with System(tree=pool()) as system:
        with pytest.raises(SpecFault, match=r"^child 'x' is significant, but 'top' has auto_shutdown=NEVER"):
            await system.supervisor("top").start_child(spec)


@simulated(seeds=range(5))
async def test_r15_dynamic_children_are_stopped_by_ref_a_dead_one_is_fine_a_foreign_one_is_not_found() -> None:
    story = Story()
    async with System(tree=[pool(), part(story, "x")]) as system, System(tree=pool()) as other:
        top = system.supervisor("top")
        x = await top.start_child(part(story, "x"))
        await top.stop_child(x)
        await top.stop_child(x)
        assert states(system) == {}

        for foreign in (system.find(Part, "x"), await other.supervisor("top").start_child(part(story, "x"))):
            with pytest.raises(NotFound, match=r"^top has no child <Ref"):
                await top.stop_child(foreign)
            assert await foreign.ask(Get()) == 1


@simulated(seeds=range(5))
async def test_r15_a_dead_ref_does_not_stop_the_one_that_has_its_name_now() -> None:
    story = Story()
    async with System(tree=pool()) as system:
        top = system.supervisor("top")
        old = await top.start_child(part(story, "x"))
        await top.stop_child(old)
        new = await top.start_child(part(story, "x"))

        await top.stop_child(old)

        assert await new.ask(Get()) == 1


@simulated(seeds=range(5))
async def test_r16_dynamic_children_stop_in_parallel_under_one_deadline() -> None:
    story = Story()
    async with System(tree=pool()) as system:
        top = system.supervisor("top")
        for number in range(20):
            child = await top.start_child(part(story, f"x{number}", shutdown=2.0))
            child.tell(Hold(60))
        await settled()
        began = running().time()

    assert running().time() - began == 2.0


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("kind", [static, pool])
@simulated(seeds=range(5))
async def test_r17_children_added_at_run_time_are_gone_after_a_restart_unless_the_spec_keeps_them(
    kind: object, keeps: bool
) -> None:
    story = Story()
    never = OneForOne(max_restarts=0)
    tree = static(story, never, keeps_added=keeps) if kind is static else pool(strategy=never, keeps_added=keeps)
    fixed = {"a", "b", "c"} if kind is static else set()
    async with System(tree=tree) as system:
        top = system.supervisor("top")
        x = await top.start_child(part(story, "x"))
        x.tell(Crash())
        await settled()

        assert set(states(system)) == fixed | ({"x"} if keeps else set())
        if keeps:
            assert await x.ask(Get()) == 1


@simulated(seeds=range(5))
async def test_r20_and_r21_requests_are_answered_while_a_child_restarts() -> None:
    story = Story()
    async with System(tree=static(story, SLOW)) as system:
        top = system.supervisor("top")
        system.find(Part, "top/a").tell(Crash())
        await settled()

        assert states(system) == {"a": "restarting", "b": "running", "c": "running"}
        for request in (top.restart_child("a"), sync(top.delete_child, "a")):
            with pytest.raises(NotStopped, match=r"^top/a is restarting: use stop_child first$") as refused:
                await request
            assert refused.value.state is ChildState.RESTARTING
        assert await (await top.start_child(part(story, "d"))).ask(Get()) == 1


async def sync(request: Callable[[str], None], name: str) -> None:
    request(name)


@simulated(seeds=range(5))
async def test_r21_stop_child_cancels_the_pending_restart() -> None:
    story = Story()
    soon = OneForOne(max_restarts=9, within=60.0, backoff=Backoff(first=20, most=20))
    async with System(tree=static(story, soon)) as system:
        a = system.find(Part, "top/a")
        a.tell(Crash())
        await settled()
        waiting = asyncio.ensure_future(a.ask(Get()))
        await settled()

        await system.supervisor("top").stop_child("a")
        with pytest.raises(ActorStopped):
            await waiting
        await asyncio.sleep(25)

        assert states(system)["a"] == "stopped"
        assert story.lines == ["+a", "+b", "+c"]


@simulated(seeds=range(5))
async def test_r21_stop_child_breaks_off_a_restart_that_runs_and_its_group_comes_up() -> None:
    story = Story()
    async with System(tree=static(story, OneForAll(max_restarts=9))) as system:
        story.gates["b"] = asyncio.Event()
        system.find(Part, "top/c").tell(Crash())
        await settled()
        assert states(system) == {"a": "running", "b": "restarting", "c": "restarting"}

        await system.supervisor("top").stop_child("b")
        await settled()

        assert states(system) == {"a": "running", "b": "stopped", "c": "running"}


@simulated(seeds=range(5))
async def test_a_child_that_is_being_started_on_request_is_left_alone_by_a_groups_restart() -> None:
    story = Story()
    async with System(tree=static(story, OneForAll(max_restarts=9))) as system:
        story.gates["d"] = asyncio.Event()
        starting = asyncio.ensure_future(system.supervisor("top").start_child(part(story, "d")))
        await settled()
        system.find(Part, "top/a").tell(Crash())
        await settled()
        story.gates["d"].set()

        assert await (await starting).ask(Get()) == 1
        assert set(states(system).values()) == {"running"}
        assert story.lines.count("+a") == 2


@simulated(seeds=range(5))
async def test_a_child_that_was_stopped_before_its_turn_to_start_is_not_started() -> None:
    story = Story()

    class Early(Part):
        async def on_start(self) -> None:
            await system.supervisor("top").stop_child("b")
            await super().on_start()

    children = [Child(Early, name="a", args=(story, "a")), part(story, "b"), part(story, "c")]
    system = System(tree=Supervisor(name="top", children=children))
    async with system:
        assert states(system) == {"a": "running", "b": "stopped", "c": "running"}


@pytest.mark.parametrize("gated", [False, True])
@simulated(seeds=range(5))
async def test_r22_stopping_a_supervisor_amid_a_groups_restart_is_prompt(gated: bool) -> None:
    story = Story()
    strategy = OneForAll(max_restarts=9, within=60.0, backoff=None if gated else Backoff(first=30, most=30))
    async with System(tree=static(story, strategy)) as system:
        if gated:
            story.gates["b"] = asyncio.Event()
        system.find(Part, "top/c").tell(Crash())
        await settled()
        began = running().time()

    assert running().time() == began
    assert story.lines[3:] == (["-b", "-a", "+a", "-a"] if gated else ["-b", "-a"])


@simulated(seeds=range(5))
async def test_r24_the_backoff_of_nested_supervisors_counts_apart() -> None:
    story = Story()
    soon = OneForOne(max_restarts=9, within=60.0, backoff=Backoff(first=1, most=60))
    inner = Supervisor(name="in", strategy=soon, children=[part(story, "b")])
    async with System(tree=Supervisor(name="top", strategy=soon, children=[part(story, "a"), inner])) as system:
        for _ in range(3):
            system.find(Part, "top/a").tell(Crash())
        await asyncio.sleep(1 + 2 + 4)
        await settled()
        assert story.lines.count("+a") == 4
        system.find(Part, "top/in/b").tell(Crash())
        await asyncio.sleep(1)
        await settled()
        assert story.lines.count("+b") == 2

        nodes = [system._root.find(path) for path in ("top", "top/in")]
        assert [len(node._mender._restarts) for node in nodes if isinstance(node, Node)] == [3, 1]


@simulated(seeds=range(5))
async def test_r25_what_does_not_fit_during_a_backoff_is_an_event(watch: Watch) -> None:
    story = Story()
    tree = Supervisor(name="top", strategy=SLOW, children=[part(story, "a", mailbox=2)])
    async with System(tree=tree) as system:
        events = watch(system)
        a = system.find(Part, "top/a")
        a.tell(Crash())
        await settled()
        waiting = [asyncio.ensure_future(a.ask(Get())) for _ in range(2)]
        await settled()
        system._root.find("top/a").put_late((Get(), None, None))  # type: ignore[union-attr]  # it is a cell

        assert DeadLetter("top/a", Get()) in events
        assert not any(one.done() for one in waiting)
    for one in waiting:
        with pytest.raises(ActorStopped):
            await one


@simulated(seeds=range(5))
async def test_r30_each_child_stops_within_its_own_deadline_in_reverse() -> None:
    story = Story()
    children = [part(story, name, shutdown=3.0) for name in "ab"]
    async with System(tree=Supervisor(name="top", children=children)) as system:
        for name in "ab":
            system.find(Part, f"top/{name}").tell(Hold(60))
        await settled()
        began = running().time()

    assert running().time() - began == 6.0
    assert story.lines == ["+a", "+b"]


@simulated(seeds=range(5))
async def test_r31_brutal_cancels_at_once_and_infinity_waits() -> None:
    story = Story()
    brutal, patient = part(story, "brutal", shutdown=0), part(story, "patient", shutdown=float("inf"))
    async with System(tree=[brutal, patient]) as system:
        for name, seconds in (("brutal", 60), ("patient", 3600)):
            system.find(Part, name).tell(Hold(seconds))
        await settled()
        began = running().time()
        await system.supervisor().stop_child("brutal")
        assert running().time() == began

    assert running().time() - began == 3600
    assert story.lines == ["+brutal", "+patient", "-patient"]


@simulated(seeds=range(5))
async def test_r32_and_r34_a_child_that_swallows_its_cancellation_does_not_hold_up_the_others(
    watch: Watch,
) -> None:
    story = Story()
    children = [part(story, "a"), part(story, "b", shutdown=0)]
    async with System(tree=Supervisor(name="top", children=children)) as system:
        events = watch(system)
        system.find(Part, "top/b").tell(Hold(60, stubborn=True))
        await settled()
        began = running().time()

    assert running().time() - began == GRACE
    assert [event for event in events if isinstance(event, Zombie)] == [Zombie("top/b", "Hold")]
    assert story.lines == ["+a", "+b", "-a"]
    await asyncio.sleep(10)  # the zombie's end


@simulated(seeds=range(5))
async def test_r37_stop_is_idempotent_and_delete_and_restart_need_a_stopped_child() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        top = system.supervisor("top")
        a = system.find(Part, "top/a")
        assert await a.ask(Get()) == 1
        for request in (top.restart_child("a"), sync(top.delete_child, "a")):
            with pytest.raises(NotStopped, match=r"^top/a is running"):
                await request

        await asyncio.gather(top.stop_child("a"), top.stop_child(a))
        await top.stop_child("a")
        assert await top.restart_child(a) == a
        assert await a.ask(Get()) == 1
        await top.stop_child("a")
        top.delete_child("a")

        assert list(states(system)) == ["b", "c"]
        for unknown in (top.stop_child("a"), top.restart_child("a"), sync(top.delete_child, "a")):
            with pytest.raises(NotFound, match=r"^top has no child 'a'"):
                await unknown


@simulated(seeds=range(5))
async def test_r37_a_restart_on_request_that_fails_leaves_the_child_stopped() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        top = system.supervisor("top")
        await top.stop_child("a")
        story.bad["a"] = RuntimeError("bad")

        with pytest.raises(RuntimeError, match=r"^bad$"):
            await top.restart_child("a")

        assert states(system)["a"] == "stopped"


@simulated(seeds=range(5))
async def test_r37_a_stop_whose_caller_is_cancelled_goes_on() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        a = system.find(Part, "top/a")
        a.tell(Hold(3))
        await settled()
        stopping = asyncio.ensure_future(system.supervisor("top").stop_child("a"))
        await settled()
        assert states(system)["a"] == "stopping"
        stopping.cancel()

        await asyncio.sleep(3)
        await settled()
        assert states(system)["a"] == "stopped"


@simulated(seeds=range(5))
async def test_r37_a_request_to_a_dead_supervisor_fails_at_once() -> None:
    story = Story()
    async with System(tree=static(story)) as system:
        top = system.supervisor("top")
        await system.supervisor().stop_child("top")

        for request in (top.start_child(part(story, "d")), top.stop_child("a"), top.restart_child("a")):
            with pytest.raises(ActorStopped, match=r"^top has stopped"):
                await request
        for look in (top.children, top.count, lambda: system.supervisor("top")):
            with pytest.raises(ActorStopped):
                look()
    with pytest.raises(ActorStopped):
        system.supervisor()


@simulated(seeds=range(5))
async def test_r38_children_and_count_tell_the_truth_during_a_restart() -> None:
    story = Story()
    nested = Supervisor(name="in", children=[part(story, "d")])
    tree = Supervisor(name="top", strategy=SLOW, children=[part(story, "a"), part(story, "b"), nested])
    async with System(tree=tree) as system:
        top = system.supervisor("top")
        assert top.count() == Count(specs=3, active=3, supervisors=1, workers=2)
        system.find(Part, "top/a").tell(Crash())
        await settled()
        await top.stop_child("b")

        assert states(system) == {"a": "restarting", "b": "stopped", "in": "running"}
        assert top.count() == Count(specs=3, active=1, supervisors=1, workers=2)


# On a real loop: it measures what processor time is spent.
async def test_r38_stopping_ten_times_as_many_children_costs_about_ten_times_as_much() -> None:
    class Idle(Actor[Get]):
        @handle
        def get(self, message: Get) -> int:
            return 1

    async def seconds(count: int) -> float:
        async with System(tree=pool()) as system:
            top = system.supervisor("top")
            refs = [await top.start_child(Child(Idle, name=f"x{number}")) for number in range(count)]
            started = time.process_time()
            for ref in refs:
                await top.stop_child(ref)
            return time.process_time() - started

    few, many = await seconds(200), await seconds(2_000)

    assert many < 30 * few + 0.5


@simulated(seeds=range(5))
async def test_r40_asks_of_a_child_that_is_gone_for_good_fail_at_once_and_name_it() -> None:
    story = Story()
    async with System(tree=pool()) as system:
        x = await system.supervisor("top").start_child(part(story, "x", Restart.TEMPORARY))
        last, queued = asyncio.ensure_future(x.ask(Crash())), asyncio.ensure_future(x.ask(Get()))

        with pytest.raises(ActorFailed, match=r"^top/x failed on Crash$"):
            await last
        with pytest.raises(ActorStopped, match=r"^top/x has stopped"):
            await queued
        with pytest.raises(ActorStopped, match=r"^top/x has stopped"):
            await x.ask(Get())


@simulated(seeds=range(5))
async def test_r33_an_on_stop_that_fails_on_request_is_reported_and_the_child_is_stopped(watch: Watch) -> None:
    class Bad(Actor[Get]):
        async def on_stop(self) -> None:
            raise RuntimeError("late")

        @handle
        def get(self, message: Get) -> int:
            return 1

    async with System(tree=[Child(Bad, name="bad")]) as system:
        events = watch(system)
        await system.supervisor().stop_child("bad")

        assert [(event.actor, event.message) for event in events if isinstance(event, Failed)] == [("bad", "on_stop")]
        assert [child.state for child in system.supervisor().children()] == [ChildState.STOPPED]


@simulated(seeds=range(5))
async def test_who_hears_of_an_end_may_take_the_name_at_once() -> None:
    """Quicker than whoever asked for the stop, and waits for it."""
    story = Story()
    async with System(tree=pool()) as system:
        supervisor = system.supervisor("top")
        first = await supervisor.start_child(part(story, "a"))
        again: list[asyncio.Task[Ref[Message]]] = []
        first.when_ended(lambda exit: again.append(asyncio.ensure_future(supervisor.start_child(part(story, "a")))))

        await supervisor.stop_child(first)

        assert await (await again[0]).ask(Get()) == 1
    assert story.lines == ["+a", "-a", "+a", "-a"]
