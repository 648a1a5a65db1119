"""What a handler does to its task and its context reaches nobody else."""

from __future__ import annotations

import asyncio
import decimal
from collections.abc import Callable
from contextvars import ContextVar

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.event import DeadLetter
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.mailbox.codec import stored
from choragus.supervision.spec import Child, DynamicSupervisor, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System

MARK: ContextVar[object] = ContextVar("mark", default="clean")


@frozen
class Look(Request[object]):
    pass


@frozen
class LookLater(Request[object]):
    pass


@frozen
class Do(Request[object]):
    what: Callable[[Subject], object]


@frozen
class DoLater(Request[object]):
    what: Callable[[Subject], object]


class Subject(Actor[Look | LookLater | Do | DoLater]):
    def __init__(self, started: list[object] | None = None) -> None:
        self.born = MARK.get()

    @handle
    def look(self, message: Look) -> object:
        return MARK.get()

    @handle
    async def look_later(self, message: LookLater) -> object:
        await asyncio.sleep(1)
        return MARK.get()

    @handle
    def do(self, message: Do) -> object:
        return message.what(self)

    @handle
    async def do_later(self, message: DoLater) -> object:
        await asyncio.sleep(1)
        return message.what(self)


def crowd() -> System:
    return System(tree=DynamicSupervisor(name="t", strategy=OneForOne(max_restarts=99, within=600)), clock=clock)


async def spawn(
    system: System, kind: type[Subject] = Subject, name: str = "one"
) -> Ref[Look | LookLater | Do | DoLater]:
    return await system.supervisor("t").start_child(Child(kind, name=name))


def mark(subject: Subject) -> None:
    MARK.set("dirty")


def mark_and_fail(subject: Subject) -> None:
    MARK.set("dirty")
    raise RuntimeError("no")


def mark_in_pipe(subject: Subject) -> None:
    async def soon() -> None:
        MARK.set("dirty")

    def made(value: None) -> Do:
        MARK.set("dirty")
        return Do(lambda _: None)

    subject.pipe_to_self(soon(), made)


@pytest.mark.parametrize("what", [mark, mark_and_fail, mark_in_pipe])
@pytest.mark.parametrize("kind", [Do, DoLater])
@simulated(seeds=range(5))
async def test_what_a_handler_sets_reaches_no_other_message(
    kind: type[Do] | type[DoLater], what: Callable[[Subject], object]
) -> None:
    async with crowd() as system:
        one, other = await spawn(system), await spawn(system, name="other")
        one.tell(kind(what))
        asks = [ref.ask(look) for ref in (one, other, one) for look in (Look(), LookLater())]

        assert await asyncio.gather(*asks) == ["clean"] * 6
        assert await one.ask(Look()) == "clean"


@simulated(seeds=range(5))
async def test_what_a_handler_sets_is_there_for_the_rest_of_it_and_for_its_tasks() -> None:
    async def child() -> object:
        return MARK.get()

    class Sets(Subject):
        @handle
        async def do_later(self, message: DoLater) -> object:
            MARK.set("mine")
            await asyncio.sleep(1)
            return MARK.get(), await asyncio.create_task(child())

    async with crowd() as system:
        assert await (await spawn(system, Sets)).ask(DoLater(mark)) == ("mine", "mine")


@simulated(seeds=range(5))
async def test_what_on_start_and_on_stop_set_reaches_no_message() -> None:
    class Sets(Subject):
        async def on_start(self) -> None:
            MARK.set("dirty")

        async def on_stop(self) -> None:
            MARK.set("dirty")

    async with crowd() as system:
        one = await spawn(system, Sets)
        assert await one.ask(Look()) == "clean"
        await system.supervisor("t").stop_child("one")
        assert await (await spawn(system)).ask(Look()) == "clean"


@simulated(seeds=range(5))
async def test_what_a_handler_sets_before_it_fails_does_not_reach_the_next_incarnation() -> None:
    async with crowd() as system:
        one = await spawn(system)
        one.tell(Do(mark_and_fail))

        assert await one.ask(Do(lambda subject: subject.born)) == "clean"


@simulated(seeds=range(5))
async def test_what_a_handler_sets_before_its_supervisor_gives_up_does_not_reach_the_new_children() -> None:
    children = [Child(Subject, name="one"), Child(Subject, name="other", restart=Restart.TEMPORARY)]
    inner = Supervisor(name="inner", strategy=OneForOne(max_restarts=0), children=children)
    async with System(tree=inner, clock=clock) as system:
        system.find(Subject, "inner/one").tell(Do(mark_and_fail))
        await settled()

        assert await system.find(Subject, "inner/other").ask(Do(lambda subject: subject.born)) == "clean"


@simulated(seeds=range(5))
async def test_every_worker_sees_of_the_host_what_was_set_before_the_system() -> None:
    before = MARK.set("host's")
    try:
        async with crowd() as system:
            actors = [await spawn(system, name=f"n{n}") for n in range(5)]
            MARK.set("later")
            asks = [actor.ask(LookLater()) for actor in actors] + [actor.ask(Look()) for actor in actors]

            assert set(await asyncio.gather(*asks)) == {"host's"}
    finally:
        MARK.reset(before)


@simulated(seeds=range(5))
async def test_decimals_precision_changed_in_a_handler_reaches_nobody() -> None:
    def narrow(subject: Subject) -> None:
        decimal.getcontext().prec = 3

    def third(subject: Subject) -> object:
        return len(str(decimal.Decimal(1) / 3))

    ours = decimal.getcontext().prec  # the host's context has one now
    async with crowd() as system:
        one, other = await spawn(system), await spawn(system, name="other")
        one.tell(Do(narrow))

        assert [await ref.ask(kind(third)) for ref in (one, other) for kind in (Do, DoLater)] == [30] * 4
    assert decimal.getcontext().prec == ours


