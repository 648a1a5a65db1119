"""What a system keeps in memory does not grow with what has happened, and nothing is lost in silence."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from contextvars import ContextVar

from attrs import frozen

from choragus.actors import Actor, Request, handle
from choragus.actors.testing import clock, simulated
from choragus.supervision import Child, Directive, OneForOne, Supervisor, System


@frozen
class Fail:
    pass


class Fails(Actor[Fail]):
    @handle
    def fail(self, message: Fail) -> None:
        raise ValueError


@simulated(seeds=range(3))
async def test_failures_take_no_room_beyond_the_causes_that_are_kept() -> None:
    """A window of a day, and thousands of failures in it: there is one timer, not one for each."""
    lenient = OneForOne(within=86_400.0, decider={ValueError: Directive.RESUME})
    tree = Supervisor(name="s", strategy=lenient, children=[Child(Fails, name="it")])
    async with System(tree=tree, clock=clock) as system:
        ref = system.find(Fails, "s/it")
        before = waiting(system)

        for _ in range(1_000):
            ref.tell(Fail())
            await asyncio.sleep(0.01)

        assert waiting(system) <= before + 2


def waiting(system: System) -> int:
    """How many deadlines are set."""
    return sum(len(queue.waiting) for queue in system.kernel.deadlines._queues.values())


def test_a_start_that_a_stop_overtakes_leaves_no_coroutine_behind() -> None:
    """Only a function builds an actor with an `on_start` after one without: the start goes on in a job of its own."""
    said = run("""
        import asyncio
        from attrs import frozen
        from choragus.actors import Actor, Failed, handle
        from choragus.actors.testing import clock, simulate
        from choragus.supervision import Child, OneForOne, Supervisor, System

        @frozen
        class Fail:
            pass

        class Fails(Actor[Fail]):
            @handle
            def fail(self, message: Fail) -> None:
                raise ValueError

        class Slow(Fails):
            async def on_start(self) -> None:
                await asyncio.sleep(0.1)

        async def main() -> None:
            made = []

            def make():
                made.append(Slow() if made else Fails())
                return made[-1]

            tree = Supervisor(name="s", strategy=OneForOne(max_restarts=5), children=[Child(make, name="it")])
            async with System(tree=tree, clock=clock) as system:
                stops = []
                stop = lambda event: stops.append(asyncio.ensure_future(system.supervisor("s").stop_child("it")))
                system.events.subscribe(stop, Failed)
                system.find(Fails, "s/it").tell(Fail())
                await asyncio.sleep(1)

        for seed in range(30):
            simulate(main, seed=seed)
    """)

    assert "it failed on Fail" in said
    assert "never awaited" not in said


def run(script: str) -> str:
    """What it says on stderr."""
    command = [sys.executable, "-W", "always::RuntimeWarning", "-c", textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stderr


class Same:
    """Equal to all others of its kind."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same)

    def __hash__(self) -> int:
        return 0


SHARED: ContextVar[Same] = ContextVar("SHARED")


@frozen
class Swap(Request[str]):
    text: str


class Swaps(Actor[Swap]):
    @handle
    def swap(self, message: Swap) -> str:
        found = SHARED.get().text
        SHARED.set(Same(message.text))
        return found


@simulated(seeds=range(3))
async def test_a_context_variable_that_is_set_to_an_equal_value_does_not_reach_the_next_message() -> None:
    SHARED.set(Same("host"))
    async with System(clock=clock) as system:
        ref = await system.spawn(Swaps)

        assert [await ref.ask(Swap(text)) for text in "ab"] == ["host", "host"]


def test_a_crash_that_nobody_asked_for_is_seen_without_setting_anything_up() -> None:
    said = run("""
        import asyncio
        from attrs import frozen
        from choragus.actors import Actor, handle
        from choragus.supervision import System

        @frozen
        class Go:
            pass

        class Fails(Actor[Go]):
            @handle
            def go(self, message: Go) -> None:
                raise ValueError("who will see this?")

        async def main() -> None:
            async with System() as system:
                (await system.spawn(Fails)).tell(Go())
                await asyncio.sleep(0.05)

        asyncio.run(main())
    """)

    assert "who will see this?" in said
