"""What an ask gives back can be used as a future and as a coroutine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import anyio
import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, AskTimeout
from choragus.actors.event import DeadLetter
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.reply import Reply
from choragus.actors.testing import clock, settled, simulated
from choragus.supervision.strategy import Restart
from choragus.supervision.system import System


@frozen
class Echo(Request[str]):
    text: str = "hello"
    after: float = 1.0


class Answers(Actor[Echo]):
    @handle
    async def echo(self, message: Echo) -> str:
        await asyncio.sleep(message.after)
        if message.text == "bad":
            raise RuntimeError("no")
        return message.text


Answerer = Ref[Echo]
Use = Callable[[Answerer, Echo], Awaitable[object]]


async def awaits(ref: Answerer, message: Echo) -> object:
    return await ref.ask(message)


async def gathers(ref: Answerer, message: Echo) -> object:
    return (await asyncio.gather(ref.ask(message)))[0]


async def waits_for(ref: Answerer, message: Echo) -> object:
    return await asyncio.wait_for(ref.ask(message), 10)


async def shields(ref: Answerer, message: Echo) -> object:
    return await asyncio.shield(ref.ask(message))


async def times_out(ref: Answerer, message: Echo) -> object:
    async with asyncio.timeout(10):
        return await ref.ask(message)


async def creates_task(ref: Answerer, message: Echo) -> object:
    return await asyncio.create_task(ref.ask(message))


async def ensures_future(ref: Answerer, message: Echo) -> object:
    return await asyncio.ensure_future(ref.ask(message))


async def groups(ref: Answerer, message: Echo) -> object:
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ref.ask(message))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return task.result()


async def completes(ref: Answerer, message: Echo) -> object:
    (reply,) = [await one for one in asyncio.as_completed([ref.ask(message)])]
    return reply


async def wraps(ref: Answerer, message: Echo) -> object:
    async def inner() -> object:
        return await ref.ask(message)

    return await asyncio.create_task(inner())


USES: list[Use] = [
    awaits,
    gathers,
    waits_for,
    shields,
    times_out,
    creates_task,
    ensures_future,
    groups,
    completes,
    wraps,
]


async def spawn(system: System) -> Answerer:
    return await system.spawn(Answers, name="answers", restart=Restart.TEMPORARY)


@pytest.mark.parametrize("use", USES)
@simulated(seeds=range(3))
async def test_the_reply_is_delivered(use: Use) -> None:
    async with System(clock=clock) as system:
        assert await use(await spawn(system), Echo("hello")) == "hello"


@pytest.mark.parametrize("use", USES)
@simulated(seeds=range(3))
async def test_the_reply_is_delivered_when_it_is_there_already(use: Use) -> None:
    async with System(clock=clock) as system:
        assert await use(await spawn(system), Echo("now", after=0.0)) == "now"


@pytest.mark.parametrize("use", USES)
@simulated(seeds=range(1))
async def test_a_failure_is_delivered_once(use: Use) -> None:
    """The simulation fails when an exception is left that nobody looked at."""
    async with System(clock=clock) as system:
        with pytest.raises(ActorFailed, match=r"^answers failed on Echo$"):
            await use(await spawn(system), Echo("bad"))
        gc.collect()


@pytest.mark.parametrize("use", USES)
@simulated(seeds=range(3))
async def test_whoever_is_cancelled_gives_the_reply_up_and_a_late_one_is_a_dead_letter(use: Use) -> None:
    async with System(clock=clock) as system:
        letters: list[object] = []
        system.events.subscribe(lambda event: letters.append(event.message), DeadLetter)
        answers = await spawn(system)
        using = asyncio.ensure_future(use(answers, Echo("late")))
        await asyncio.sleep(0.5)
        using.cancel()
        await asyncio.sleep(3)

        assert using.cancelled()
        assert letters == ([] if use in (shields, completes) else ["late"])


@simulated(seeds=range(5))
async def test_a_task_of_it_that_is_cancelled_before_it_begins_gives_the_reply_up() -> None:
    async with System(clock=clock) as system:
        letters: list[object] = []
        system.events.subscribe(lambda event: letters.append(event.message), DeadLetter)
        task = asyncio.create_task((await spawn(system)).ask(Echo("late")))
        task.cancel()
        await asyncio.sleep(3)

        assert (task.cancelled(), letters) == (True, ["late"])


@simulated(seeds=range(5))
async def test_anyios_task_groups_take_it_and_can_be_cancelled() -> None:
    async with System(clock=clock) as system:
        letters: list[object] = []
        system.events.subscribe(lambda event: letters.append(event.message), DeadLetter)
        answers = await spawn(system)
        async with anyio.create_task_group() as group:
            group.start_soon(answers.ask, Echo("in time"))
        async with anyio.create_task_group() as group:
            group.start_soon(answers.ask, Echo("late"))
            await anyio.sleep(0.5)
            group.cancel_scope.cancel()
        await asyncio.sleep(3)

        assert letters == ["late"]


@simulated(seeds=range(5))
async def test_anyios_scopes_break_off_a_wait_for_it() -> None:
    async with System(clock=clock) as system:
        answers = await spawn(system)
        with anyio.move_on_after(0.5) as scope:
            await answers.ask(Echo())

        assert scope.cancelled_caught


@simulated(seeds=range(3))
async def test_replies_come_as_they_are_completed() -> None:
    async with System(clock=clock) as system:
        actors = [await system.spawn(Answers) for _ in range(3)]
        asks = [actor.ask(Echo(str(after), after)) for actor, after in zip(actors, (3.0, 1.0, 2.0), strict=True)]

        assert [await one for one in asyncio.as_completed(asks)] == ["1.0", "2.0", "3.0"]


@pytest.mark.parametrize("text", ["hello", "bad"])
@simulated(seeds=range(3))
async def test_a_reply_may_be_awaited_by_several_and_again(text: str) -> None:
    async with System(clock=clock) as system:
        reply = (await spawn(system)).ask(Echo(text))
        first = await asyncio.gather(reply, asyncio.create_task(wait(reply)), wait(reply), return_exceptions=True)

        assert [str(one) for one in first] == ["hello" if text == "hello" else "answers failed on Echo"] * 3


async def wait(reply: Awaitable[str]) -> str:
    return await reply


@simulated(seeds=range(1))
async def test_an_ask_that_is_never_awaited_is_handled_all_the_same() -> None:
    """And is nothing to warn of: warnings are errors here."""
    async with System(clock=clock) as system:
        answers = await spawn(system)
        asks = [answers.ask(Echo())]
        await asyncio.sleep(2)
        asks.clear()
        gc.collect()

        assert await answers.ask(Echo()) == "hello"


@simulated(seeds=range(3))
async def test_an_ask_times_out_once_and_its_late_reply_is_a_dead_letter() -> None:
    async with System(clock=clock) as system:
        letters: list[object] = []
        system.events.subscribe(lambda event: letters.append(event.message), DeadLetter)
        with pytest.raises(AskTimeout, match=r"^answers did not answer Echo within 0\.5 s; it may still do so$"):
            await (await spawn(system)).ask(Echo(), timeout=0.5)
        await asyncio.sleep(1)

        assert letters == ["hello"]


@simulated(seeds=range(1))
async def test_the_timeouts_of_many_asks_share_one_timer() -> None:
    loop = asyncio.get_running_loop()
    async with System(clock=clock) as system:
        answers = await spawn(system)
        await settled()
        before = len(loop._scheduled)  # type: ignore[attr-defined]  # every event loop has it
        asks = [answers.ask(Echo(after=0.0)) for _ in range(500)]

        assert len(loop._scheduled) <= before + 1  # type: ignore[attr-defined]
        assert await asyncio.gather(*asks) == ["hello"] * 500


@simulated(seeds=range(1))
async def test_thousands_of_asks_leave_nothing_behind() -> None:
    async with System(clock=clock) as system:
        answers = await spawn(system)
        for _ in range(3_000):
            await answers.ask(Echo(after=0.0))
        gc.collect()

        assert sum(isinstance(one, Reply) for one in gc.get_objects()) <= 128


class Forwards(Actor[Echo]):
    def __init__(self, to: Answerer) -> None:
        self.to = to

    @handle
    def echo(self, message: Echo) -> Awaitable[str]:
        return self.to.ask(message)


@simulated(seeds=range(3))
async def test_a_plain_handler_may_return_an_ask_of_another() -> None:
    async with System(clock=clock) as system:
        forwards = await system.spawn(Forwards, await spawn(system))

        assert await forwards.ask(Echo("passed on")) == "passed on"