class Strange:
    """As an array: it does not say whether it is equal."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]  # as an array


@pytest.mark.parametrize("fails", [False, True])
@simulated(seeds=range(3))
async def test_a_value_that_cannot_be_compared_does_no_harm(fails: bool) -> None:
    def set_(subject: Subject) -> None:
        MARK.set(Strange())
        if fails:
            raise RuntimeError("no")

    first = Strange()
    before = MARK.set(first)
    try:
        async with crowd() as system:
            one = await spawn(system)
            one.tell(Do(set_))

            assert await one.ask(Look()) is first
    finally:
        MARK.reset(before)


def cancel(subject: Subject) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def tasks_cancellations(subject: Subject) -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@pytest.mark.parametrize("kind", [Do, DoLater])
@simulated(seeds=range(5))
async def test_a_worker_that_a_handler_cancelled_runs_nothing_more(kind: type[Do] | type[DoLater]) -> None:
    async with crowd() as system:
        one, other = await spawn(system), await spawn(system, name="other")
        one.tell(kind(cancel))
        asks = [ref.ask(ask) for ref in (one, other, one) for ask in (LookLater(), Do(tasks_cancellations))]

        assert await asyncio.gather(*asks) == ["clean", 0] * 3


@simulated(seeds=range(5))
async def test_after_a_worker_has_retired_the_rest_is_handled_at_once_and_in_order() -> None:
    order: list[int] = []
    async with crowd() as system:
        one = await spawn(system)
        for n in range(50):
            one.tell(Do(mark))
            one.tell(Do(lambda _, n=n: order.append(n)))  # type: ignore[misc]  # a default that binds n
        await settled()

        assert order == list(range(50))
        assert asyncio.get_running_loop().time() == 0


@simulated(seeds=range(20))
async def test_a_worker_that_is_cancelled_just_as_it_is_woken_leaves_no_mail_behind() -> None:
    async with crowd() as system:
        one = await spawn(system)
        worker = await one.ask(Do(lambda _: asyncio.current_task()))
        assert isinstance(worker, asyncio.Task)
        await settled()

        one.tell(Do(mark))
        worker.cancel()
        await settled()

        assert await one.ask(Look(), timeout=1.0) == "clean"


@pytest.mark.parametrize("late", [0.0, 1.0])
@simulated(seeds=range(10))
async def test_a_cancellation_that_comes_when_the_handler_is_over_hangs_nothing(late: float) -> None:
    def cancel_later(subject: Subject) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(late, task.cancel)

    async with crowd() as system:
        one = await spawn(system)
        one.tell(Do(cancel_later))
        await asyncio.sleep(late)

        assert await one.ask(Look(), timeout=5.0) == "clean"


# Who speaks.


@stored("context_test.state")
@define
class Nothing:
    pass


@stored("context_test.speak")
@frozen
class Speak:
    pass


class Lasting(DurableActor[Nothing, Speak], name="context_test.lasting"):
    @handle
    def speak(self, message: Speak) -> None:
        TARGETS[0].tell(Look())


TARGETS: list[Ref[Look]] = []


def tell(subject: Subject) -> None:
    TARGETS[0].tell(Look())


def tell_by_task(subject: Subject) -> None:
    async def child() -> None:
        TARGETS[0].tell(Look())

    TASKS.append(asyncio.ensure_future(child()))


def tell_by_pipe(subject: Subject) -> None:
    async def child() -> None:
        TARGETS[0].tell(Look())

    subject.pipe_to_self(child(), lambda _: Do(lambda _: None))


TASKS: list[asyncio.Future[None]] = []


async def senders(*senders: Callable[[System], object], kind: type[Subject] = Subject) -> list[str]:
    """Who sent to an actor that has ended, as its dead letters say."""
    letters: list[str] = []
    async with System(
        tree=DynamicSupervisor(name="t", strategy=OneForOne(max_restarts=99, within=600)), actors=[Lasting], clock=clock
    ) as system:
        TARGETS[:] = [await spawn(system, name="gone")]
        await system.supervisor("t").stop_child("gone")
        system.events.subscribe(lambda event: letters.append(event.sender), DeadLetter)
        await spawn(system, kind)
        for sender in senders:
            sender(system)
        await asyncio.sleep(5)
        await system.supervisor("t").stop_child("one")
    return letters


def one(what: Callable[[Subject], object], kind: type[Do] | type[DoLater] = Do) -> Callable[[System], None]:
    return lambda system: system.find(Subject, "t/one").tell(kind(what))


@pytest.mark.parametrize("kind", [Do, DoLater])
@pytest.mark.parametrize("what", [tell, tell_by_task, tell_by_pipe])
@simulated(seeds=range(3))
async def test_the_sender_is_the_actor_whose_handler_it_is(
    what: Callable[[Subject], object], kind: type[Do] | type[DoLater]
) -> None:
    assert await senders(one(what, kind)) == ["t/one"]


@simulated(seeds=range(3))
async def test_the_sender_is_empty_for_the_host() -> None:
    assert await senders(one(mark), lambda system: TARGETS[0].tell(Look())) == [""]


@simulated(seeds=range(3))
async def test_the_sender_is_the_durable_actor_whose_turn_it_is() -> None:
    assert await senders(lambda system: system.ref(Lasting, "a").tell(Speak())) == ["context_test.lasting/a"]


class Hooks(Subject):
    async def on_start(self) -> None:
        TARGETS[0].tell(Look())

    async def on_stop(self) -> None:
        TARGETS[0].tell(Look())


@simulated(seeds=range(3))
async def test_the_sender_is_the_actor_whose_start_or_stop_it_is() -> None:
    assert await senders(kind=Hooks) == ["t/one", "t/one"]
