"""Handlers that fail, wait, are cancelled, and refuse to be."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest
from attrs import field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped
from choragus.actors.event import Event, Failed, Restarted, Zombie
from choragus.actors.message import Request
from choragus.actors.status import GRACE
from choragus.actors.testing.loop import running, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.errors import SystemFailed
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.supervisor import Node
from choragus.supervision.system import System

Watch = Callable[[System], list[Event]]

MANY = OneForOne(max_restarts=100, within=60.0)


@frozen
class Get(Request[int]):
    pass


@frozen
class Raise(Request[None]):
    error: BaseException = field(factory=lambda: RuntimeError("no"))


@frozen
class Wait(Request[str]):
    gate: asyncio.Event


@frozen
class Resist(Request[str]):
    """Swallows every cancellation until the gate opens."""

    gate: asyncio.Event


@frozen
class Within(Request[str]):
    pass


class Subject(Actor[Get | Raise | Wait | Resist | Within]):
    made = 0

    def __init__(self) -> None:
        self.handled = 0

    @handle
    def get(self, message: Get) -> int:
        self.handled += 1
        return self.handled

    @handle
    async def fail(self, message: Raise) -> None:
        raise message.error

    @handle
    async def wait(self, message: Wait) -> str:
        await message.gate.wait()
        return "waited"

    @handle
    async def resist(self, message: Resist) -> str:
        while not message.gate.is_set():
            try:
                await message.gate.wait()
            except asyncio.CancelledError:
                continue
        return "resisted"

    @handle
    async def within(self, message: Within) -> str:
        with anyio.move_on_after(1):
            await asyncio.sleep(10)
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(10)
        except TimeoutError:
            return "both"
        return "neither"


def tree(shutdown: float = 5.0) -> Supervisor:
    return Supervisor(name="top", strategy=MANY, children=[Child(Subject, name="subject", shutdown=shutdown)])


def top(system: System) -> Node:
    node = system._root.find("top")
    assert isinstance(node, Node)
    return node


@simulated(seeds=range(5))
async def test_a_failure_is_told_to_the_asker_with_its_cause_and_to_the_events(watch: Watch) -> None:
    async with System(tree=tree()) as system:
        events = watch(system)
        subject = system.find(Subject, "top/subject")
        error = RuntimeError("no")

        with pytest.raises(ActorFailed, match=r"^top/subject failed on Raise$") as failed:
            await subject.ask(Raise(error))

        assert failed.value.__cause__ is error
        assert events[0] == Failed("top/subject", error, "Raise")


@simulated(seeds=range(5))
async def test_r39_a_restart_keeps_ref_and_mailbox_and_drops_the_message_it_crashed_on(watch: Watch) -> None:
    async with System(tree=tree()) as system:
        events = watch(system)
        subject = system.find(Subject, "top/subject")
        assert [await subject.ask(Get()), await subject.ask(Get())] == [1, 2]

        subject.tell(Raise())
        waiting = [asyncio.ensure_future(subject.ask(Get())) for _ in range(3)]

        assert await asyncio.gather(*waiting) == [1, 2, 3]
        assert [type(event) for event in events] == [Failed, Restarted]
        assert events[1] == Restarted("top/subject", 2)


@simulated(seeds=range(5))
async def test_r35_a_cancellation_that_a_handler_raises_itself_is_a_failure(watch: Watch) -> None:
    async with System(tree=tree()) as system:
        events = watch(system)
        subject = system.find(Subject, "top/subject")

        with pytest.raises(ActorFailed) as failed:
            await subject.ask(Raise(asyncio.CancelledError()))

        assert isinstance(failed.value.__cause__, asyncio.CancelledError)
        assert await subject.ask(Get()) == 1
        assert Restarted("top/subject", 2) in events


@simulated(seeds=range(5))
async def test_messages_behind_a_cancelled_handler_go_back_and_are_handled_in_order() -> None:
    async with System(tree=tree()) as system:
        subject = system.find(Subject, "top/subject")
        subject.tell(Raise(asyncio.CancelledError()))

        waiting = [asyncio.ensure_future(subject.ask(Get())) for _ in range(5)]

        assert await asyncio.gather(*waiting) == [1, 2, 3, 4, 5]


@simulated(seeds=range(5))
async def test_timeouts_and_scopes_work_inside_a_handler() -> None:
    async with System(tree=tree()) as system:
        assert await system.find(Subject, "top/subject").ask(Within()) == "both"


@simulated(seeds=range(5))
async def test_stop_waits_for_the_handler_within_its_deadline() -> None:
    gate = asyncio.Event()
    async with System(tree=tree()) as system:
        asking = asyncio.ensure_future(system.find(Subject, "top/subject").ask(Wait(gate)))
        await settled()
        asyncio.get_running_loop().call_later(4.9, gate.set)

    assert await asking == "waited"


@simulated(seeds=range(5))
async def test_r31_past_its_deadline_a_handler_is_cancelled_and_its_asker_told(watch: Watch) -> None:
    async with System(tree=tree(shutdown=3.0)) as system:
        events = watch(system)
        asking = asyncio.ensure_future(system.find(Subject, "top/subject").ask(Wait(asyncio.Event())))
        await settled()
        began = running().time()

    assert running().time() - began == 3.0
    with pytest.raises(ActorStopped):
        await asking
    assert [type(event) for event in events] == [Failed]


@simulated(seeds=range(5))
async def test_r34_a_handler_that_swallows_cancellation_is_cut_off_and_does_not_hang_the_shutdown(
    watch: Watch,
) -> None:
    gate = asyncio.Event()
    async with System(tree=tree(shutdown=3.0)) as system:
        events = watch(system)
        scheduler = system.kernel.scheduler
        asking = asyncio.create_task(system.find(Subject, "top/subject").ask(Resist(gate)))
        await settled()
        began = running().time()
        await system._root.stop()
        assert running().time() - began == 3.0 + GRACE
        assert Zombie("top/subject", "Resist") in events
        with pytest.raises(ActorStopped):
            await asking
        gate.set()
        await settled()
        assert not scheduler._workers


@simulated(seeds=range(5))
async def test_a_handler_that_swallows_cancellation_but_ends_in_time_is_no_zombie(
    watch: Watch,
) -> None:
    gate = asyncio.Event()
    async with System(tree=tree(shutdown=0.0)) as system:
        events = watch(system)
        asking = asyncio.create_task(system.find(Subject, "top/subject").ask(Resist(gate)))
        await settled()
        asyncio.get_running_loop().call_later(GRACE / 2, gate.set)

    assert await asking == "resisted"
    assert events == []


@simulated(seeds=range(5))
async def test_a_worker_whose_handler_swallowed_a_cancellation_is_not_used_again() -> None:
    """A task that was cancelled stays so for whoever asks it."""
    counts: list[int] = []
    gate = asyncio.Event()

    class Looks(Actor[Get]):
        @handle
        def get(self, message: Get) -> int:
            task = asyncio.current_task()
            assert task is not None
            counts.append(task.cancelling())
            return 1

    async with System(tree=tree(shutdown=0.0)) as system:
        looks = await system.spawn(Looks)
        asking = asyncio.create_task(system.find(Subject, "top/subject").ask(Resist(gate)))
        await settled()
        stopping = asyncio.ensure_future(top(system).stop())
        await settled()
        gate.set()
        await asyncio.wait({stopping, asking})
        for _ in range(5):
            await looks.ask(Get())

    assert counts == [0] * 5


class Exits(BaseException):
    """As KeyboardInterrupt: no Exception."""


@simulated(seeds=range(5))
async def test_r26_an_error_that_is_no_exception_ends_the_system_and_is_not_eaten() -> None:
    error = Exits("out")

    with pytest.raises(SystemFailed) as ended:  # noqa: PT012  # the system ends within
        async with System(tree=tree()) as system:
            with pytest.raises(ActorFailed):
                await system.find(Subject, "top/subject").ask(Raise(error))
            await asyncio.sleep(1)

    assert error in [cause.__cause__ for cause in ended.value.exceptions]


# On a real loop: it is about what asyncio.run() does.
def test_a_handler_that_exits_the_process_leaves_an_orderly_shutdown_behind() -> None:
    stopped: list[str] = []

    class Last(Actor[Get]):
        @handle
        def get(self, message: Get) -> int:
            return 1

        async def on_stop(self) -> None:
            stopped.append(self.path)

    async def main() -> None:
        async with System(tree=[*[Child(Last, name="last")], tree()]) as system:
            system.find(Subject, "top/subject").tell(Raise(SystemExit(3)))
            await asyncio.sleep(10)

    with pytest.raises(SystemExit) as ended:
        asyncio.run(main())
    assert ended.value.code == 3
    assert stopped == ["last"]


async def test_failures_leave_no_exception_that_nobody_retrieves(recwarn: pytest.WarningsRecorder) -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async with System(tree=tree()) as system:
        subject = system.find(Subject, "top/subject")
        for error in (RuntimeError("no"), asyncio.CancelledError(), StopAsyncIteration()):
            subject.tell(Raise(error))
            asking = asyncio.create_task(subject.ask(Raise(error)))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait({asking})
        assert await subject.ask(Get()) == 1
    del asking, subject, system
    gc.collect()

    assert unhandled == []


@frozen
class Swallow:
    """Swallow one cancellation."""


class Swallowing(Actor[Swallow | Get]):
    """Says how many cancellations its task has on its account."""

    @handle
    async def swallow(self, message: Swallow) -> None:
        me = asyncio.current_task()
        assert me is not None
        asyncio.get_running_loop().call_later(1, me.cancel)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(10)

    @handle
    def get(self, message: Get) -> int:
        me = asyncio.current_task()
        return 0 if me is None else me.cancelling()


@simulated(seeds=range(5))
async def test_a_worker_that_swallowed_its_cancellation_handles_nothing_more() -> None:
    """From 3.13 on a task group would there cancel the worker again."""
    async with System() as system:
        actor = await system.spawn(Swallowing)
        actor.tell(Swallow())

        assert await actor.ask(Get()) == 0
