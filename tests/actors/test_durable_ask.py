"""Asking durable actors: from the host with and without a key, and from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.errors import AskTimeout, MessageParked, SystemStopped
from choragus.actors.event import DeadLetter, Event
from choragus.actors.message import AskFailed, Request
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Rejected
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .noted import Noted
from .stores import Reopen, on_each_store, pause, settle, wall

Watch = Callable[[System], list[Event]]
Crashing = Callable[[System], AbstractAsyncContextManager[System]]


@stored("test.ask.add")
@frozen
class Add(Request[int]):
    amount: int


@stored("test.ask.total")
@frozen
class Total(Request[int]):
    pass


@stored("test.ask.block")
@frozen
class Block(Request[None]):
    pass


@stored("test.ask.fail")
@frozen
class Fail(Request[int]):
    pass


@stored("test.ask.answer")
@frozen
class Answer:
    number: int


@stored("test.ask.question")
@frozen
class Question(Request[Answer]):
    kind: str


@stored("test.ask.start")
@frozen
class Start(Request[None]):
    kind: str
    timeout: float = 30.0


@stored("test.ask.heard")
@frozen
class Heard(Request[list[str]]):
    pass


@stored("test.ask.sum")
@define
class Sum:
    total: int = 0


@stored("test.ask.notes")
@define
class Notes:
    lines: list[str] = attrs.field(factory=list)


GATES: dict[str, asyncio.Event] = {}
CAME: Noted[str] = Noted()
"""The keys of those that came to their gate, outside every turn."""


async def at_the_gate(key: str) -> None:
    gate = GATES.setdefault(key, asyncio.Event())
    CAME.note(key)
    await gate.wait()


class Adder(DurableActor[Sum, Add | Total | Block | Fail], name="test.ask.adder"):
    @handle
    def add(self, message: Add) -> int:
        self.state.total += message.amount
        return self.state.total

    @handle
    def look(self, message: Total) -> int:
        return self.state.total

    @handle
    async def block(self, message: Block) -> None:
        await at_the_gate(self.key)

    @handle
    def fail(self, message: Fail) -> int:
        raise RuntimeError("no")


class Oracle(DurableActor[Sum, Question], name="test.ask.oracle"):
    @handle
    async def question(self, message: Question) -> Answer:
        match message.kind:
            case "fails":
                raise RuntimeError("no")
            case "slow":
                await at_the_gate(self.key)
        return Answer(42)


class Asker(DurableActor[Notes, Start | Heard], name="test.ask.asker"):
    @handle
    def start(self, message: Start) -> None:
        oracle = self.ref(Oracle, "o")
        self.ask(oracle, Question(message.kind), then=self.answered, about=message.kind, timeout=message.timeout)

    @reply
    def answered(self, message: Answer | AskFailed) -> None:
        text = str(message.number) if isinstance(message, Answer) else f"{message.actor}: {message.reason}"
        self.state.lines.append(f"{self.about}: {text}")

    @handle
    def heard(self, message: Heard) -> list[str]:
        return self.state.lines


def open_system(store: Store) -> System:
    backoff = Backoff(first=0.001, most=0.001)
    regions = [Region(one, attempts=2, backoff=backoff) for one in (Adder, Oracle, Asker)]
    return System(store=store, actors=regions, clock=wall)


def forget() -> None:
    """What an earlier run did."""
    GATES.clear()
    CAME.forget()


async def heard(system: System) -> list[str]:
    return await system.ref(Asker, "a").ask(Heard())


@on_each_store()
async def test_s26_a_key_makes_an_ask_happen_once_and_gives_the_first_reply_again(reopen: Reopen) -> None:
    forget()
    async with open_system(await reopen()) as system:
        adder = system.ref(Adder, "a")

        assert [await adder.ask(Add(5), key="k"), await adder.ask(Add(7), key="k")] == [5, 5]
        assert await adder.ask(Add(1), key="other") == 6

    async with open_system(await reopen()) as system:
        assert await system.ref(Adder, "a").ask(Add(9), key="k") == 5
        assert await system.ref(Adder, "a").ask(Total()) == 6


@on_each_store()
async def test_asks_with_one_key_at_the_same_time_all_get_the_first_reply(reopen: Reopen) -> None:
    forget()
    async with open_system(await reopen()) as system:
        adder = system.ref(Adder, "a")

        replies = await asyncio.gather(*(adder.ask(Add(number), key="k", timeout=5) for number in range(1, 20)))

        assert len(set(replies)) == 1
        assert await adder.ask(Total()) == replies[0]
        assert not system.kernel.asked._replies


@simulated(seeds=range(5))
async def test_an_ask_that_joins_while_the_first_turn_commits_gets_its_reply() -> None:
    """The second append and the turn that answers the first stand in one batch."""
    forget()

    class Gated(MemoryStore):
        async def commit(self, batch: Batch) -> Committed | Rejected:
            if any(turn.actor.endswith("/other") for turn in batch.turns):
                await gate.wait()
            return await super().commit(batch)

    gate = asyncio.Event()
    async with open_system(Gated()) as system:
        adder = system.ref(Adder, "a")
        first = asyncio.ensure_future(adder.ask(Block(), key="k", timeout=5))
        await CAME.reaches(1)
        other = asyncio.ensure_future(system.ref(Adder, "other").ask(Total()))
        await settle()  # a commit is under way
        GATES["a"].set()
        await settle()  # the first turn waits for the next
        second = asyncio.ensure_future(adder.ask(Block(), key="k", timeout=5))
        await settle()  # and so does the second message
        gate.set()

        assert [await first, await second, await other] == [None, None, 0]  # type: ignore[func-returns-value]


@simulated(seeds=range(5))
async def test_an_ask_with_the_key_of_a_parked_message_says_so() -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        adder = system.ref(Adder, "a")
        for _ in range(2):
            with pytest.raises(MessageParked, match=r"failed 2 times, last with RuntimeError: no"):
                await adder.ask(Fail(), key="k", timeout=5)


@on_each_store()
async def test_a_keyed_ask_resumes_over_a_crash(reopen: Reopen, crashing: Crashing) -> None:
    forget()
    async with crashing(open_system(await reopen())) as system:
        adder = system.ref(Adder, "a")
        adder.tell(Block())
        asking = asyncio.ensure_future(adder.ask(Add(5), key="k"))
        await CAME.reaches(1)
        await system.ref(Adder, "last").send(Total())
    with pytest.raises(SystemStopped):
        await asking

    async with open_system(await reopen()) as system:
        asking = asyncio.ensure_future(system.ref(Adder, "a").ask(Add(5), key="k"))
        await settle()
        GATES["a"].set()
        assert await asking == 5
        assert await system.ref(Adder, "a").ask(Total()) == 5


@simulated(seeds=range(5))
async def test_a_timed_out_ask_is_handled_all_the_same_and_its_late_reply_is_a_dead_letter(watch: Watch) -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        events = watch(system)
        adder = system.ref(Adder, "a")
        GATES["a"] = asyncio.Event()
        adder.tell(Block())

        with pytest.raises(AskTimeout, match=r"^test\.ask\.adder/a did not answer Add within 3 s"):
            await adder.ask(Add(5), timeout=3.0)
        GATES["a"].set()

        assert await adder.ask(Total()) == 5
        await settled()
        assert DeadLetter("test.ask.adder/a", 5) in events
        assert not system.kernel.asked._replies


@simulated(seeds=range(5))
async def test_an_ask_that_waits_when_the_system_stops_is_told_that_it_is_durable() -> None:
    forget()
    store = MemoryStore()
    async with System(store=store, actors=[Adder], shutdown=3.0) as system:
        GATES["a"] = asyncio.Event()
        system.ref(Adder, "a").tell(Block())
        asking = asyncio.ensure_future(system.ref(Adder, "a").ask(Add(5)))
        await settle()

    with pytest.raises(SystemStopped, match=r"what is on disk is handled next time$"):
        await asking
    GATES["a"].set()
    async with System(store=store, actors=[Adder]) as system:
        assert await system.ref(Adder, "a").ask(Total()) == 5


@on_each_store()
async def test_a_reply_comes_as_a_message_with_what_it_is_about(reopen: Reopen) -> None:
    forget()
    async with open_system(await reopen()) as system:
        await system.ref(Asker, "a").ask(Start("plain"))

        while not (lines := await heard(system)):
            await pause()
        assert lines == ["plain: 42"]
        assert await system.kernel.store.next_due(0.0) is None


@simulated(seeds=range(5))
async def test_a_question_that_is_parked_comes_back_as_a_failure() -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        await system.ref(Asker, "a").ask(Start("fails"))

        while not (lines := await heard(system)):
            await pause()
        assert lines == ["fails: test.ask.oracle/o: failed 2 times, last with RuntimeError: no"]


@simulated(seeds=range(5))
async def test_a_question_without_answer_times_out_and_the_late_reply_is_dropped() -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        await system.ref(Asker, "a").ask(Start("slow", timeout=20.0))

        while not (lines := await heard(system)):
            await pause()
        assert lines == ["slow: test.ask.oracle/o: no reply within 20 s"]
        GATES["o"].set()
        await asyncio.sleep(1)
        assert await heard(system) == lines


@on_each_store()
async def test_a_question_is_asked_once_over_a_crash(reopen: Reopen, crashing: Crashing) -> None:
    forget()
    async with crashing(open_system(await reopen())) as system:
        await system.ref(Asker, "a").ask(Start("slow"))
        await CAME.reaches(1)

    async with open_system(await reopen()) as system:
        GATES["o"].set()
        while not (lines := await heard(system)):
            await pause()
        await settle()
        assert await heard(system) == lines == ["slow: 42"]


@simulated(seeds=range(5))
async def test_an_inner_ask_needs_time_and_a_durable_target() -> None:
    forget()

    @stored("test.ask.bad")
    @frozen
    class Bad(Request[None]):
        timeout: float

    class Asks(DurableActor[Notes, Bad], name="test.ask.asks"):
        @handle
        def bad(self, message: Bad) -> None:
            self.ask(self.ref(Oracle, "o"), Question("x"), then=self.answered, timeout=message.timeout)

        @reply
        def answered(self, message: Answer | AskFailed) -> None: ...

    async with System(actors=[Region(Asks, attempts=1), Oracle]) as system:
        with pytest.raises(
            MessageParked, match=r"ValueError: timeout=0\.0 for asking test\.ask\.oracle/o: give seconds ab"
        ):
            await system.ref(Asks, "a").ask(Bad(0.0))
