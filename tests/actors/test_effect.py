"""Effects: intended in a turn, run after its commit, settled by what may be known about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.errors import MessageParked
from choragus.actors.event import Event, Failed, Zombie
from choragus.actors.lease import LEASE
from choragus.actors.message import EffectFailed, EffectUnknown, Request
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import CommitUnknown, StoreError
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Effect, EffectState, OnInterrupt, Rejected
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .noted import Noted
from .stores import Reopen, on_each_store, pause, settle, wall

Watch = Callable[[System], list[Event]]
Crashing = Callable[[System], AbstractAsyncContextManager[System]]


@stored("test.effect.call")
@frozen
class Call:
    what: str = ""


@stored("test.effect.intend")
@frozen
class Intend(Request[str]):
    runner: str = "call"
    what: str = ""
    rerun: bool = True
    fails: bool = False


@stored("test.effect.cancel")
@frozen
class Cancel(Request[None]):
    effect: str


@stored("test.effect.settle")
@frozen
class Settle(Request[None]):
    effect: str


@stored("test.effect.heard")
@frozen
class Heard(Request[list[str]]):
    pass


@stored("test.effect.notes")
@define
class Notes:
    lines: list[str] = attrs.field(factory=list)


class Caller(DurableActor[Notes, Intend | Cancel | Settle | Heard], name="test.effect.caller"):
    @handle
    def intend(self, message: Intend) -> str:
        on_interrupt = OnInterrupt.RERUN if message.rerun else OnInterrupt.UNKNOWN
        request = Call(message.what)
        effect = self.effect(message.runner, request, then=self.came, on_interrupt=on_interrupt, about=message.what)
        if message.fails:
            raise RuntimeError("no")
        return effect

    @reply
    def came(self, result: object) -> None:
        match result:
            case EffectFailed(error=error, reason=reason):
                said = f"{error}: {reason}"
            case EffectUnknown():
                said = "unknown"
            case _:
                said = str(result)
        self.state.lines.append(f"{self.about}={said}")

    @handle
    def cancel(self, message: Cancel) -> None:
        self.cancel_effect(message.effect)

    @handle
    def settle(self, message: Settle) -> None:
        self.settle_effect(message.effect)

    @handle
    def heard(self, message: Heard) -> list[str]:
        return self.state.lines


class Outside:
    """The world that effects reach, and what it saw."""

    def __init__(self) -> None:
        self.begun: Noted[tuple[str, int]] = Noted()
        self.done: Noted[str] = Noted()
        self.gate = asyncio.Event()
        self.gate.set()

    async def call(self, request: object, context: EffectContext) -> object:
        assert isinstance(request, Call)
        self.begun.note((context.id, context.attempt))
        match request.what:
            case "raise":
                raise ValueError("no such file \udcff")
            case "cancel itself":
                raise asyncio.CancelledError
            case "odd result":
                return object()
            case "resist":
                while not self.gate.is_set():
                    try:
                        await self.gate.wait()
                    except asyncio.CancelledError:
                        continue
        await self.gate.wait()
        self.done.note(context.id)
        return f"did {request.what}"


def open_system(store: Store, outside: Outside, shutdown: float = 1.0) -> System:
    region = Region(Caller, attempts=1)
    return System(store=store, actors=[region], runners={"call": outside.call}, shutdown=shutdown, clock=wall)


async def heard(system: System) -> list[str]:
    """What its actor heard: not before it has heard something."""
    while not (lines := await system.ref(Caller, "a").ask(Heard())):
        await pause()
    return lines


@on_each_store()
async def test_a_result_comes_as_a_message_with_what_it_is_about(reopen: Reopen) -> None:
    outside = Outside()
    async with open_system(await reopen(), outside) as system:
        id = await system.ref(Caller, "a").ask(Intend(what="it"))

        assert await heard(system) == ["it=did it"]
        assert outside.begun == [(id, 1)]
        assert await system.kernel.store.effects() == []


@simulated(seeds=range(5))
async def test_the_effect_of_a_failed_turn_never_runs() -> None:
    outside = Outside()
    async with open_system(MemoryStore(), outside) as system:
        with pytest.raises(MessageParked):
            await system.ref(Caller, "a").ask(Intend(fails=True))
        await settle()

        assert (outside.begun, await system.kernel.store.effects()) == ([], [])


@pytest.mark.parametrize(
    ("runner", "what", "says"),
    [
        ("call", "raise", "raise=ValueError: no such file ?"),
        ("call", "cancel itself", "cancel itself=CancelledError: CancelledError"),
        ("call", "odd result", "odd result=NotStorable: object cannot be stored"),
        ("nobody", "x", "x=LookupError: no runner named 'nobody': pass it in System(runners=...)"),
    ],
)
@simulated(seeds=range(5))
async def test_a_failure_comes_back_as_a_message(runner: str, what: str, says: str, watch: Watch) -> None:
    async with open_system(MemoryStore(), Outside()) as system:
        events = watch(system)
        await system.ref(Caller, "a").ask(Intend(runner=runner, what=what))

        (line,) = await heard(system)

        assert line.startswith(says)
        assert [type(event) for event in events] == [Failed]


@on_each_store()
async def test_after_a_crash_what_may_run_again_does_with_the_same_id(reopen: Reopen, crashing: Crashing) -> None:
    outside = Outside()
    outside.gate.clear()
    async with crashing(open_system(await reopen(), outside)) as system:
        id = await system.ref(Caller, "a").ask(Intend(what="it"))
        await outside.begun.reaches(1)

    outside.gate.set()
    async with open_system(await reopen(), outside) as system:
        assert await heard(system) == ["it=did it"]
        assert (outside.begun, outside.done) == ([(id, 1), (id, 2)], [id])


@on_each_store()
async def test_after_a_crash_what_cannot_be_undone_is_unknown_and_a_person_settles_it(
    reopen: Reopen, crashing: Crashing
) -> None:
    outside = Outside()
    outside.gate.clear()
    async with crashing(open_system(await reopen(), outside)) as system:
        id = await system.ref(Caller, "a").ask(Intend(what="it", rerun=False))
        await outside.begun.reaches(1)

    for _ in range(2):
        async with open_system(await reopen(), outside) as system:
            assert await heard(system) == ["it=unknown"]
            await system.ref(Caller, "a").ask(Settle(id))
    assert len(outside.begun) == 1


@on_each_store()
async def test_an_effect_that_is_interrupted_too_often_fails(
    reopen: Reopen, crashing: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choragus.actors.effect.INTERRUPTIONS", 2)
    outside = Outside()
    outside.gate.clear()
    for number in range(1, 4):
        async with crashing(open_system(await reopen(), outside)) as system:
            if number == 1:
                await system.ref(Caller, "a").ask(Intend(what="it"))
            await outside.begun.reaches(number)

    async with open_system(await reopen(), outside) as system:
        assert await heard(system) == ["it=Interrupted: the process died 3 times while it ran (the limit is 2)"]


@simulated(seeds=range(5))
async def test_at_an_orderly_end_an_irreversible_effect_is_waited_for() -> None:
    outside, store = Outside(), MemoryStore()
    outside.gate.clear()
    async with open_system(store, outside) as system:
        await system.ref(Caller, "a").ask(Intend(what="it", rerun=False))
        await outside.begun.reaches(1)
        asyncio.get_running_loop().call_later(0.9, outside.gate.set)

    async with open_system(store, outside) as system:
        assert await heard(system) == ["it=did it"]
    assert len(outside.done) == 1


@on_each_store()
async def test_an_irreversible_effect_that_outlasts_the_end_is_unknown(reopen: Reopen) -> None:
    outside = Outside()
    outside.gate.clear()
    async with open_system(await reopen(), outside, shutdown=0.05) as system:
        await system.ref(Caller, "a").ask(Intend(what="it", rerun=False))
        await outside.begun.reaches(1)

    async with open_system(await reopen(), outside) as system:
        assert await heard(system) == ["it=unknown"]


@simulated(seeds=range(5))
async def test_an_effect_that_resists_its_end_is_a_zombie(
    watch: Watch,
) -> None:
    outside = Outside()
    outside.gate.clear()
    async with open_system(MemoryStore(), outside, shutdown=3.0) as system:
        events = watch(system)
        await system.ref(Caller, "a").ask(Intend(what="resist"))
        await outside.begun.reaches(1)

    assert Zombie("test.effect.caller/a", "call") in events
    outside.gate.set()
    await settle()  # the zombie's end


async def hold(store: Store, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one effect behind that is on disk and known not to have started."""
    with monkeypatch.context() as patch:
        patch.setattr("choragus.actors.effect.PARALLEL", 0)
        async with open_system(store, outside) as system:
            return await system.ref(Caller, "a").ask(Intend(what="it", rerun=False))


