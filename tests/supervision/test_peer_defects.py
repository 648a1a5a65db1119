"""Known defects of other actor systems, each as a test that this one passes."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.cell import Cell
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorFailed, ActorStopped, AskCycle, AskTimeout, MessageParked, SystemStopped
from choragus.actors.event import DeadLetter, Event, Failed, Restarted
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.faults import crash, drop, faults
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.errors import SystemFailed
from choragus.supervision.slot import Slot
from choragus.supervision.spec import Child, Region, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System
from choragus.supervision.testing.crash import crashing

NEVER = OneForOne(max_restarts=0)


@frozen
class Nap(Request[int]):
    """Take a nap, and say how many were taken."""

    seconds: float = 1.0


@frozen
class Note:
    sender: str
    number: int


@frozen
class Half(Request[None]):
    """Change one of two things, and fail before the other."""


@frozen
class Sum(Request[tuple[int, int]]):
    pass


@frozen
class Leave(Request[str]):
    pass


class Worker(Actor[Nap | Note | Half | Sum | Leave]):
    """Naps, notes, and keeps two numbers that should always be the same."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.naps = 0
        self.notes: list[Note] = []
        self.left = self.right = 0

    @handle
    async def nap(self, message: Nap) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(message.seconds)
        self.inside -= 1
        self.naps += 1
        return self.most

    @handle
    def note(self, message: Note) -> None:
        self.notes.append(message)

    @handle
    def half(self, message: Half) -> None:
        self.left += 1
        raise RuntimeError("half way")

    @handle
    def sum(self, message: Sum) -> tuple[int, int]:
        return self.left, self.right

    @handle
    def leave(self, message: Leave) -> str:
        self.stop()
        return "left"


def watched(system: System) -> list[Event]:
    events: list[Event] = []
    system.events.subscribe(events.append)
    return events


def now() -> float:
    return asyncio.get_running_loop().time()


# Interleaving.


@simulated(seeds=range(4))
async def test_handlers_of_one_actor_never_interleave() -> None:
    """autogen-core: 20 messages to one agent run in 20 handlers at the same time."""
    async with System() as system:
        worker = await system.spawn(Worker)
        for _ in range(20):
            worker.tell(Nap())
            await asyncio.sleep(0.3)

        assert await worker.ask(Nap()) == 1


@simulated(seeds=range(4))
async def test_each_senders_messages_keep_their_order() -> None:
    """autogen-core: each message gets a task of its own, so nothing promises the order in which they are handled."""
    kept: list[Worker] = []

    def build() -> Worker:
        kept.append(Worker())
        return kept[-1]

    async def speak(name: str, worker: Ref[Note]) -> None:
        for number in range(50):
            if number % 3:
                worker.tell(Note(name, number))
            else:
                await worker.send(Note(name, number))

    async with System(tree=Child(build, name="worker", mailbox=101)) as system:
        worker = system.find(Worker, "worker")
        await asyncio.gather(speak("a", worker), speak("b", worker))
        await worker.ask(Sum())

    notes = kept[0].notes
    assert [[note.number for note in notes if note.sender == name] for name in "ab"] == [list(range(50))] * 2


# Waiting for ever.


@simulated(seeds=range(4))
async def test_the_end_does_not_wait_for_a_message_that_was_dropped() -> None:
    """autogen-core: `stop_when_idle()` hangs after an intervention handler dropped a message."""
    async with System() as system:
        worker = await system.spawn(Worker, name="worker")
        with faults(drop(lambda path, message: True)) as happened:
            worker.tell(Nap())
            waits = asyncio.create_task(worker.ask(Nap(), timeout=2.0))
            await settled()
        began = now()

    assert (len(happened), now() - began) == (2, 0.0)
    with pytest.raises(AskTimeout):
        await waits


@simulated(seeds=range(4))
async def test_a_message_to_an_actor_that_is_gone_is_an_event_and_an_ask_of_it_fails_at_once() -> None:
    """Thespian: messages silently stop arriving, and whoever asked goes on waiting."""
    async with System() as system:
        worker = await system.spawn(Worker, name="worker", restart=Restart.TEMPORARY)
        await worker.ask(Leave())
        await settled()
        events = watched(system)
        began = now()

        worker.tell(Note("a", 1))
        with pytest.raises(ActorStopped, match=r"^worker has stopped"):
            await worker.ask(Nap())

        assert (events, now() - began) == ([DeadLetter("worker", Note("a", 1))], 0.0)


@simulated(seeds=range(4))
async def test_an_ask_in_flight_ends_when_the_system_ends() -> None:
    """autogen-core: the future of a message that is in flight when the runtime stops never resolves."""
    async with System() as system:
        worker = await system.spawn(Worker, shutdown=2.0)
        in_hand = asyncio.create_task(worker.ask(Nap(3600.0), timeout=7200.0))
        queued = asyncio.create_task(worker.ask(Nap(3600.0), timeout=7200.0))
        await settled()
        began = now()

    for waits in (in_hand, queued):
        with pytest.raises((SystemStopped, ActorStopped)):
            await waits
    assert now() - began <= 3.0


