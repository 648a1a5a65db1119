"""A turn happens whole or not at all, and nothing of it leaves before it is on disk."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from attrs import define, field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.draft import Draft
from choragus.actors.durable import DurableActor
from choragus.actors.errors import AskInsideTurn, MessageParked, SystemStopped, Unhandled
from choragus.actors.event import DeadLetter, Event, Failed, Parked
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import NotStorable
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Rejected
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .stores import Reopen, on_each_store, settle, wall

Watch = Callable[[System], list[Event]]

ONCE = Backoff(first=0.001, most=0.001)


@stored("test.turn.add")
@frozen
class Add(Request[int]):
    amount: int
    fails: bool = False


@stored("test.turn.get")
@frozen
class Get(Request[list[int]]):
    pass


@stored("test.turn.price")
@frozen
class GetPrice(Request[Decimal]):
    pass


@stored("test.turn.do")
@frozen
class Do(Request[None]):
    """What a test wants done inside a turn, by name."""

    what: str


@stored("test.turn.notice")
@frozen
class Notice:
    text: str


@stored("test.turn.balance")
@define
class Balance:
    amounts: list[int] = field(factory=list)
    odd: object = None


@frozen
class Bare:
    """An attrs class that nobody registered."""


class Listener(Actor[Notice]):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @handle
    async def hear(self, message: Notice) -> None:
        await self.gate.wait()
        self.heard.append(message.text)


class Account(
    DurableActor[Balance, Add | Get | GetPrice | Do | Notice],
    name="test.turn.account",
):
    @handle
    async def add(self, message: Add) -> int:
        self.state.amounts.append(message.amount)
        self.ref(Account, "copy").tell(Notice(str(message.amount)))
        self.log("account.added", amount=message.amount)
        self.view("account", self.key, {"sum": sum(self.state.amounts)}, scope="all")
        self.timer("later", Notice("later"), after=3600)
        if message.fails:
            await asyncio.sleep(0)
            raise RuntimeError("no")
        return sum(self.state.amounts)

    @handle
    def get(self, message: Get) -> list[int]:
        return self.state.amounts

    @handle
    def price(self, message: GetPrice) -> Decimal:
        return Decimal("1.20")

    @handle
    def notice(self, message: Notice) -> None:
        self.state.amounts.append(-1)

    @handle
    async def do(self, message: Do) -> None:
        other = self.ref(Account, "other")
        listener = WIRES.get("listener", other)
        match message.what:
            case "tell then fail":
                listener.tell(Notice("never"))
                raise RuntimeError("no")
            case "tell":
                listener.tell(Notice("told"))
            case "send":
                await listener.send(Notice("sent"))
            case "ask inside":
                await other.ask(Get())
            case "ask volatile inside":
                await listener.ask(Notice("x"))  # type: ignore[arg-type]  # refused before that matters
            case "bad state":
                self.state.odd = object()
            case "other state":
                self.state = Bare()  # type: ignore[assignment]  # that is the fault
            case "bad view":
                self.view("account", "\udcff", {})
            case "bad log":
                self.log("account.odd", value=object())
            case "bad error":
                raise ValueError("file \udcff")
            case "unprintable error":
                raise Unprintable
            case "unstored":
                self.tell_at(self.id, Bare())


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


WIRES: dict[str, Ref[Notice]] = {}


def open_system(store: Store, attempts: int = 1) -> System:
    return System(store=store, actors=[Region(Account, attempts=attempts, backoff=ONCE)], clock=wall)


async def kinds(store: Store) -> list[str]:
    return [entry.kind for entry in await store.log() if entry.kind != "system.opened"]


@on_each_store()
async def test_a_completed_turn_is_on_disk_whole_when_its_ask_returns(reopen: Reopen) -> None:
    async with open_system(await reopen()) as system:
        store = system.kernel.store

        assert await system.ref(Account, "alice").ask(Add(10)) == 10

        view = await store.view("account", "alice")
        assert view is not None
        assert view.body == b'{"sum":10}'
        assert await kinds(store) == ["account.added"]
        assert await store.next_due(0.0) is not None
        assert await system.ref(Account, "copy").ask(Get()) == [-1]

    async with open_system(await reopen()) as system:
        assert await system.ref(Account, "alice").ask(Get()) == [10]


@on_each_store()
async def test_a_failing_handler_leaves_no_trace_but_its_count(reopen: Reopen) -> None:
    async with open_system(await reopen()) as system:
        store = system.kernel.store
        alice = system.ref(Account, "alice")

        with pytest.raises(
            MessageParked, match=r"^test\.turn\.account/alice could not handle message host:\d+#1: failed 1"
        ):
            await alice.ask(Add(10, fails=True))

        assert await alice.ask(Get()) == []
        assert await store.view("account", "alice") is None
        assert await store.next_due(0.0) is None
        assert await kinds(store) == ["message.parked"]
        assert await system.ref(Account, "copy").ask(Get()) == []


@simulated(seeds=range(5))
async def test_a_state_changed_in_place_is_as_before_after_a_failure() -> None:
    async with open_system(MemoryStore()) as system:
        alice = system.ref(Account, "alice")
        await alice.ask(Add(1))
        with pytest.raises(MessageParked):
            await alice.ask(Add(2, fails=True))

        assert await alice.ask(Add(3)) == 4


@simulated(seeds=range(5))
async def test_a_reply_is_a_copy_of_the_state_and_has_its_declared_type() -> None:
    async with open_system(MemoryStore()) as system:
        alice = system.ref(Account, "alice")
        await alice.ask(Add(1))

        (await alice.ask(Get())).append(100)

        assert await alice.ask(Get()) == [1]
        assert await alice.ask(GetPrice()) == Decimal("1.20")
        assert await alice.ask(GetPrice(), key="k") == await alice.ask(GetPrice(), key="k") == Decimal("1.20")


class Slow(MemoryStore):
    """A store whose commits of turns wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        if batch.turns:
            await self.gate.wait()
        return await super().commit(batch)


