"""One-for-all, rest-for-one, deciders by exception type, and ends that are no failure."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped, Ignore
from choragus.actors.message import Request
from choragus.actors.testing.loop import running, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.backoff import Backoff
from choragus.supervision.directive import Decider, Directive, directive_for
from choragus.supervision.errors import EndedNormally, Escalated, SystemFailed
from choragus.supervision.shutdown import AutoShutdown
from choragus.supervision.spec import Child, Spec, Supervisor
from choragus.supervision.state import ChildState
from choragus.supervision.strategy import (
    FORGET,
    KEEP,
    RESUME,
    End,
    Escalate,
    Member,
    OneForAll,
    OneForOne,
    Restart,
    RestForOne,
    Strategy,
    affected,
    judge,
)
from choragus.supervision.system import System

MANY = OneForOne(max_restarts=100, within=60.0)
ALL = OneForAll(max_restarts=100, within=60.0)
REST = RestForOne(max_restarts=100, within=60.0)
CRASH = RuntimeError("crash")
NAMES = "abcd"
UP = ["+a", "+b", "+c", "+d"]


@frozen
class Get(Request[int]):
    pass


@frozen
class Crash:
    error: BaseException = CRASH


@frozen
class Leave(Request[str]):
    pass


Message = Get | Crash | Leave


class Story:
    """What happened, in order; what a start of that name does next, in order, and what it waits for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.starts: dict[str, list[str]] = {}
        self.gates: dict[str, asyncio.Event] = {}


class Part(Actor[Message]):
    def __init__(self, story: Story, name: str) -> None:
        self.story = story
        self.name = name
        self.count = 0

    async def on_start(self) -> None:
        orders = self.story.starts.get(self.name)
        if orders:
            await self.follow(orders.pop(0))
        if self.name in self.story.gates:
            await self.story.gates[self.name].wait()
        self.story.lines.append(f"+{self.name}")

    async def follow(self, order: str) -> None:
        if order == "fail":
            self.story.lines.append(f"!{self.name}")
            raise ValueError(self.name)
        if order == "ignore":
            raise Ignore(self.name)
        if order == "leave":
            self.stop()

    async def on_stop(self) -> None:
        self.story.lines.append(f"-{self.name}")

    @handle
    def get(self, message: Get) -> int:
        self.count += 1
        return self.count

    @handle
    def crash(self, message: Crash) -> None:
        raise message.error

    @handle
    def leave(self, message: Leave) -> str:
        self.stop()
        return "bye"


def part(story: Story, name: str, restart: Restart = Restart.PERMANENT, *, significant: bool = False) -> Child[Message]:
    return Child(Part, name=name, args=(story, name), restart=restart, significant=significant)


def tree(story: Story, strategy: Strategy, *children: Spec) -> Supervisor:
    return Supervisor(name="top", strategy=strategy, children=children or [part(story, name) for name in NAMES])


async def crash(system: System, name: str, error: BaseException | None = None) -> None:
    system.find(Part, f"top/{name}").tell(Crash(error or CRASH))
    await settled()


def states(system: System) -> list[str]:
    return [child.state.value for child in system.supervisor("top").children()]


MEMBERS = [Member("a"), Member("b", Restart.TEMPORARY), Member("c", is_alive=False), Member("d")]


@pytest.mark.parametrize(
    ("strategy", "failed", "stop", "start"),
    [
        (OneForOne(), "b", "", "b"),
        (OneForAll(), "d", "ba", "acd"),
        (OneForAll(), "a", "db", "acd"),
        (RestForOne(), "a", "db", "acd"),
        (RestForOne(), "c", "d", "cd"),
        (RestForOne(), "d", "", "d"),
    ],
)
def test_r10_r11_and_r12_who_is_stopped_and_started(strategy: Strategy, failed: str, stop: str, start: str) -> None:
    assert affected(strategy, MEMBERS, failed) == (tuple(stop), tuple(start))