@simulated(seeds=range(4))
async def test_an_ask_in_flight_ends_when_the_actor_is_stopped() -> None:
    """autogen-core: the future of a message that is in flight when the runtime stops never resolves."""
    async with System() as system:
        worker = await system.spawn(Worker, name="worker", shutdown=2.0)
        in_hand = asyncio.create_task(worker.ask(Nap(3600.0), timeout=7200.0))
        queued = asyncio.create_task(worker.ask(Nap(3600.0), timeout=7200.0))
        await settled()
        began = now()

        await system.supervisor().stop_child("worker")

        for waits in (in_hand, queued):
            with pytest.raises(ActorStopped, match=r"^worker has stopped"):
                await waits
        assert now() - began <= 3.0


@simulated(seeds=range(4))
async def test_asks_end_when_the_supervisor_gives_up() -> None:
    """autogen-core: the futures of messages that nobody will handle any more never resolve."""
    top = Supervisor(name="top", strategy=NEVER, children=[Child(Worker, name="worker")], restart=Restart.TEMPORARY)
    async with System(tree=top) as system:
        worker = system.find(Worker, "top/worker")
        asks: list[asyncio.Task[object]] = []
        for one in (Nap(1.0), Half(), Nap(), Nap()):
            asks.append(asyncio.create_task(worker.ask(one, timeout=7200.0)))
            await settled()

        told = await asyncio.gather(*asks, return_exceptions=True)

        assert [type(one) for one in told] == [int, ActorFailed, ActorStopped, ActorStopped]
        assert now() == 1.0


@simulated(seeds=range(4))
async def test_an_ask_ends_when_its_time_is_over() -> None:
    """Thespian: the timeout of an ask is ignored under load."""
    async with System() as system:
        worker = await system.spawn(Worker)
        for _ in range(100):
            worker.tell(Nap(60.0))

        with pytest.raises(AskTimeout, match=r"did not answer Nap within 2 s; it may still do so$"):
            await worker.ask(Nap(), timeout=2.0)

        assert now() == pytest.approx(2.0)


# Asking oneself, stopping oneself.


@frozen
class Outer(Request[str]):
    pass


@frozen
class Inner(Request[str]):
    pass


class Selfish(Actor[Outer | Inner]):
    me: Ref[Inner]

    @handle
    async def outer(self, message: Outer) -> str:
        try:
            return await self.me.ask(Inner())
        except AskCycle as error:
            return type(error).__name__

    @handle
    def inner(self, message: Inner) -> str:
        return "inner"


@simulated(seeds=range(4))
async def test_an_actor_that_asks_itself_is_told_so_at_once() -> None:
    """xoscar: an actor that calls itself waits for its own lock."""
    async with System() as system:
        selfish = await system.spawn(Selfish)
        Selfish.me = selfish

        told = await selfish.ask(Outer())

        assert (told, now()) == ("AskCycle", 0.0)


@simulated(seeds=range(4))
async def test_an_actor_that_stops_itself_is_not_waited_for_by_itself() -> None:
    """pykka: an actor that stops itself and waits for its end waits for ever (issue 76)."""
    async with System() as system:
        worker = await system.spawn(Worker, restart=Restart.TEMPORARY)

        assert await worker.ask(Leave()) == "left"

        with pytest.raises(ActorStopped):
            await worker.ask(Nap())
        assert now() == 0.0


class Suicidal(Actor[Leave]):
    def __init__(self, tree: System) -> None:
        self.tree = tree

    @handle
    async def leave(self, message: Leave) -> str:
        await self.tree.supervisor().stop_child(self.path)
        return "never"


@simulated(seeds=range(4))
async def test_an_actor_that_waits_for_its_supervisor_to_stop_it_is_cancelled_in_the_end() -> None:
    """pykka: an actor that stops itself and waits for its end waits for ever (issue 76)."""
    async with System() as system:
        suicidal = await system.spawn(Suicidal, system, name="suicidal", shutdown=2.0)

        with pytest.raises(ActorStopped):
            await suicidal.ask(Leave(), timeout=60.0)

        assert now() == pytest.approx(2.0)


# Failures that nobody hears of.


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


@simulated(seeds=range(4))
async def test_a_subscriber_that_raises_is_logged_and_the_others_get_the_event() -> None:
    """autogen-core: what the handler of a published message raises is swallowed."""
    listener = Listener()
    logger = logging.getLogger("choragus")
    logger.addHandler(listener)
    try:
        async with System() as system:

            def broken(event: Event) -> None:
                raise LookupError("broken subscriber")

            system.events.subscribe(broken)
            events = watched(system)
            worker = await system.spawn(Worker)
            worker.tell(Half())
            await settled()

            assert [type(event) for event in events] == [Failed, Restarted]
    finally:
        logger.removeHandler(listener)
    errors = [record.exc_info[1] for record in listener.heard if record.levelno == logging.ERROR and record.exc_info]
    assert [str(error) for error in errors] == ["broken subscriber"] * 2


