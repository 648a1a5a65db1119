"""R44: what an actor waits for beside its messages comes to itself, and fails as a handler does."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Event, Failed, Restarted
from choragus.actors.message import Request
from choragus.actors.testing import clock, settled, simulated
from choragus.supervision.errors import SystemFailed
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

MANY = OneForOne(max_restarts=100, within=600.0)


@frozen
class Got:
    value: object


@frozen
class Do(Request[None]):
    what: Callable[[Worker], object]


@frozen
class Hold:
    seconds: float


class Worker(Actor[Got | Do | Hold]):
    def __init__(self, got: list[object]) -> None:
        self.got = got

    @handle
    def take(self, message: Got) -> None:
        self.got.append(message.value)

    @handle
    def do(self, message: Do) -> None:
        message.what(self)

    @handle
    async def hold(self, message: Hold) -> None:
        await asyncio.sleep(message.seconds)


async def later(value: object, after: float = 1.0) -> object:
    await asyncio.sleep(after)
    if isinstance(value, BaseException):
        raise value
    return value


def pipe(awaitable: Callable[[], Awaitable[object]], *, failed: bool = False) -> Do:
    return Do(lambda worker: worker.pipe_to_self(awaitable(), Got, failed=(lambda e: Got(repr(e))) if failed else None))


def fail(worker: Worker) -> None:
    raise RuntimeError("no")


async def run(*messages: Do | Hold, until: float = 50.0, limit: int = 100) -> tuple[list[object], list[Event]]:
    """What came to a worker that gets these messages, and its events."""
    got: list[object] = []
    events: list[Event] = []
    child = Child(Worker, name="worker", args=(got,), mailbox=limit)
    async with System(tree=Supervisor(name="top", strategy=MANY, children=[child]), clock=clock) as system:
        system.events.subscribe(events.append)
        for message in messages:
            system.find(Worker, "top/worker").tell(message)
        await asyncio.sleep(until)
    gc.collect()  # what was never awaited warns now
    return got, events


@simulated(seeds=range(5))
async def test_what_is_piped_comes_as_a_message() -> None:
    assert await run(pipe(lambda: later("late", 2)), pipe(lambda: later("soon"))) == (["soon", "late"], [])


@simulated(seeds=range(5))
async def test_r44_an_error_without_failed_is_the_actors_failure() -> None:
    error = ValueError("no")

    got, events = await run(pipe(lambda: later(error)))

    assert (got, events) == ([], [Failed("top/worker", error, "later"), Restarted("top/worker", 2)])


@simulated(seeds=range(5))
async def test_r44_an_error_with_failed_is_a_message() -> None:
    assert await run(pipe(lambda: later(ValueError("no")), failed=True)) == (["ValueError('no')"], [])


@pytest.mark.parametrize("which", ["message", "failed"])
@simulated(seeds=range(3))
async def test_r44_an_error_in_making_the_message_is_the_actors_failure(which: str) -> None:
    def bad(value: object) -> Got:
        raise KeyError(which)

    outcome = ValueError("no") if which == "failed" else "fine"
    got, events = await run(Do(lambda worker: worker.pipe_to_self(later(outcome), bad, failed=bad)))

    assert got == []
    assert [type(event) for event in events] == [Failed, Restarted]
    assert isinstance(events[0], Failed)
    assert isinstance(events[0].error, KeyError)


@simulated(seeds=range(3))
async def test_r44_a_message_without_a_handler_is_the_actors_failure() -> None:
    _, events = await run(Do(lambda worker: worker.pipe_to_self(later(1), lambda _: "text")))  # type: ignore[arg-type,return-value]

    assert [type(event) for event in events] == [Failed, Restarted]


class Exits(BaseException):
    """No Exception."""


@simulated(seeds=range(3))
async def test_r26_an_error_that_is_no_exception_is_not_lost() -> None:
    with pytest.raises(SystemFailed) as ended:
        await run(pipe(lambda: later(Exits("out")), failed=True))

    assert isinstance(ended.value.exceptions[0].__cause__, Exits)


@simulated(seeds=range(5))
async def test_what_is_cancelled_elsewhere_is_an_error() -> None:
    async def main() -> object:
        task = asyncio.ensure_future(later("never", 5))
        asyncio.get_running_loop().call_later(1, task.cancel)
        return await task

    got, events = await run(pipe(main, failed=True))

    assert events == []
    assert str(got[0]).endswith("main, whose result was piped to the actor, was cancelled')")


@simulated(seeds=range(5))
async def test_the_task_of_a_pipe_can_be_cancelled() -> None:
    def begin(worker: Worker) -> None:
        task = worker.pipe_to_self(later("never"), Got, failed=lambda e: Got(repr(e)))
        asyncio.get_running_loop().call_later(0.5, task.cancel)

    assert await run(Do(begin)) == ([], [])


@simulated(seeds=range(5))
async def test_what_waits_when_the_incarnation_ends_is_cancelled() -> None:
    ended: list[str] = []

    async def never() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    got, _ = await run(pipe(never, failed=True), Hold(1), Do(fail))

    assert (got, ended) == ([], ["cancelled"])


@simulated(seeds=range(5))
async def test_what_has_come_when_the_incarnation_ends_is_not_for_the_next() -> None:
    class Frail(Worker):
        @handle
        async def hold(self, message: Hold) -> None:
            await asyncio.sleep(message.seconds)
            raise RuntimeError("no")

    got: list[object] = []
    child = Child(Frail, name="frail", args=(got,))
    async with System(tree=Supervisor(name="top", strategy=MANY, children=[child]), clock=clock) as system:
        frail = system.find(Frail, "top/frail")
        frail.tell(pipe(lambda: later("old", 1)))
        frail.tell(Hold(2))
        await asyncio.sleep(5)

    assert got == []


@simulated(seeds=range(5))
async def test_what_had_no_time_to_begin_leaves_no_warning() -> None:
    def begin_and_fail(worker: Worker) -> None:
        worker.pipe_to_self(later("never"), Got)
        raise RuntimeError("no")

    got, events = await run(Do(begin_and_fail))

    assert (got, [type(event) for event in events]) == ([], [Failed, Restarted])


@simulated(seeds=range(5))
async def test_the_end_of_the_actor_cancels_what_waits() -> None:
    got, events = await run(pipe(lambda: later("never", 2), failed=True), Do(lambda worker: worker.stop()))

    assert (got, [type(event) for event in events]) == ([], [Restarted])  # it is permanent


@simulated(seeds=range(5))
async def test_a_result_finds_room_in_a_full_mailbox() -> None:
    got, _ = await run(pipe(lambda: later("late")), Hold(2), Hold(2), limit=3)

    assert got == ["late"]


@simulated(seeds=range(3))
async def test_an_ask_that_is_piped_is_no_wait_of_the_handler() -> None:
    """So the one asked may ask back."""
    got: list[object] = []

    class Back(Actor[Do]):
        @handle
        async def ask_back(self, message: Do) -> None:
            await worker.ask(Do(lambda _: got.append("asked back")))

    class Busy(Worker):
        @handle
        async def hold(self, message: Hold) -> None:
            self.pipe_to_self(back.ask(Do(fail)), Got)
            await asyncio.sleep(message.seconds)

    async with System(clock=clock) as system:
        worker, back = await system.spawn(Busy, got), await system.spawn(Back)
        worker.tell(Hold(2))
        await asyncio.sleep(3)
        await settled()

    assert got == ["asked back", None]