@simulated(seeds=range(5))
async def test_tells_to_volatile_actors_and_replies_wait_for_the_commit() -> None:
    store = Slow()
    listener = Listener()
    async with open_system(store) as system:
        WIRES["listener"] = await system.spawn(lambda: listener, name="listener")  # type: ignore[arg-type]
        store.gate.clear()

        asking = asyncio.ensure_future(system.ref(Account, "alice").ask(Do("tell")))
        await settled()
        assert (listener.heard, asking.done()) == ([], False)
        store.gate.set()
        await asking

        await settled()
        assert listener.heard == ["told"]


@pytest.mark.parametrize("what", ["tell then fail"])
@simulated(seeds=range(5))
async def test_tells_to_volatile_actors_are_dropped_when_the_turn_fails(what: str) -> None:
    listener = Listener()
    async with open_system(MemoryStore()) as system:
        WIRES["listener"] = await system.spawn(lambda: listener, name="listener")  # type: ignore[arg-type]

        with pytest.raises(MessageParked):
            await system.ref(Account, "alice").ask(Do(what))
        await system.ref(Account, "alice").ask(Do("send"))
        await settled()

        assert listener.heard == ["sent"]


@simulated(seeds=range(5))
async def test_a_gated_tell_that_finds_a_full_mailbox_is_a_dead_letter_and_harms_nobody(watch: Watch) -> None:
    listener = Listener()
    listener.gate.clear()
    async with open_system(MemoryStore()) as system:
        events = watch(system)
        WIRES["listener"] = await system.spawn(lambda: listener, name="listener", mailbox=1)  # type: ignore[arg-type]
        for _ in range(4):
            await system.ref(Account, "alice").ask(Do("tell"))

        assert events == [DeadLetter("listener", Notice("told"), "test.turn.account/alice")] * len(events)
        assert len(events) == 2
        listener.gate.set()


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("ask inside", "AskInsideTurn: test.turn.account/alice awaits an ask of test.turn.account/other inside"),
        ("ask volatile inside", "AskInsideTurn: test.turn.account/alice awaits an ask of listener inside its own turn"),
        ("bad state", "NotStorable: Balance cannot be stored"),
        ("other state", "TypeError: test.turn.account/alice.state is a Bare: it is declared as Balance"),
        ("bad view", "NotStorable: 'account\\udcff' cannot be stored: it is no valid Unicode text"),
        ("bad log", "NotStorable"),
        ("bad error", "ValueError: file ?"),
        ("unprintable error", "Unprintable: (its text cannot be made: RuntimeError)"),
        ("unstored", "NotStorable: Bare is not registered for storage"),
    ],
)
@simulated(seeds=range(5))
async def test_what_cannot_be_done_in_a_turn_fails_it_and_parks_its_message(what: str, says: str) -> None:
    async with open_system(MemoryStore()) as system:
        WIRES["listener"] = await system.spawn(Listener, name="listener")

        with pytest.raises(MessageParked) as parked:
            await system.ref(Account, "alice").ask(Do(what), timeout=5)

        assert says.replace("\\udcff", "?") in parked.value.reason.replace("\\udcff", "?")
        assert await system.ref(Account, "alice").ask(Get()) == []