@pytest.mark.parametrize(
    ("restart", "end", "directive", "expected"),
    [
        (Restart.PERMANENT, End.NORMAL, Directive.RESTART, None),
        (Restart.TRANSIENT, End.NORMAL, Directive.RESTART, KEEP),
        (Restart.TEMPORARY, End.NORMAL, Directive.RESTART, FORGET),
        (Restart.PERMANENT, End.CRASH, Directive.RESTART, None),
        (Restart.TRANSIENT, End.CRASH, Directive.RESTART, None),
        (Restart.TEMPORARY, End.CRASH, Directive.RESTART, FORGET),
        (Restart.TEMPORARY, End.CRASH, Directive.RESUME, RESUME),
        (Restart.PERMANENT, End.INIT, Directive.RESUME, KEEP),
        (Restart.TEMPORARY, End.INIT, Directive.RESUME, FORGET),
        (Restart.PERMANENT, End.CRASH, Directive.STOP, KEEP),
        (Restart.TEMPORARY, End.CRASH, Directive.STOP, FORGET),
        (Restart.TEMPORARY, End.CRASH, Directive.ESCALATE, Escalate("its decider escalates", by_decider=True)),
    ],
)
def test_what_becomes_of_the_child_itself(restart: Restart, end: End, directive: Directive, expected: object) -> None:
    assert judge(OneForOne(), restart, end, directive, restarts=[], now=0.0) == expected


@pytest.mark.parametrize(("before", "is_over"), [([], False), ([4.0], False), ([5.0], True), ([4.0, 9.0], True)])
def test_one_restart_more_than_the_window_allows_gives_up(before: list[float], is_over: bool) -> None:
    judgement = judge(OneForOne(), Restart.PERMANENT, End.CRASH, Directive.RESTART, restarts=before, now=10.0)

    assert judgement == (Escalate("more than 1 restarts within 5 s") if is_over else None)


@simulated(seeds=range(5))
async def test_r11_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() -> None:
    story = Story()
    async with System(tree=tree(story, ALL)) as system:
        await crash(system, "b")

        assert story.lines == [*UP, "-d", "-c", "-a", *UP]


@simulated(seeds=range(5))
async def test_r12_rest_for_one_restarts_the_failed_child_and_those_after_it() -> None:
    story = Story()
    async with System(tree=tree(story, REST)) as system:
        a = system.find(Part, "top/a")
        assert await a.ask(Get()) == 1

        await crash(system, "b")

        assert story.lines == [*UP, "-d", "-c", "+b", "+c", "+d"]
        assert await a.ask(Get()) == 2


@simulated(seeds=range(5))
async def test_r13_one_for_all_stops_an_early_child_again_when_a_later_one_fails_to_restart() -> None:
    story = Story()
    async with System(tree=tree(story, ALL)) as system:
        story.starts["c"] = ["fail"]
        await crash(system, "d")

        assert story.lines[4:] == ["-c", "-b", "-a", "+a", "+b", "!c", "-b", "-a", *UP]


@simulated(seeds=range(5))
async def test_r14_rest_for_one_does_not_bounce_those_that_came_up() -> None:
    story = Story()
    async with System(tree=tree(story, REST)) as system:
        story.starts["c"] = ["fail", "fail"]
        await crash(system, "b")

        assert story.lines[4:] == ["-d", "-c", "+b", "!c", "!c", "+c", "+d"]
        assert states(system) == ["running"] * 4


@simulated(seeds=range(5))
async def test_r39_siblings_that_go_down_with_a_failed_child_keep_their_mail() -> None:
    story = Story()
    async with System(tree=tree(story, ALL)) as system:
        b, d = system.find(Part, "top/b"), system.find(Part, "top/d")
        b.tell(Crash())
        story.gates["a"] = asyncio.Event()
        await settled()
        waiting = [asyncio.ensure_future(ref.ask(Get())) for ref in (b, d)]
        await settled()
        story.gates["a"].set()

        assert await asyncio.gather(*waiting) == [1, 1]


@simulated(seeds=range(5))
async def test_two_children_that_crash_together_are_restarted_once() -> None:
    story = Story()
    async with System(tree=tree(story, OneForAll(max_restarts=1))) as system:
        system.find(Part, "top/a").tell(Crash())
        await crash(system, "b")

        assert story.lines == [*UP, "-d", "-c", *UP]


@simulated(seeds=range(5))
async def test_a_backoff_of_a_group_holds_all_of_it_down_and_a_later_crash_before_it_takes_over() -> None:
    story = Story()
    delayed = RestForOne(max_restarts=9, within=60.0, backoff=Backoff(first=20, most=20))
    async with System(tree=tree(story, delayed)) as system:
        await crash(system, "c")
        assert states(system) == ["running", "running", "restarting", "restarting"]
        await crash(system, "a")
        assert states(system) == ["restarting"] * 4

        await asyncio.sleep(20)
        await settled()
        assert states(system) == ["running"] * 4

        assert story.lines[4:] == ["-d", "-b", *UP]


