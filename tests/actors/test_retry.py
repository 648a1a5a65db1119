"""Messages that fail: attempts, parking, requeue, interruptions; and actors that cannot be loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorSuspended, MessageParked, TurnTimeout
from choragus.actors.event import Event, Failed, Parked, Restarted, Suspended, Zombie
from choragus.actors.message import AskFailed, Request
from choragus.actors.status import GRACE
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import Record, stored
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope, Parking, Snapshot
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .noted import Noted
from .stores import Reopen, on_each_store, wall

Watch = Callable[[System], list[Event]]
Crashing = Callable[[System], AbstractAsyncContextManager[System]]

SOON = Backoff(first=0.001, most=0.001)


@stored("test.retry.try")
@frozen
class Try(Request[int]):
    """Fails until it was tried so often."""

    succeeds_at: int


@stored("test.retry.hang")
@frozen
class Hang(Request[str]):
    swallows: bool = False
    times: int = 1000


@stored("test.retry.get")
@frozen
class Get(Request[int]):
    pass


@stored("test.retry.state")
@define
class Tries:
    done: int = 0
    parked: list[str] = attrs.field(factory=list)


TRIED: Noted[str] = Noted()
"""The key of each run of a handler: outside every turn."""

GATES: dict[str, asyncio.Event] = {}


class Subject(DurableActor[Tries, Try | Hang | Get], name="test.retry.subject"):
    turn_timeout = 5.0

    @handle
    def attempt(self, message: Try) -> int:
        self.state.done += 1
        TRIED.note(self.key)
        if TRIED.count(self.key) < message.succeeds_at:
            raise RuntimeError("not yet")
        return TRIED.count(self.key)

    @handle
    async def hang(self, message: Hang) -> str:
        self.state.done += 100
        TRIED.note(self.key)
        if TRIED.count(self.key) > message.times:
            return "ran"
        gate = GATES.setdefault(self.key, asyncio.Event())
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                if not message.swallows:
                    raise
        return "late"

    @handle
    def get(self, message: Get) -> int:
        return self.state.done

    def on_parked(self, message: object, parking: Parking) -> None:
        self.state.parked.append(type(message).__name__)
        self.log("subject.parked", kind=type(message).__name__)


def open_system(store: Store, attempts: int = 5, backoff: Backoff = SOON, clock: Callable[[], float] = wall) -> System:
    region = Region(Subject, attempts=attempts, backoff=backoff)
    return System(store=store, actors=[region], shutdown=1.0, clock=clock)


def forget() -> None:
    """What an earlier run did."""
    TRIED.forget()
    GATES.clear()


def envelope(key: str, record: Record, id: str = "visitor#1") -> Envelope:
    return Envelope(id=id, receiver=actor_id("test.retry.subject", key), sender="visitor", record=record)


@on_each_store()
async def test_r39_a_durable_actor_gets_the_message_again_with_its_attempts_counted(
    reopen: Reopen, watch: Watch
) -> None:
    forget()
    async with open_system(await reopen()) as system:
        events = watch(system)
        subject = system.ref(Subject, "a")

        assert await subject.ask(Try(succeeds_at=3)) == 3

        assert await subject.ask(Get()) == 1
        assert [type(event) for event in events] == [Failed, Restarted, Failed, Restarted]
        kinds = [entry.body for entry in await system.kernel.store.log() if entry.kind == "actor.failed"]
        assert [b'"attempts":1' in kinds[0], b'"attempts":2' in kinds[1]] == [True, True]


@on_each_store()
async def test_s30_past_its_attempts_a_message_is_parked_and_the_actor_goes_on(reopen: Reopen, watch: Watch) -> None:
    forget()
    async with open_system(await reopen(), attempts=3) as system:
        events = watch(system)
        subject = system.ref(Subject, "a")

        with pytest.raises(
            MessageParked, match=r"failed 3 times, last with RuntimeError: not yet; it is parked"
        ) as parked:
            await subject.ask(Try(succeeds_at=100))

        assert str(parked.value.__cause__) == "not yet"
        assert await subject.ask(Get()) == 0
        assert [one.envelope.id for one in await system.kernel.store.parked()] == [parked.value.message]
        assert isinstance(events[-1], Parked)
        assert [e.kind for e in await system.kernel.store.log()][-2:] == ["subject.parked", "message.parked"]


@on_each_store()
async def test_attempts_are_kept_over_a_crash(reopen: Reopen, crashing: Crashing) -> None:
    forget()
    slow = Backoff(first=500, most=500)
    async with crashing(open_system(await reopen(), attempts=2, backoff=slow)) as system:
        await system.ref(Subject, "a").send(Try(succeeds_at=100))
        await TRIED.reaches(1)
        await system.ref(Subject, "b").ask(Get())

    async with open_system(store := await reopen(), attempts=2, clock=lambda: wall() + 600) as system:
        with pytest.raises(MessageParked, match=r"has|failed"):
            await system.ref(Subject, "a").ask(Try(succeeds_at=1000))
        assert [one.envelope.attempts for one in await store.parked()] == [1, 1]
        assert TRIED == ["a"] * 4


@on_each_store()
async def test_a_requeue_reaches_a_live_system_and_goes_to_the_tail(reopen: Reopen) -> None:
    forget()
    async with open_system(await reopen(), attempts=1) as system:
        subject = system.ref(Subject, "a")
        with pytest.raises(MessageParked) as parked:
            await subject.ask(Try(succeeds_at=2))

        assert await system.kernel.store.requeue(actor_id("test.retry.subject", "a"), parked.value.message)

        await TRIED.reaches(2)
        assert await subject.ask(Get()) == 1
        assert await system.kernel.store.parked() == []


@simulated()
async def test_a_message_in_backoff_holds_its_mailbox_and_no_other() -> None:
    forget()
    async with open_system(MemoryStore(), backoff=Backoff(first=10, most=10)) as system:
        first = asyncio.ensure_future(system.ref(Subject, "a").ask(Try(succeeds_at=2)))
        await settled()
        second = asyncio.ensure_future(system.ref(Subject, "a").ask(Get()))
        await asyncio.sleep(9)

        assert await system.ref(Subject, "b").ask(Get()) == 0
        assert (first.done(), second.done()) == (False, False)
        assert (await first, await second) == (2, 1)


@simulated(seeds=range(5))
async def test_an_answer_that_takes_the_place_of_a_message_in_backoff_ends_the_wait() -> None:
    """The failed message is what the asker got in place of an answer: all that waited behind it can be handled."""

    class Answering(DurableActor[Tries, Get], name="test.retry.answering"):
        @handle
        async def get(self, message: Get) -> int:
            await asyncio.sleep(10)
            return 7

    class Asking(DurableActor[Tries, Get], name="test.retry.asking"):
        @handle
        def get(self, message: Get) -> int:
            if not self.state.done:
                self.ask(self.ref(Answering, "a"), message, then=self.answered, timeout=5.0)
            return self.state.done

        @reply
        def answered(self, result: int | AskFailed) -> None:
            if isinstance(result, AskFailed):
                raise RuntimeError("no")
            self.state.done = result

    region = Region(Asking, backoff=Backoff(first=3600.0, most=3600.0))
    async with System(store=MemoryStore(), actors=[Answering, region], clock=clock) as system:
        asking = system.ref(Asking, "b")
        await asking.ask(Get())
        await asyncio.sleep(8)

        behind = await asking.ask(Get(), timeout=3.0)

        assert (behind, await asking.ask(Get(), timeout=3.0)) == (0, 7)


@simulated()
async def test_a_stop_in_a_backoff_is_prompt_and_the_retry_does_not_run_after_it() -> None:
    forget()
    store = MemoryStore()
    async with asyncio.timeout(0.9):  # the system's patience is 1 s
        async with open_system(store, backoff=Backoff(first=500, most=500)) as system:
            system.ref(Subject, "a").tell(Try(succeeds_at=100))
            await settled()
            assert await system.ref(Subject, "b").ask(Get()) == 0
    await asyncio.sleep(550)

    assert TRIED == ["a"]


@on_each_store()
async def test_s20_an_unknown_message_is_parked_and_blocks_nobody(reopen: Reopen, watch: Watch) -> None:
    forget()
    store = await reopen()
    await store.append([envelope("a", Record("test.retry.nobody", 1, b"{}"))])
    async with open_system(store) as system:
        assert await system.ref(Subject, "a").ask(Get()) == 0

        (parked,) = await store.parked()
        assert parked.reason == (
            "no class is stored as 'test.retry.nobody': import the module that declares it with @stored"
        )


@pytest.mark.parametrize(
    ("record", "then", "says"),
    [
        (Record("test.retry.try", 1, b'{"odd": 1}'), "", "does not decode"),
        (Record("test.retry.try", 7, b"{}"), "", "is stored at version 7"),
        (Record("test.retry.state", 1, b"{}"), "", "has no handler for Tries"),
        (Record("test.retry.try", 1, b'{"succeeds_at": 1}'), "gone\n", "has no @reply method 'gone' any more"),
        (Record("test.retry.try", 1, b'{"succeeds_at": 1}'), "stop\n", "has no @reply method 'stop' any more"),
    ],
)
@simulated(seeds=range(5))
async def test_s27_what_can_never_be_handled_is_parked_at_once(record: Record, then: str, says: str) -> None:
    forget()
    store = MemoryStore()
    await store.append([attrs.evolve(envelope("a", record), then=then)])
    async with open_system(store) as system:
        assert await system.ref(Subject, "a").ask(Get()) == 0

        (parked,) = await store.parked()
        assert says in parked.reason


class Sick(MemoryStore):
    """A store in which one actor's state cannot be read so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def load(self, actor: ActorId) -> Snapshot:
        if actor == "test.retry.subject/sick" and self.times > 0:
            self.times -= 1
            raise CorruptRecord("the state does not match its digest")
        return await super().load(actor)


