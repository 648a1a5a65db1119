"""Backoff in virtual time: whose failures make it grow, and what lets it begin anew."""

from __future__ import annotations

import asyncio

from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.testing.loop import clock, running, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.backoff import Backoff
from choragus.supervision.directive import Directive
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForAll, OneForOne
from choragus.supervision.system import System

OFTEN = 1000
DOUBLING = Backoff(first=1, most=8, reset=20)


@frozen
class Crash:
    error: Exception = RuntimeError("crash")  # noqa: RUF009  # one is as good as another


class Story:
    """When each name came up; how often its next starts fail."""

    def __init__(self) -> None:
        self.up: dict[str, list[float]] = {}
        self.bad_starts: dict[str, int] = {}


class Part(Actor[Crash]):
    def __init__(self, story: Story) -> None:
        self.story = story

    async def on_start(self) -> None:
        name = self.path.rpartition("/")[2]
        if self.story.bad_starts.get(name, 0) > 0:
            self.story.bad_starts[name] -= 1
            raise ValueError(name)
        self.story.up.setdefault(name, []).append(running().time())

    @handle
    def crash(self, message: Crash) -> None:
        raise message.error


def group(story: Story, strategy: OneForOne | OneForAll, names: str = "ab", name: str = "top") -> Supervisor:
    children = [Child(Part, name=one, args=(story,)) for one in names]
    return Supervisor(name=name, strategy=strategy, children=children)


async def down_for(system: System, story: Story, path: str, error: Exception | None = None) -> float:
    """Crash it; how many seconds until it is up again."""
    name, began = path.rpartition("/")[2], running().time()
    before = len(story.up[name])
    system.find(Part, path).tell(Crash() if error is None else Crash(error))
    while len(story.up[name]) == before:  # noqa: ASYNC110  # virtual time
        await asyncio.sleep(0.5)
    await settled()
    return story.up[name][-1] - began


@simulated(seeds=range(5))
async def test_r24_a_childs_delay_grows_with_its_own_failures_and_not_with_its_siblings() -> None:
    story = Story()
    async with System(tree=group(story, OneForOne(OFTEN, 60, DOUBLING)), clock=clock) as system:
        assert [await down_for(system, story, "top/a") for _ in range(3)] == [1, 2, 4]
        assert await down_for(system, story, "top/b") == 1
        assert await down_for(system, story, "top/a") == 8


@simulated(seeds=range(5))
async def test_r24_failed_starts_count_and_the_longest_delay_is_no_calm() -> None:
    story = Story()
    async with System(tree=group(story, OneForOne(OFTEN, 60, Backoff(first=1, most=8))), clock=clock) as system:
        story.bad_starts["a"] = 6

        assert await down_for(system, story, "top/a") == 1 + 2 + 4 + 8 + 8 + 8 + 8


@simulated(seeds=range(5))
async def test_r24_the_delay_begins_anew_after_the_child_was_up_for_reset_without_failure() -> None:
    story = Story()
    async with System(tree=group(story, OneForOne(OFTEN, 60, DOUBLING)), clock=clock) as system:
        assert [await down_for(system, story, "top/a") for _ in range(2)] == [1, 2]

        await asyncio.sleep(19)
        assert await down_for(system, story, "top/a") == 4
        await asyncio.sleep(20)
        assert await down_for(system, story, "top/a") == 1


@simulated(seeds=range(5))
async def test_r24_going_down_with_a_sibling_neither_lengthens_a_childs_delay_nor_resets_it() -> None:
    story = Story()
    async with System(tree=group(story, OneForAll(OFTEN, 60, DOUBLING)), clock=clock) as system:
        assert [await down_for(system, story, "top/a") for _ in range(2)] == [1, 2]
        assert [await down_for(system, story, "top/b") for _ in range(2)] == [1, 2]

        assert await down_for(system, story, "top/a") == 4


@simulated(seeds=range(5))
async def test_r24_going_down_with_a_sibling_does_not_put_off_the_new_beginning() -> None:
    story = Story()
    async with System(tree=group(story, OneForAll(OFTEN, 60, DOUBLING)), clock=clock) as system:
        assert await down_for(system, story, "top/a") == 1
        await asyncio.sleep(15)
        assert await down_for(system, story, "top/b") == 1
        await asyncio.sleep(5)

        assert await down_for(system, story, "top/a") == 1


@simulated(seeds=range(5))
async def test_r24_a_nested_supervisors_delay_grows_with_how_often_it_gave_up() -> None:
    story = Story()
    inner = group(story, OneForOne(1, 60, Backoff(first=0.5, most=0.5)), name="in")
    outer = Supervisor(name="out", strategy=OneForOne(OFTEN, 60, DOUBLING), children=[inner])
    async with System(tree=outer, clock=clock) as system:
        for delay in (1, 2, 4):
            assert await down_for(system, story, "out/in/a") == 0.5
            assert await down_for(system, story, "out/in/b") == delay


@simulated(seeds=range(5))
async def test_r24_a_failure_after_which_the_child_went_on_does_not_lengthen_its_delay() -> None:
    story = Story()
    strategy = OneForOne(OFTEN, 60, DOUBLING, decider={KeyError: Directive.RESUME})
    async with System(tree=group(story, strategy), clock=clock) as system:
        for _ in range(3):
            system.find(Part, "top/a").tell(Crash(KeyError()))

        assert await down_for(system, story, "top/a") == 1


@simulated(seeds=range(5))
async def test_r24_a_child_that_was_stopped_on_request_begins_anew() -> None:
    story = Story()
    async with System(tree=group(story, OneForOne(OFTEN, 60, DOUBLING)), clock=clock) as system:
        assert [await down_for(system, story, "top/a") for _ in range(2)] == [1, 2]

        await system.supervisor("top").stop_child("a")
        await system.supervisor("top").restart_child("a")

        assert await down_for(system, story, "top/a") == 1
