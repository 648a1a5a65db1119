"""What blocks the event loop is named while it does. Real time: it is about real blocking."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from traceback import FrameSummary

import pytest
from attrs import define, field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.event import Event, Events, logger
from choragus.actors.message import Request
from choragus.actors.stack import handler_on, stack_of
from choragus.actors.stopwatch import Stopwatch, computed_by
from choragus.actors.testing.simulation import simulated
from choragus.actors.watchdog import LoopBlocked, Watchdog, WatchdogThread
from choragus.mailbox.codec import stored
from choragus.supervision.errors import StartFailed
from choragus.supervision.spec import Child
from choragus.supervision.system import System

Until = Callable[[Callable[[], object]], Awaitable[None]]
QUICK = Watchdog(threshold=0.05)
BLOCKS = 0.2


@stored("tests.watchdog.block")
@frozen
class Block(Request[float]):
    """Block the loop; the reply is when that was over."""


@frozen
class BlockAwaiting(Request[float]):
    """The same, in an async handler."""


@frozen
class Compute(Request[float]):
    """Hold the interpreter as well."""


@frozen
class Count(Request[int]):
    pass


class Blocker(Actor[Block | BlockAwaiting | Compute | Count]):
    def __init__(self) -> None:
        self.count = 0

    @handle
    def block(self, message: Block) -> float:
        return dawdle()

    @handle
    async def block_awaiting(self, message: BlockAwaiting) -> float:
        await asyncio.sleep(0)
        return dawdle()

    @handle
    def compute(self, message: Compute) -> float:
        sum(range(20_000_000))  # in C, without a look at who else wants to run
        return time.monotonic()

    @handle
    def add(self, message: Count) -> int:
        self.count += 1
        return self.count


@stored("tests.watchdog.state")
@define
class State:
    pass


class DurableBlocker(DurableActor[State, Block], name="tests.watchdog.blocker"):
    @handle
    def block(self, message: Block) -> float:
        return dawdle()


def dawdle() -> float:
    time.sleep(BLOCKS)
    return time.monotonic()


@define
class Reports(logging.Handler):
    """What was logged from WARNING on, and when."""

    lines: list[tuple[float, str]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        super().__init__(logging.WARNING)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((time.monotonic(), record.getMessage()))


@pytest.fixture
def reports() -> Iterator[Reports]:
    handler = Reports()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "choragus:watchdog"]


@pytest.mark.parametrize(
    ("message", "method"), [(Block(), "block"), (BlockAwaiting(), "block_awaiting")], ids=["def", "async"]
)
async def test_s29_a_handler_that_blocks_is_named_while_it_blocks(
    message: Block | BlockAwaiting, method: str, reports: Reports
) -> None:
    async with System(watchdog=QUICK) as system:
        blocker = await system.spawn(Blocker, name="blocker")

        ended = await blocker.ask(message)

    (reported, text), (_, over) = reports.lines
    assert reported < ended
    assert f"blocker handles {type(message).__name__}" in text
    stack = text.splitlines()[1:]
    assert f"in Blocker.{method}" in stack[0]
    assert stack[-1].strip() == "time.sleep(BLOCKS)"
    assert "turns again" in over


async def test_s29_a_durable_handler_that_blocks_is_named_while_it_blocks(reports: Reports) -> None:
    async with System(actors=[DurableBlocker], watchdog=QUICK) as system:
        ended = await system.ref(DurableBlocker, "a").ask(Block())

    reported, text = reports.lines[0]
    assert reported < ended
    assert "tests.watchdog.blocker/a handles Block" in text
    assert "in DurableBlocker.block" in text.splitlines()[1]


async def test_the_event_says_how_long_it_was(reports: Reports) -> None:
    events: list[Event] = []

    async with System(watchdog=QUICK) as system:
        system.events.subscribe(events.append)
        blocker = await system.spawn(Blocker, name="blocker")
        await blocker.ask(Block())

    (blocked,) = [event for event in events if isinstance(event, LoopBlocked)]
    assert (blocked.actor, blocked.message) == ("blocker", "Block")
    assert QUICK.threshold < blocked.seconds <= BLOCKS + 0.1
    assert "in dawdle" in blocked.stack


async def test_what_blocks_outside_any_actor_is_named_by_its_task(reports: Reports) -> None:
    async def host() -> None:
        dawdle()

    async with System(watchdog=QUICK):
        await asyncio.create_task(host(), name="the host")

    assert "outside any actor, in the task the host" in reports.lines[0][1]


async def test_a_callback_that_blocks_is_found_without_a_task(reports: Reports) -> None:
    def callback() -> None:
        dawdle()

    async with System(watchdog=QUICK):
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(BLOCKS)

    assert "outside any actor, in a callback" in reports.lines[0][1]
    assert ".callback" in reports.lines[0][1].splitlines()[1]


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="needs to see what a thread computes")
async def test_a_call_that_lets_no_thread_run_is_named_when_it_is_over(reports: Reports) -> None:
    async with System(watchdog=QUICK) as system:
        blocker = await system.spawn(Blocker, name="blocker")

        await blocker.ask(Compute())

    assert "blocker handles Compute" in reports.lines[0][1]
    assert "in Blocker.compute" in reports.lines[0][1].splitlines()[1]


@pytest.mark.parametrize("batch", [200, 2_000], ids=["starving other threads", "letting them run"])
async def test_a_busy_loop_that_turns_is_not_reported(batch: int, reports: Reports) -> None:
    until = time.monotonic() + 0.6
    async with System(watchdog=Watchdog(threshold=0.4)) as system:  # also on a machine that is busy with other tests
        blocker = await system.spawn(Blocker)

        while time.monotonic() < until:
            for _ in range(batch):
                blocker.tell(Count())
            await blocker.ask(Count())

    assert reports.lines == []


async def test_the_thread_ends_with_the_system() -> None:
    async with System(watchdog=QUICK):
        assert len(watchdogs()) == 1

    assert watchdogs() == []


async def test_a_system_without_a_watchdog_has_no_thread() -> None:
    async with System(watchdog=None):
        assert watchdogs() == []


async def test_a_system_has_a_watchdog_unless_told_otherwise() -> None:
    async with System():
        assert len(watchdogs()) == 1


@simulated(seeds=range(2))
async def test_a_simulation_has_no_thread() -> None:
    async with System(watchdog=QUICK):
        await asyncio.sleep(3600)

        assert watchdogs() == []


async def test_the_thread_ends_with_a_system_that_does_not_start() -> None:
    seen: list[int] = []

    class Broken(Blocker):
        async def on_start(self) -> None:
            seen.append(len(watchdogs()))
            raise OSError("no")

    with pytest.raises(StartFailed):
        async with System(tree=Child(Broken, name="broken"), watchdog=QUICK):
            pass

    assert seen[0] == 1
    assert watchdogs() == []


def test_a_loop_that_rests_between_two_runs_is_not_reported(reports: Reports) -> None:
    with asyncio.Runner() as runner:
        watchdog = runner.run(watching(runner.get_loop()))

        time.sleep(0.15)
        runner.run(asyncio.sleep(0))
        watchdog.close()

    assert reports.lines == []


def test_a_loop_that_closes_ends_the_thread_without_an_error(reports: Reports) -> None:
    with asyncio.Runner() as runner:
        runner.run(watching(runner.get_loop()))

    for thread in watchdogs():
        thread.join(1.0)

    assert (watchdogs(), reports.lines) == ([], [])


def test_a_loop_that_closes_after_it_blocked_ends_the_thread_without_an_error(reports: Reports) -> None:
    async def blocks() -> None:
        await watching(asyncio.get_running_loop())
        dawdle()

    asyncio.run(blocks())
    for thread in watchdogs():
        thread.join(1.0)

    assert watchdogs() == []
    assert [text for _, text in reports.lines if not text.startswith("the event loop")] == []


async def watching(loop: asyncio.AbstractEventLoop) -> WatchdogThread:
    return WatchdogThread(QUICK, loop, lambda task: None, Events())


async def test_a_look_that_fails_does_not_end_the_thread(reports: Reports) -> None:
    def fails(task: asyncio.Task[object]) -> tuple[str, str] | None:
        raise LookupError("who?")

    watchdog = WatchdogThread(QUICK, asyncio.get_running_loop(), fails, Events())
    for _ in range(2):
        dawdle()
        await asyncio.sleep(0)
    watchdog.close()

    assert {text for _, text in reports.lines} == {"the watchdog could not look at the event loop; it goes on"}
    assert 2 <= len(reports.lines) <= 2 * BLOCKS / QUICK.threshold


async def test_a_worker_that_rests_runs_no_actor() -> None:
    async with System() as system:
        blocker = await system.spawn(Blocker)
        await blocker.ask(Count())
        await asyncio.sleep(0)

        scheduler = system.kernel.scheduler
        assert [scheduler.running(task) for task in asyncio.all_tasks() if task.get_name() == "choragus:worker"] == [
            None
        ]


@pytest.mark.parametrize("threshold", [0.0, 0.019, -1.0, float("nan"), float("inf")])
def test_a_threshold_must_be_finite_and_measurable(threshold: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^Watchdog\(threshold={threshold!r}\) takes .*0\.02 .* System\(watchdog=None\)"
    ):
        Watchdog(threshold=threshold)


@define
class Times:
    """Two clocks that a test turns."""

    now: float = 100.0
    computed: float = 7.0


def test_a_lap_in_which_the_process_was_stopped_counts_for_the_most_that_it_may() -> None:
    times = Times()
    stopwatch = Stopwatch(lambda: times.now, lambda: times.computed)

    times.now += 3600.0
    times.computed += 0.1

    assert stopwatch.lap(0.5) == 0.5


def test_a_lap_in_which_the_thread_computed_counts_in_full() -> None:
    times = Times()
    stopwatch = Stopwatch(lambda: times.now, lambda: times.computed)

    times.now += 3.0
    times.computed += 2.75

    assert stopwatch.lap(0.5) == 2.75


def test_each_lap_begins_where_the_last_one_ended() -> None:
    times = Times()
    stopwatch = Stopwatch(lambda: times.now, lambda: times.computed)

    times.now += 0.25
    stopwatch.lap(0.5)
    times.now += 0.125

    assert stopwatch.lap(0.5) == 0.125


async def test_a_thread_that_has_ended_has_computed_nothing(until: Until) -> None:
    clocks = []
    thread = threading.Thread(target=lambda: clocks.append(computed_by(threading.get_ident())))
    thread.start()
    thread.join()

    await until(lambda: clocks[0]() == 0.0)


def test_a_thread_that_is_gone_has_no_stack() -> None:
    assert stack_of(0) == ""


@pytest.mark.parametrize(
    ("packages", "left"),
    [
        (["main", "anyio", "asyncio", "choragus", "shop", "json"], ["shop", "json"]),
        (["main", "choragus", "anyio", "asyncio", "choragus", "shop"], ["shop"]),
        (["main", "asyncio", "choragus", "shop", "choragus", "attr"], ["shop", "choragus", "attr"]),
        (["main", "asyncio", "choragus"], ["main", "asyncio", "choragus"]),
        (["main", "other"], ["main", "other"]),
        ([], []),
    ],
    ids=["usual", "runner", "calls us", "only ours", "other loop", "none"],
)
def test_a_stack_begins_at_the_handler(packages: list[str], left: list[str]) -> None:
    places = [(package, FrameSummary("f.py", 1, package)) for package in packages]

    assert [package for package, _ in handler_on(places)] == left