@simulated(seeds=range(5))
async def test_r07_a_transient_child_is_restarted_after_a_failure_only() -> None:
    story = Story()
    async with System(tree=tree(story, MANY, part(story, "a", Restart.TRANSIENT), part(story, "b"))) as system:
        a = system.find(Part, "top/a")
        await crash(system, "a")
        assert await a.ask(Leave()) == "bye"
        await settled()

        assert story.lines == ["+a", "+b", "+a", "-a"]
        assert states(system) == ["stopped", "running"]
        with pytest.raises(ActorStopped):
            await a.ask(Get())


@simulated(seeds=range(5))
async def test_r07_a_permanent_child_is_restarted_after_a_normal_end() -> None:
    story = Story()
    async with System(tree=tree(story, MANY, part(story, "a"))) as system:
        a = system.find(Part, "top/a")
        assert await a.ask(Get()) == 1
        assert await a.ask(Leave()) == "bye"
        await settled()

        assert await a.ask(Get()) == 1
        assert story.lines == ["+a", "-a", "+a"]


@simulated(seeds=range(5))
async def test_r07_permanent_children_that_end_too_often_escalate_as_such() -> None:
    story = Story()

    with pytest.raises(SystemFailed) as ended:  # noqa: PT012  # the system ends within
        async with System(tree=part(story, "a")) as system:
            for _ in range(2):
                await system.find(Part, "a").ask(Leave())
                await settled()
            await asyncio.sleep(5)

    assert {type(error) for error in ended.value.exceptions} == {EndedNormally}


@simulated(seeds=range(5))
async def test_r07_the_name_of_a_temporary_child_that_ended_is_free_at_once() -> None:
    class Silent(Actor[Leave]):
        @handle
        def leave(self, message: Leave) -> str:
            self.stop()
            return "bye"

    async with System() as system:
        for _ in range(3):
            one = await system.spawn(Silent, name="one", restart=Restart.TEMPORARY)
            assert await one.ask(Leave()) == "bye"


@simulated(seeds=range(5))
async def test_r08_a_temporary_child_killed_by_a_siblings_crash_is_gone_and_does_not_count() -> None:
    story = Story()
    children = part(story, "a"), part(story, "b", Restart.TEMPORARY), part(story, "c")
    async with System(tree=tree(story, OneForAll(max_restarts=1), *children)) as system:
        await crash(system, "c")

        assert story.lines == ["+a", "+b", "+c", "-b", "-a", "+a", "+c"]
        assert [child.name for child in system.supervisor("top").children()] == ["a", "c"]


@simulated(seeds=range(5))
async def test_r08_crashes_of_temporary_children_do_not_count() -> None:
    story = Story()
    async with System(tree=tree(story, OneForAll(max_restarts=0), part(story, "a"))) as system:
        for number in range(3):
            await system.supervisor("top").start_child(part(story, f"t{number}", Restart.TEMPORARY))
            await crash(system, f"t{number}")

        assert states(system) == ["running"]
        assert story.lines == ["+a", "+t0", "+t1", "+t2"]


@simulated(seeds=range(1))
async def test_r09_the_arguments_of_a_temporary_child_are_not_kept() -> None:
    class Large:
        pass

    class Reader(Actor[Get]):
        def __init__(self, large: Large) -> None:
            pass

        @handle
        def get(self, message: Get) -> int:
            return 1

    async with System() as system:
        large = Large()
        seen = weakref.ref(large)
        reader = await system.spawn(Reader, large, name="r", restart=Restart.TEMPORARY)
        del large
        gc.collect()

        assert seen() is None
        assert await reader.ask(Get()) == 1


@simulated(seeds=range(5))
async def test_r03_a_child_that_ignores_its_start_counts_as_started_and_keeps_its_spec() -> None:
    story = Story()
    story.starts = {"a": ["ignore"], "b": ["ignore"]}
    children = part(story, "a"), part(story, "b", Restart.TEMPORARY), part(story, "c")
    async with System(tree=tree(story, MANY, *children)) as system:
        assert story.lines == ["+c"]
        assert [(child.name, child.state) for child in system.supervisor("top").children()] == [
            ("a", ChildState.STOPPED),
            ("c", ChildState.RUNNING),
        ]

        await system.supervisor("top").restart_child("a")
        assert story.lines == ["+c", "+a"]


@pytest.mark.parametrize("order", ["leave", "ignore"])
@simulated(seeds=range(5))
async def test_r28_a_child_that_stops_itself_in_a_restarts_init_is_not_tried_again(order: str) -> None:
    story = Story()
    async with System(tree=tree(story, ALL)) as system:
        story.starts["b"] = [order]
        await crash(system, "a")

        assert states(system) == ["running", "stopped", "running", "running"]


