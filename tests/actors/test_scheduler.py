"""An idle actor costs no task, a handler that waits blocks nobody, and everybody has a turn."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.scheduler import BUDGET, SPARE
from choragus.actors.testing import SimulatedLoop, clock, simulated
from choragus.supervision.system import System


@frozen
class Ping(Request[int]):
    pass


@frozen
class Wait(Request[int]):
    gate: asyncio.Event


@frozen
class Spin:
    left: int


class Echo(Actor[Ping | Wait]):
    @handle
    def ping(self, message: Ping) -> int:
        return 1

    @handle
    async def wait(self, message: Wait) -> int:
        await message.gate.wait()
        return 2


class Spinner(Actor[Spin]):
    """Keeps itself busy for ever, as fast as it can."""

    def __init__(self) -> None:
        self.turns = 0
        self.me: Ref[Spin] | None = None

    @handle
    def spin(self, message: Spin) -> None:
        self.turns += 1
        assert self.me is not None
        if message.left:
            self.me.tell(Spin(message.left - 1))


async def settle() -> None:
    """Let everything that can happen without time happen."""
    for _ in range(200):
        await asyncio.sleep(0)


def workers() -> int:
    return sum(task.get_name() == "choragus:worker" for task in asyncio.all_tasks())


async def test_an_idle_actor_has_no_task() -> None:
    before = len(asyncio.all_tasks())
    async with System() as system:
        refs = [await system.spawn(Echo) for _ in range(500)]
        assert len(asyncio.all_tasks()) == before

        for ref in refs:
            assert await ref.ask(Ping()) == 1

        assert len(asyncio.all_tasks()) - before <= 2
    assert len(asyncio.all_tasks()) == before


async def test_a_handler_that_waits_blocks_nobody_and_its_worker_is_given_back() -> None:
    gate = asyncio.Event()
    async with System() as system:
        waiting = [await system.spawn(Echo) for _ in range(200)]
        other = await system.spawn(Echo)
        replies = [asyncio.ensure_future(ref.ask(Wait(gate))) for ref in waiting]
        await settle()

        assert await other.ask(Ping()) == 1
        assert workers() >= 200
        gate.set()
        assert await asyncio.gather(*replies) == [2] * 200

        assert workers() <= SPARE


async def test_a_busy_actor_leaves_the_others_and_the_loop_their_turn() -> None:
    made: list[Spinner] = []

    def make() -> Spinner:
        made.append(Spinner())
        return made[-1]

    async with System() as system:
        spinner = await system.spawn(make, name="spinner")  # type: ignore[arg-type]  # a factory does as well
        other = await system.spawn(Echo)
        made[0].me = spinner
        for _ in range(3 * BUDGET):
            spinner.tell(Spin(200))

        assert await other.ask(Ping()) == 1
        assert made[0].turns <= 8 * BUDGET
        await asyncio.sleep(0)
        assert made[0].turns < 3 * BUDGET * 200


async def test_a_worker_does_not_keep_the_context_that_happened_to_wake_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextvars import ContextVar

    around: ContextVar[str] = ContextVar("around", default="")
    seen: list[str] = []

    class Looks(Actor[Ping]):
        @handle
        def look(self, message: Ping) -> int:
            seen.append(around.get())
            return 1

    async with System() as system:
        looks = await system.spawn(Looks)
        around.set("inside")

        await looks.ask(Ping())

    assert seen == [""]


class Greedy(Actor[Spin | Ping]):
    """Tells itself the next message, for ever."""

    def __init__(self) -> None:
        self.turns = 0

    @handle
    def spin(self, message: Spin) -> None:
        self.turns += 1
        self.own_ref.tell(message)

    @handle
    def ping(self, message: Ping) -> int:
        return self.turns


@simulated(seeds=range(5))
async def test_an_actor_that_floods_itself_starves_no_others_in_any_order() -> None:
    async with System(clock=clock) as system:
        greedy = await system.spawn(Greedy)
        others = [await system.spawn(Echo) for _ in range(10)]
        greedy.tell(Spin(0))

        assert await asyncio.gather(*(other.ask(Ping()) for other in others for _ in range(5))) == [1] * 50


@simulated(seeds=range(10))
async def test_handlers_that_wait_block_nobody_in_any_order() -> None:
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        waiting = [await system.spawn(Echo) for _ in range(100)]
        other = await system.spawn(Echo)
        asks = [ref.ask(Wait(gate)) for ref in waiting]
        assert [await other.ask(Ping()) for _ in range(10)] == [1] * 10

        gate.set()
        assert await asyncio.gather(*asks) == [2] * 100


@frozen
class Block(Request[None]):
    """Takes so many seconds of the loop's time, and never yields."""

    seconds: float


class Blocker(Actor[Block]):
    @handle
    def block(self, message: Block) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        loop._now += message.seconds  # what time.sleep does to a real one


@simulated(seeds=[0])  # asyncio's own order, which is fair to the one who looks
async def test_the_loop_turns_between_two_handlers_that_block_it() -> None:
    """A budget of messages is no bound when each takes long: timers, sockets and other actors would starve."""
    async with System(clock=clock, watchdog=None) as system:
        one = await system.spawn(Blocker)
        many = [await system.spawn(Blocker) for _ in range(20)]
        blocked = asyncio.gather(*(ref.ask(Block(0.1)) for ref in (*[one] * 20, *many)))
        loop = asyncio.get_running_loop()

        longest = 0.0
        while not blocked.done():
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

        assert len(await blocked) == 40
        assert longest < 0.35