@simulated(seeds=range(4))
async def test_a_handler_that_fails_on_a_tell_is_an_event_and_its_supervisor_acts() -> None:
    """autogen-core: with its default settings an exception in a handler that nobody awaits is dropped (issue 4904)."""
    async with System() as system:
        events = watched(system)
        worker = await system.spawn(Worker, name="worker")

        worker.tell(Half())
        await settled()

        failed, restarted = events
        assert isinstance(failed, Failed)
        assert (failed.actor, failed.message, str(failed.error)) == ("worker", "Half", "half way")
        assert restarted == Restarted("worker", 2)


@simulated(seeds=range(4))
async def test_an_actor_never_dies_silently() -> None:
    """pykka: an actor whose handler raises on a tell is gone, and nobody is told (issue 187)."""

    async def run() -> None:
        top = Supervisor(name="top", strategy=NEVER, children=[Child(Worker, name="worker")])
        async with System(tree=top) as system:
            worker = system.find(Worker, "top/worker")
            for _ in range(2):
                worker.tell(Half())
                await settled()
            await asyncio.sleep(3600)

    with pytest.raises(SystemFailed) as ended:
        await run()

    assert set(ended.value.paths) == {"top/worker"}
    assert {str(error) for error in ended.value.exceptions} == {"half way"}


@simulated(seeds=range(4))
async def test_a_temporary_actor_that_fails_is_reported_and_its_askers_are_told() -> None:
    """pykka: an actor whose handler raises on a tell is gone, and nobody is told (issue 187)."""
    async with System() as system:
        events = watched(system)
        worker = await system.spawn(Worker, name="worker", restart=Restart.TEMPORARY)

        worker.tell(Half())
        waits = asyncio.create_task(worker.ask(Nap(), timeout=7200.0))
        await settled()

        with pytest.raises(ActorStopped, match=r"^worker has stopped"):
            await waits
        assert [str(event.error) for event in events if isinstance(event, Failed)] == ["half way"]
        assert now() == 0.0


# State.


@simulated(seeds=range(4))
async def test_nobody_goes_on_with_half_changed_state() -> None:
    """pykka: an actor whose handler raises on an ask lives on with the state as the handler left it."""
    async with System() as system:
        worker = await system.spawn(Worker)

        with pytest.raises(ActorFailed):
            await worker.ask(Half())

        assert await worker.ask(Sum()) == (0, 0)


@stored("test.peers.take")
@frozen
class Take(Request[int]):
    amount: int
    fails: bool = False


@stored("test.peers.total")
@define
class Total:
    amount: int = 0


class Till(DurableActor[Total, Take], name="test.peers.till"):
    @handle
    def take(self, message: Take) -> int:
        self.state.amount += message.amount
        if message.fails:
            raise RuntimeError("half way")
        return self.state.amount


@simulated(seeds=range(4))
async def test_state_survives_a_crash_and_a_reopening() -> None:
    """xoscar: an actor that is recovered after its process died has lost its state."""
    store = MemoryStore()
    async with crashing(System(store=store, actors=[Till], clock=clock)) as system:
        till = system.ref(Till, "a")
        assert await till.ask(Take(5)) == 5
        with faults(crash("after commit")):
            till.tell(Take(2))
            await asyncio.sleep(60)

    async with System(store=store, actors=[Till], clock=clock) as system:
        assert await system.ref(Till, "a").ask(Take(0)) == 7


@simulated(seeds=range(4))
async def test_a_durable_message_that_always_fails_is_parked_and_whoever_asked_is_told() -> None:
    """Cloudflare Agents: a failed row is tried again for ever, or deleted with a line in the log."""
    async with System(store=MemoryStore(), actors=[Region(Till, attempts=2)], clock=clock) as system:
        till = system.ref(Till, "a")
        await till.ask(Take(5))

        with pytest.raises(MessageParked, match=r"failed 2 times, last with RuntimeError: half way"):
            await till.ask(Take(1, fails=True), timeout=3600.0)

        assert await till.ask(Take(0)) == 5


# Memory.


@simulated(seeds=range(1))
async def test_actors_that_have_ended_are_not_kept() -> None:
    """autogen-core: an agent's instance is kept for ever, 1,005 of them after a moment's use (issues 5374 and 3924)."""
    instances: weakref.WeakSet[Worker] = weakref.WeakSet()

    def build() -> Worker:
        worker = Worker()
        instances.add(worker)
        return worker

    async with System() as system:
        supervisor = system.supervisor()
        await system.spawn(Worker, name="stays")
        before = _held()
        for number in range(1000):
            child = Child(build, name=f"guest-{number}", restart=Restart.TEMPORARY)
            await (await supervisor.start_child(child)).ask(Leave())
        await settled()

        gc.collect()
        assert (len(instances), supervisor.count().specs) == (0, 1)
        assert _held() - before < 10  # an idle worker task may still hold the last cell that it ran


def _held() -> int:
    """How many cells and slots there are."""
    gc.collect()
    return sum(isinstance(one, Cell | Slot) for one in gc.get_objects())