@simulated(seeds=range(5))
async def test_an_ask_inside_a_turn_names_the_remedy() -> None:
    async with open_system(MemoryStore()) as system:
        WIRES["listener"] = await system.spawn(Listener, name="listener")

        with pytest.raises(MessageParked) as parked:
            await system.ref(Account, "alice").ask(Do("ask inside"))

        assert isinstance(parked.value.__cause__, AskInsideTurn)
        assert "use self.ask(ref, message, then=" in str(parked.value.__cause__)


@simulated(seeds=range(5))
async def test_a_reply_that_cannot_be_stored_fails_the_turn(watch: Watch) -> None:
    @stored("test.turn.odd_reply")
    @frozen
    class Odd(Request[object]):
        pass

    class Odds(DurableActor[Balance, Odd], name="test.turn.odds"):
        @handle
        def odd(self, message: Odd) -> object:
            self.state.amounts.append(1)
            return Bare()

    async with System(actors=[Region(Odds, attempts=1)]) as system:
        with pytest.raises(MessageParked, match=r"NotStorable: Bare is not registered"):
            await system.ref(Odds, "a").ask(Odd())


@pytest.mark.parametrize("way", ["tell", "send", "ask"])
@simulated(seeds=range(5))
async def test_a_message_that_cannot_be_stored_is_refused_at_the_call(way: str) -> None:
    @stored("test.turn.holder")
    @frozen
    class Holder(Request[None]):
        value: object

    class Takes(DurableActor[Balance, Holder], name="test.turn.takes"):
        @handle
        def take(self, message: Holder) -> None: ...

    async with System(actors=[Takes]) as system:
        ref = system.ref(Takes, "a")

        with pytest.raises(NotStorable, match=r"^Holder cannot be stored"):  # noqa: PT012  # telling, sending and asking alike
            result = getattr(ref, way)(Holder(object()))
            if way != "tell":
                await result
        with pytest.raises(Unhandled, match=r"^test\.turn\.takes/a has no handler for Get"):
            ref.tell(Get())  # type: ignore[arg-type]  # that is the fault


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ("", ValueError, r"^a Account needs a key, any text that is not empty$"),
        ("\udcff", NotStorable, r"cannot be stored: it is no valid Unicode text"),
    ],
)
@simulated(seeds=range(5))
async def test_a_key_that_cannot_be_stored_is_refused(key: str, error: type[Exception], says: str) -> None:
    async with open_system(MemoryStore()) as system:
        with pytest.raises(error, match=says):
            system.ref(Account, key)


@simulated(seeds=range(5))
async def test_an_actor_that_the_system_does_not_run_is_refused() -> None:
    async with System() as system:
        with pytest.raises(
            LookupError, match=r"^Account is not a durable actor of this system: pass System\(\.\.\., act"
        ):
            system.ref(Account, "alice")


@simulated(seeds=range(2))
async def test_messages_of_one_sender_are_handled_in_order() -> None:
    async with open_system(MemoryStore()) as system:
        alice = system.ref(Account, "alice")

        for number in range(300):
            alice.tell(Add(number))

        await alice.send(Get())
        assert await alice.ask(Get()) == list(range(300))


@on_each_store()
async def test_what_was_sent_is_not_lost(reopen: Reopen, crashing: Callable[[System], object]) -> None:
    """`send` returned, then the process dies before the message was handled."""
    async with crashing(open_system(await reopen())) as system:  # type: ignore[attr-defined]  # a context manager
        for cell in range(20):
            await system.ref(Account, "alice").send(Add(cell))

    async with open_system(await reopen()) as system:
        assert await system.ref(Account, "alice").ask(Get()) == list(range(20))


@simulated(seeds=range(5))
async def test_after_the_system_nothing_can_be_sent() -> None:
    async with open_system(MemoryStore()) as system:
        alice = system.ref(Account, "alice")

    for send in (lambda: alice.tell(Get()), lambda: alice.send(Get()), lambda: alice.ask(Get())):
        with pytest.raises(SystemStopped, match=r"alice"):  # noqa: PT012  # telling, sending and asking alike
            result = send()
            assert isinstance(result, Awaitable)
            await result


@simulated(seeds=range(5))
async def test_ended_actors_park_what_comes_and_leave_memory(watch: Watch) -> None:
    @stored("test.turn.end")
    @frozen
    class End(Request[None]):
        pass

    class Mortal(DurableActor[Balance, End], name="test.turn.mortal"):
        @handle
        def finish(self, message: End) -> None:
            self.end()

    async with System(actors=[Mortal]) as system:
        events = watch(system)
        mortal = system.ref(Mortal, "m")
        await mortal.ask(End())
        await settled()
        assert not len(system.kernel.population)

        for _ in range(2):
            with pytest.raises(MessageParked, match=r"has ended"):
                await mortal.ask(End())

        assert [type(event) for event in events] == [Parked, Parked]
        await settled()
        assert not len(system.kernel.population)

        system.kernel.population.hint([actor_id("test.turn.mortal", "m")])  # by a sweep that saw mail before the end
        await settled()
        assert not len(system.kernel.population)