@simulated(seeds=range(5))
async def test_a_corrupt_state_suspends_only_its_key_and_whoever_asks_is_told(watch: Watch) -> None:
    forget()
    async with open_system(Sick(1000), attempts=3) as system:
        events = watch(system)
        sick, well = system.ref(Subject, "sick"), system.ref(Subject, "well")

        with pytest.raises(ActorSuspended, match=r"cannot be loaded \(the state does not match its digest\)"):
            await sick.ask(Get())
        with pytest.raises(ActorSuspended):
            await sick.ask(Get())

        assert await well.ask(Get()) == 0
        assert [type(event) for event in events] == [Failed, Restarted, Failed, Restarted, Failed, Suspended]
        assert await system.kernel.store.waiting(0.0) == ["test.retry.subject/sick"]


@simulated(seeds=range(5))
async def test_an_actor_that_can_be_loaded_again_goes_on(watch: Watch) -> None:
    forget()
    async with open_system(Sick(2), attempts=3) as system:
        assert await system.ref(Subject, "sick").ask(Get()) == 0


@simulated(seeds=range(5))
async def test_an_init_that_raises_suspends_the_key_and_not_the_system(watch: Watch) -> None:
    forget()

    class Broken(DurableActor[Tries, Get], name="test.retry.broken"):
        def initial(self) -> Tries:
            raise ValueError("no state")

        @handle
        def get(self, message: Get) -> int:
            return 1

    async with System(actors=[Region(Broken, attempts=2, backoff=SOON)]) as system:
        with pytest.raises(ActorSuspended, match=r"\(no state\)"):
            await system.ref(Broken, "a").ask(Get())