@simulated(seeds=range(5))
async def test_an_actor_outside_a_system_cannot_stop_itself() -> None:
    with pytest.raises(RuntimeError, match=r"^Part cannot stop itself"):
        Part(Story(), "a").stop()


@simulated(seeds=range(5))
async def test_mail_behind_the_message_on_which_an_actor_stopped_itself_is_refused() -> None:
    story = Story()
    async with System(tree=tree(story, MANY, part(story, "a", Restart.TRANSIENT))) as system:
        a = system.find(Part, "top/a")
        bye, late = asyncio.ensure_future(a.ask(Leave())), asyncio.ensure_future(a.ask(Get()))

        assert await bye == "bye"
        with pytest.raises(ActorStopped):
            await late


@simulated(seeds=range(5))
async def test_a_crash_after_stopping_itself_is_a_crash() -> None:
    class Both(Actor[Get]):
        @handle
        def get(self, message: Get) -> int:
            self.stop()
            raise RuntimeError("after all")

    async with System(tree=Child(Both, name="both", restart=Restart.TRANSIENT)) as system:
        with pytest.raises(ActorFailed):
            await system.find(Both, "both").ask(Get())
        await settled()

        assert [child.state for child in system.supervisor().children()] == [ChildState.RUNNING]


@simulated(seeds=range(5))
async def test_r31_a_stop_from_above_holds_its_deadline_when_the_actor_had_stopped_itself() -> None:
    class Slow(Actor[Get]):
        @handle
        async def get(self, message: Get) -> int:
            self.stop()
            await asyncio.sleep(60)
            return 1

    async with System(tree=Child(Slow, name="slow", shutdown=3.0)) as system:
        system.find(Slow, "slow").tell(Get())
        await settled()
        began = running().time()

    assert running().time() - began == 3.0


# Deciders.


@pytest.mark.parametrize(
    ("error", "directive"),
    [
        (FileNotFoundError(), Directive.STOP),
        (PermissionError(), Directive.RESUME),
        (KeyError(), Directive.ESCALATE),
        (asyncio.CancelledError(), Directive.RESTART),
        (SystemExit(), Directive.RESTART),
    ],
)
def test_r26_the_most_specific_class_of_the_innermost_decider_decides(error: BaseException, directive: object) -> None:
    inner: Decider = {OSError: Directive.STOP, PermissionError: Directive.RESUME}
    outer: Decider = {Exception: Directive.ESCALATE, FileNotFoundError: Directive.RESTART}

    assert directive_for([inner, outer], error) is directive


@simulated(seeds=range(5))
async def test_r26_resume_keeps_the_state_and_counts_as_no_restart() -> None:
    story = Story()
    strategy = OneForOne(max_restarts=0, decider={ValueError: Directive.RESUME})
    async with System(tree=tree(story, strategy)) as system:
        a = system.find(Part, "top/a")
        assert await a.ask(Get()) == 1
        for _ in range(3):
            await crash(system, "a", ValueError())

        assert await a.ask(Get()) == 2
        assert story.lines == UP


@simulated(seeds=range(5))
async def test_r26_stop_ends_the_child_and_leaves_its_spec() -> None:
    story = Story()
    async with System(tree=tree(story, OneForAll(decider={PermissionError: Directive.STOP}))) as system:
        a = system.find(Part, "top/a")
        await crash(system, "a", PermissionError())

        assert states(system) == ["stopped", "running", "running", "running"]
        with pytest.raises(ActorStopped):
            await a.ask(Get())


@simulated(seeds=range(5))
async def test_r26_escalate_lets_the_supervisor_above_decide_about_the_error_itself() -> None:
    story = Story()
    inner = tree(story, OneForOne(max_restarts=9, decider={Exception: Directive.ESCALATE}))
    outer = OneForOne(decider={ValueError: Directive.STOP})
    async with System(tree=Supervisor(name="up", strategy=outer, children=[inner])) as system:
        system.find(Part, "up/top/a").tell(Crash(ValueError()))
        await settled()

        assert [child.state for child in system.supervisor("up").children()] == [ChildState.STOPPED]
        assert story.lines == [*UP, "-d", "-c", "-b"]


@simulated(seeds=range(5))
async def test_r26_what_the_inner_decider_does_not_know_the_outer_one_decides() -> None:
    story = Story()
    outer = OneForOne(decider={ValueError: Directive.RESUME})
    async with System(tree=Supervisor(name="up", strategy=outer, children=[tree(story, MANY)])) as system:
        system.find(Part, "up/top/a").tell(Crash(ValueError()))
        await settled()

        assert story.lines == UP