@simulated(seeds=range(1))
async def test_an_idle_actor_keeps_its_state_and_nothing_of_its_last_turn() -> None:
    async with open_system(MemoryStore()) as system:
        await system.ref(Account, "slim").ask(Add(1))
        await settled()
        gc.collect()

        kept = [one for one in gc.get_objects() if isinstance(one, Draft) and one.actor.endswith("/slim")]

        assert kept == []
        assert "slim" in {cell.path.rpartition("/")[2] for cell in system.kernel.population}


@simulated(seeds=range(2))
async def test_idle_actors_are_dropped_past_the_limit_and_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choragus.actors.population.CELLS", 20)
    async with open_system(MemoryStore()) as system:
        for number in range(100):
            await system.ref(Account, f"a{number}").ask(Add(number))
            assert len(system.kernel._population) <= 21

        assert await system.ref(Account, "a3").ask(Get()) == [3]


@simulated(seeds=range(2))
async def test_the_one_that_is_in_use_stays_in_memory_and_those_that_leave_are_told(
    monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    monkeypatch.setattr("choragus.actors.population.CELLS", 10)
    left: list[str] = []

    class Guest(DurableActor[Balance, Get], name="test.turn.guest"):
        @handle
        def get(self, message: Get) -> list[int]:
            return self.state.amounts

        def on_passivate(self) -> None:
            left.append(self.key)
            raise RuntimeError("no matter")

    async with System(actors=[Guest]) as system:
        events = watch(system)
        for number in range(40):
            await system.ref(Guest, "often").ask(Get())
            await system.ref(Guest, f"once-{number}").ask(Get())
        assert left
        assert "often" not in left

    assert sorted(left) == sorted({"often", *(f"once-{number}" for number in range(40))})
    assert [event.message for event in events if isinstance(event, Failed)] == ["on_passivate"] * len(left)


@simulated(seeds=range(5))
async def test_a_backlog_that_is_full_refuses_tells_and_lets_sends_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from choragus.actors.errors import MailboxFull

    monkeypatch.setattr("choragus.actors.writer.BACKLOG", 5)
    async with open_system(MemoryStore()) as system:
        alice = system.ref(Account, "alice")
        await asyncio.sleep(0)
        with pytest.raises(MailboxFull, match=r"^5 messages wait for the disk \(the limit\), one for test"):  # noqa: PT012  # telling, sending and asking alike
            for _ in range(10):
                alice.tell(Get())

        await alice.send(Add(1))

        assert await alice.ask(Get()) == [1]


@simulated(seeds=range(5))
async def test_a_turn_whose_revision_was_overtaken_runs_again() -> None:
    """The store refuses the turn, and the actor begins again from what is on disk."""

    class Refuses(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.refused = 0

        async def commit(self, batch: Batch) -> Committed | Rejected:
            if batch.turns and self.refused < 3:
                self.refused += 1
                return Rejected(offenders={batch.turns[0].id: "revision"})
            return await super().commit(batch)

    store = Refuses()
    async with open_system(store) as system:
        assert await system.ref(Account, "alice").ask(Add(1)) == 1
        assert await system.ref(Account, "alice").ask(Get()) == [1]
    assert store.refused == 3


def test_the_kernel_refuses_to_be_used_before_the_system_runs() -> None:
    with pytest.raises(RuntimeError, match=r"^this System does not run yet: use it as in `async with System\(\)"):
        _ = System().kernel


@on_each_store(seeds=range(3))
async def test_an_actor_that_is_done_leaves_memory_and_goes_on_with_its_next_message(reopen: Reopen) -> None:
    left: list[str] = []

    class Guest(DurableActor[Balance, Add | Get], name="test.turn.guest"):
        @property
        def is_done(self) -> bool:
            return bool(self.state.amounts)

        @handle
        def add(self, message: Add) -> int:
            self.state.amounts.append(message.amount)
            return sum(self.state.amounts)

        @handle
        def get(self, message: Get) -> list[int]:
            return self.state.amounts

        def on_passivate(self) -> None:
            left.append(self.key)

    async with System(store=await reopen(), actors=[Guest]) as system:
        guest = system.ref(Guest, "g")
        assert await guest.ask(Get()) == []
        assert len(system.kernel.population) == 1

        for amount, total in ((1, 1), (2, 3), (3, 6)):
            assert await guest.ask(Add(amount)) == total
            await settle()
            assert not len(system.kernel.population)

    assert left == ["g"] * 3