@on_each_store()
async def test_interruptions_are_counted_apart_and_past_their_limit_the_message_is_parked(
    reopen: Reopen, crashing: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget()
    monkeypatch.setattr("choragus.actors.execution.INTERRUPTIONS", 3)
    for number in range(1, 5):
        async with crashing(open_system(await reopen())) as system:
            if number == 1:
                system.ref(Subject, "a").tell(Hang())
            await TRIED.reaches(number)
            await system.ref(Subject, "b").send(Get())
            await system.ref(Subject, "b").send(Get())

    async with open_system(store := await reopen()) as system:
        assert await system.ref(Subject, "a").ask(Get(), timeout=5) == 0
        (parked,) = await store.parked()
        assert parked.reason == "the process died 4 times over it (the limit is 3)"
        assert (parked.envelope.interrupted, parked.envelope.attempts) == (4, 0)


@on_each_store()
async def test_a_message_that_kills_the_process_at_once_is_counted_from_the_second_time_on(
    reopen: Reopen, crashing: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written between its start and the end; so after an unclean end the mark is written first."""
    forget()
    monkeypatch.setattr("choragus.actors.execution.INTERRUPTIONS", 2)

    @stored("test.retry.kill")
    @frozen
    class Kill(Request[None]):
        pass

    class Victim(DurableActor[Tries, Kill | Get], name="test.retry.victim"):
        @handle
        async def kill(self, message: Kill) -> None:
            TRIED.note("victim")
            running.kernel.fail(RuntimeError("killed"))
            await asyncio.sleep(60)

        @handle
        def get(self, message: Get) -> int:
            return self.state.done

    for number in range(1, 5):
        async with crashing(running := System(store=await reopen(), actors=[Victim])):
            if number == 1:
                running.ref(Victim, "a").tell(Kill())
            await TRIED.reaches(number)

    async with System(store=(store := await reopen()), actors=[Victim]) as system:
        assert await system.ref(Victim, "a").ask(Get(), timeout=5) == 0
        assert [one.reason for one in await store.parked()] == ["the process died 3 times over it (the limit is 2)"]


@simulated(seeds=range(5))
async def test_an_orderly_end_in_the_middle_of_a_turn_counts_neither_as_attempt_nor_as_interruption() -> None:
    forget()
    store = MemoryStore()
    for number in (1, 2):
        async with System(store=store, actors=[Subject], shutdown=2.0, clock=clock) as system:
            if number == 1:
                system.ref(Subject, "a").tell(Hang())
            await TRIED.reaches(number)
            await system.ref(Subject, "b").send(Get())

    (waiting,) = await store.fetch(actor_id("test.retry.subject", "a"), 10, 0.0)
    assert (waiting.attempts, waiting.interrupted) == (0, 0)


@simulated(seeds=range(5))
async def test_a_handler_that_hangs_is_cancelled_counted_and_tried_again(watch: Watch) -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        events = watch(system)

        assert await system.ref(Subject, "a").ask(Hang(times=1)) == "ran"

        assert isinstance(events[0], Failed)
        assert isinstance(events[0].error, TurnTimeout)
        assert await system.ref(Subject, "a").ask(Get()) == 100


@simulated(seeds=range(5))
async def test_a_handler_that_hangs_for_good_is_parked_with_the_limit_named() -> None:
    forget()
    async with open_system(MemoryStore(), attempts=2) as system:
        with pytest.raises(MessageParked, match=r"TurnTimeout: .*subject/a took longer than 5 s \(turn_timeout of Su"):
            await system.ref(Subject, "a").ask(Hang())


@simulated(seeds=range(5))
async def test_a_handler_that_swallows_its_cancellation_is_cut_off_and_its_late_result_refused(
    watch: Watch,
) -> None:
    forget()
    async with open_system(MemoryStore()) as system:
        events = watch(system)
        subject = system.ref(Subject, "a")

        assert await subject.ask(Hang(swallows=True, times=1)) == "ran"

        assert Zombie("test.retry.subject/a", "test.retry.hang") in events
        GATES["a"].set()
        await settled()
        assert await subject.ask(Get()) == 100
        await settled()
        assert len(system.kernel.scheduler._workers) == len(system.kernel.scheduler._parked)


@simulated(seeds=range(5))
async def test_a_zombie_does_not_hang_the_shutdown(watch: Watch) -> None:
    forget()
    async with System(actors=[Subject], shutdown=3.0, clock=clock) as system:
        events = watch(system)
        system.ref(Subject, "a").tell(Hang(swallows=True))
        await settled()
        began = asyncio.get_running_loop().time()

    assert asyncio.get_running_loop().time() - began <= 3.0 + 2 * GRACE
    GATES["a"].set()
    await settled()  # the zombie's end
    assert Zombie("test.retry.subject/a", "test.retry.hang") in events


@simulated(seeds=range(5))
async def test_a_cancellation_that_a_handler_raises_itself_is_a_failed_attempt() -> None:
    forget()

    @stored("test.retry.cancel")
    @frozen
    class Cancel(Request[None]):
        pass

    class Cancels(DurableActor[Tries, Cancel], name="test.retry.cancels"):
        @handle
        async def cancel(self, message: Cancel) -> None:
            raise asyncio.CancelledError

        @reply
        def unused(self, message: AskFailed) -> None: ...

    async with System(actors=[Region(Cancels, attempts=2, backoff=SOON)]) as system:
        with pytest.raises(MessageParked, match=r"failed 2 times, last with CancelledError: CancelledError"):
            await system.ref(Cancels, "a").ask(Cancel())


@simulated(seeds=range(5))
async def test_an_on_parked_that_fails_is_reported_and_the_message_parked_all_the_same(watch: Watch) -> None:
    forget()

    class Clumsy(DurableActor[Tries, Get], name="test.retry.clumsy"):
        @handle
        def get(self, message: Get) -> int:
            self.state.done += 1
            if self.state.done < 2:
                raise RuntimeError("no")
            return 1

        def on_parked(self, message: object, parking: Parking) -> None:
            self.state.done += 1
            self.log("never")
            raise RuntimeError("no either")

    async with System(actors=[Region(Clumsy, attempts=1)]) as system:
        events = watch(system)
        with pytest.raises(MessageParked):
            await system.ref(Clumsy, "a").ask(Get())

        assert [event.message for event in events if isinstance(event, Failed)] == ["test.retry.get", "on_parked"]
        assert [entry.kind for entry in await system.kernel.store.log()] == [
            "system.opened",
            "actor.failed",
            "message.parked",
        ]