@simulated(seeds=range(5))
async def test_r26_and_r35_a_cancelled_error_of_its_own_is_never_eaten_by_a_catch_all() -> None:
    story = Story()
    async with System(tree=tree(story, OneForOne(decider={Exception: Directive.RESUME}))) as system:
        await crash(system, "a", asyncio.CancelledError())

        assert story.lines == [*UP, "+a"]


@pytest.mark.parametrize("directive", [Directive.RESUME, Directive.STOP])
@simulated(seeds=range(5))
async def test_r27_resume_after_a_failure_in_init_means_stop_and_the_group_goes_on(directive: Directive) -> None:
    story = Story()
    async with System(tree=tree(story, OneForAll(decider={ValueError: directive}))) as system:
        story.starts["b"] = ["fail"]
        await crash(system, "d")

        assert states(system) == ["running", "stopped", "running", "running"]


@simulated(seeds=range(5))
async def test_r27_a_supervisor_that_gave_up_cannot_be_resumed_either() -> None:
    story = Story()
    inner = tree(story, OneForOne(max_restarts=0))
    outer = OneForOne(decider={Escalated: Directive.RESUME})
    async with System(tree=Supervisor(name="up", strategy=outer, children=[inner])) as system:
        system.find(Part, "up/top/a").tell(Crash())
        await settled()

        assert [child.state for child in system.supervisor("up").children()] == [ChildState.STOPPED]


# Significant children.


def significant(story: Story, auto_shutdown: AutoShutdown, restart: Restart = Restart.TEMPORARY) -> Supervisor:
    children = [part(story, name, Restart.TRANSIENT, significant=name != "c") for name in "abc"]
    top = Supervisor(
        name="top", children=children, restart=restart, auto_shutdown=auto_shutdown, strategy=MANY, significant=False
    )
    return Supervisor(name="up", children=[top])


async def leave(system: System, name: str) -> None:
    await system.find(Part, f"up/top/{name}").ask(Leave())
    await settled()


@simulated(seeds=range(5))
async def test_r36_any_significant_ends_the_supervisor_with_the_first() -> None:
    story = Story()
    async with System(tree=significant(story, AutoShutdown.ANY_SIGNIFICANT)) as system:
        await leave(system, "c")
        assert story.lines[3:] == ["-c"]
        await leave(system, "a")

        assert story.lines[3:] == ["-c", "-a", "-b"]
        assert system.supervisor("up").children() == ()


@simulated(seeds=range(5))
async def test_r36_all_significant_ends_it_with_the_last() -> None:
    story = Story()
    async with System(tree=significant(story, AutoShutdown.ALL_SIGNIFICANT)) as system:
        await leave(system, "b")
        assert story.lines[3:] == ["-b"]
        await leave(system, "a")

        assert story.lines[3:] == ["-b", "-a", "-c"]


@simulated(seeds=range(5))
async def test_r36_ends_that_the_supervisor_caused_do_not_count_and_neither_do_restarts() -> None:
    story = Story()
    async with System(tree=significant(story, AutoShutdown.ANY_SIGNIFICANT)) as system:
        system.find(Part, "up/top/a").tell(Crash())
        await settled()
        await system.supervisor("up/top").stop_child("b")
        await settled()

        assert system.supervisor("up/top").count().active == 2


@simulated(seeds=range(5))
async def test_r36_a_permanent_supervisor_that_shut_itself_down_is_started_again() -> None:
    story = Story()
    async with System(tree=significant(story, AutoShutdown.ANY_SIGNIFICANT, Restart.PERMANENT)) as system:
        await leave(system, "a")

        assert story.lines == ["+a", "+b", "+c", "-a", "-c", "-b", "+a", "+b", "+c"]
        assert system.supervisor("up/top").count().active == 3


@simulated(seeds=range(5))
async def test_r36_the_end_of_a_significant_supervisor_ends_the_one_above() -> None:
    story = Story()
    any_ = AutoShutdown.ANY_SIGNIFICANT
    a = part(story, "a", Restart.TEMPORARY, significant=True)
    inner = Supervisor(name="in", children=[a], restart=Restart.TEMPORARY, significant=True, auto_shutdown=any_)
    outer = Supervisor(name="out", children=[inner, part(story, "b")], restart=Restart.TEMPORARY, auto_shutdown=any_)
    async with System(tree=outer) as system:
        system.find(Part, "out/in/a").tell(Crash())
        await settled()

        assert system.supervisor().children() == ()
        assert story.lines == ["+a", "+b", "-b"]