@on_each_store()
async def test_what_had_not_started_at_an_orderly_end_is_held_and_runs_next_time(
    reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside()
    id = await hold(await reopen(), outside, monkeypatch)

    async with open_system(await reopen(), outside) as system:
        assert await heard(system) == ["it=did it"]
    assert outside.begun == [(id, 1)]


class Full(MemoryStore):
    """A disk that is full for so many commits."""

    fails = 0
    fail_reads = False
    released = 0

    async def commit(self, batch: Batch) -> Committed | Rejected:
        if self.fails:
            self.fails -= 1
            raise CommitUnknown("a.db: the disk is full")
        return await super().commit(batch)

    async def effects(self) -> list[Effect]:
        if self.fail_reads:
            raise StoreError("a.db cannot be used")
        return await super().effects()

    async def release(self, node: str) -> None:
        self.released += 1
        await super().release(node)


@simulated(seeds=range(5))
async def test_an_opening_on_a_disk_that_stays_full_says_so_and_loses_nothing() -> None:
    store, outside = Full(), Outside()
    with pytest.MonkeyPatch.context() as patch:
        await hold(store, outside, patch)
    store.fails, store.released, began = 1_000, 0, clock()

    with pytest.raises(StoreError) as refused:
        async with open_system(store, outside):
            pass

    assert str(refused.value) == (
        "the system was not opened, for the disk took nothing in 30 s: a.db: the disk is full; "
        "nothing is lost (held effects: 1); make room or see to the disk, and open it again"
    )
    assert 30 <= clock() - began <= 35
    assert (outside.begun, store.released) == ([], 0)
    store.fails = 0
    async with open_system(store, outside) as system:
        assert await heard(system) == ["it=did it"]
    assert len(outside.begun) == 1


@simulated(seeds=range(5))
async def test_an_opening_waits_for_a_disk_that_is_full_for_a_while() -> None:
    store, outside = Full(), Outside()
    with pytest.MonkeyPatch.context() as patch:
        await hold(store, outside, patch)
    store.fails = 8  # some 20 s

    async with open_system(store, outside) as system:
        assert await heard(system) == ["it=did it"]


@simulated(seeds=range(5))
async def test_an_opening_that_cannot_read_what_was_open_ends_at_once() -> None:
    store, began = Full(), clock()
    store.fail_reads, store.fails = True, 1_000

    with pytest.raises(StoreError, match=r"^a\.db cannot be used$"):
        async with open_system(store, Outside()):
            pass

    assert clock() - began <= 5


@on_each_store()
async def test_a_held_effect_that_was_started_and_then_interrupted_is_unknown_not_run_twice(
    reopen: Reopen, monkeypatch: pytest.MonkeyPatch, crashing: Crashing
) -> None:
    outside = Outside()
    await hold(await reopen(), outside, monkeypatch)
    outside.gate.clear()
    async with crashing(open_system(await reopen(), outside)):
        await outside.begun.reaches(1)
    outside.gate.set()

    async with open_system(await reopen(), outside) as system:
        assert await heard(system) == ["it=unknown"]
        assert [effect.state for effect in await system.kernel.store.effects()] == []
    assert (len(outside.begun), outside.done) == (1, [])


@on_each_store()
async def test_a_cancelled_effect_is_stopped_and_nothing_comes_of_it(reopen: Reopen) -> None:
    outside = Outside()
    outside.gate.clear()
    async with open_system(await reopen(), outside) as system:
        caller = system.ref(Caller, "a")
        id = await caller.ask(Intend(what="it"))
        await outside.begun.reaches(1)

        await caller.ask(Cancel(id))
        outside.gate.set()
        await settle()

        assert await caller.ask(Heard()) == []
        assert (outside.done, await system.kernel.store.effects()) == ([], [])


@simulated(seeds=range(5))
async def test_a_result_that_comes_after_the_cancellation_is_dropped() -> None:
    outside = Outside()
    outside.gate.clear()
    async with open_system(MemoryStore(), outside) as system:
        caller = system.ref(Caller, "a")
        id = await caller.ask(Intend(what="resist"))
        await outside.begun.reaches(1)

        await caller.ask(Cancel(id))
        outside.gate.set()
        await outside.done.reaches(1)
        await settle()

        assert await caller.ask(Heard()) == []


class Gated(MemoryStore):
    """A store whose commits wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await self.gate.wait()
        return await super().commit(batch)


@pytest.mark.parametrize("word", [Cancel, Settle])
@simulated(seeds=range(5))
async def test_a_result_that_comes_between_the_word_and_its_commit_is_dropped(
    word: type[Cancel] | type[Settle],
) -> None:
    store, outside = Gated(), Outside()
    outside.gate.clear()
    async with open_system(store, outside) as system:
        caller = system.ref(Caller, "a")
        id = await caller.ask(Intend(what="it"))
        await outside.begun.reaches(1)
        store.gate.clear()
        system.ref(Caller, "b").tell(Heard())  # on its way, so that the rest gathers behind it
        await settled()

        cancelled = asyncio.ensure_future(caller.ask(word(id)))
        await settled()
        outside.gate.set()
        await outside.done.reaches(1)
        await settled()
        store.gate.set()
        await cancelled
        await settled()

        assert await caller.ask(Heard()) == []
        assert await store.effects() == []


@simulated(seeds=range(5))
async def test_a_result_that_came_before_the_cancellation_is_handled() -> None:
    store, outside = Gated(), Outside()
    async with open_system(store, outside) as system:
        caller = system.ref(Caller, "a")
        outside.gate.clear()
        id = await caller.ask(Intend(what="it"))
        await outside.begun.reaches(1)
        store.gate.clear()
        system.ref(Caller, "b").tell(Heard())
        await settled()

        outside.gate.set()
        await outside.done.reaches(1)
        await settled()
        cancelled = asyncio.ensure_future(caller.ask(Cancel(id)))
        await settled()
        store.gate.set()
        await cancelled

        assert await caller.ask(Heard()) == ["it=did it"]


@on_each_store()
async def test_effects_of_actors_that_the_system_does_not_run_stay_as_they_are(
    reopen: Reopen, crashing: Crashing
) -> None:
    outside = Outside()
    outside.gate.clear()
    async with crashing(open_system(await reopen(), outside)) as system:
        await system.ref(Caller, "a").ask(Intend(what="it", rerun=False))
        await outside.begun.reaches(1)

    async with System(store=await reopen()) as system:
        await settle()
        assert [effect.state for effect in await system.kernel.store.effects()] == [EffectState.OPEN]
    async with System(store=await reopen(), actors=[Caller], held=["a"]) as system:
        await settle()
        assert [effect.state for effect in await system.kernel.store.effects()] == [EffectState.OPEN]


class SlowToRenew(MemoryStore):
    """A store whose lease takes so many seconds to renew."""

    seconds = 0.0

    async def renew(self, node: str, ttl: float, now: float) -> bool:
        await asyncio.sleep(self.seconds)
        return await super().renew(node, ttl, now)


@simulated(seeds=range(5))
async def test_an_effect_starts_only_while_the_lease_is_fresh() -> None:
    outside, store = Outside(), SlowToRenew()
    async with open_system(store, outside) as system:
        store.seconds = 6.0
        await asyncio.sleep(LEASE / 2 + 0.1)
        await system.ref(Caller, "a").ask(Intend(what="it"))
        await asyncio.sleep(4)  # it was renewed meanwhile, but counts from when that was asked for
        assert outside.begun == []

        store.seconds = 0.0
        assert await heard(system) == ["it=did it"]
