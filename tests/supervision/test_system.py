"""Entering and leaving a system, in order and otherwise: nothing hangs, and nothing is left behind."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorStopped, MailboxFull, SystemStopped
from choragus.actors.event import Event, Failed, Zombie
from choragus.actors.message import Request
from choragus.actors.testing.loop import clock, running, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import (
    CommitUnknown,
    CorruptRecord,
    FileInUse,
    LeaseLost,
    NewerSchema,
    NotChoragusFile,
    StoreError,
)
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Claim, Committed, Rejected
from choragus.supervision.errors import StartFailed, SystemFailed
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.system import System

Watch = Callable[[System], list[Event]]


@stored("test.system.get")
@frozen
class Get(Request[int]):
    pass


@stored("test.system.wait")
@frozen
class Wait(Request[int]):
    pass


@stored("test.system.state")
@define
class State:
    count: int = 0


class Counter(DurableActor[State, Get | Wait], name="test.system.counter"):
    @handle
    def get(self, message: Get) -> int:
        self.state.count += 1
        return self.state.count

    @handle
    async def wait(self, message: Wait) -> int:
        await asyncio.sleep(60)
        return 0


class Plain(Actor[Get]):
    stopped: list[str] = []  # noqa: RUF012  # shared on purpose, cleared by the tests that look at it

    def __init__(self, on_stop: str = "", on_start: str = "") -> None:
        self.how_to_stop = on_stop
        self.how_to_start = on_start

    async def on_start(self) -> None:
        if self.how_to_start == "raise":
            raise RuntimeError("cannot start")
        if self.how_to_start == "hang":
            await asyncio.sleep(60)
        if self.how_to_start == "cancel":
            raise asyncio.CancelledError

    async def on_stop(self) -> None:
        match self.how_to_stop:
            case "raise":
                raise RuntimeError("cannot stop")
            case "cancel":
                raise asyncio.CancelledError
            case "hang":
                await asyncio.sleep(60)
            case "resist":
                deadline = running().time() + 10
                while running().time() < deadline:
                    try:
                        await asyncio.sleep(1)
                    except asyncio.CancelledError:
                        continue
        Plain.stopped.append(self.path)

    @handle
    def get(self, message: Get) -> int:
        return 1


@pytest.fixture(autouse=True)
def fresh() -> None:
    Plain.stopped.clear()


@pytest.fixture
def nothing_left(tmp_path: Path) -> Callable[[], None]:
    """Nothing of ours is left: no task, no thread, no lock on the file."""

    def check() -> None:
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert [name for name in names if name.startswith("choragus")] == []
        for thread in threading.enumerate():
            if "connection_worker" in thread.name:
                thread.join(1.0)
                assert not thread.is_alive()
        for lock in tmp_path.glob("*.lock"):
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    return check


# What is refused.


async def test_a_file_that_is_something_else_is_refused_and_left_alone(
    tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a long enough text to look at " * 10, encoding="utf-8")
    before = path.read_bytes()

    with pytest.raises(NotChoragusFile, match=r"notes\.txt is no SQLite database: choose another path$"):
        async with System(path, actors=[Counter]):
            raise AssertionError

    assert path.read_bytes() == before
    nothing_left()


async def test_a_file_of_a_newer_schema_is_refused(tmp_path: Path, nothing_left: Callable[[], None]) -> None:
    path = tmp_path / "new.db"
    async with System(path, actors=[Counter]):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(NewerSchema, match=r"has schema 999, .* upgrade choragus$"):
        async with System(path, actors=[Counter]):
            raise AssertionError
    nothing_left()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_second_system_on_the_same_store_is_refused_and_the_first_goes_on(kind: str, tmp_path: Path) -> None:
    memory = MemoryStore()
    path = tmp_path / "one.db"

    def open_system() -> System:
        return System(store=memory, actors=[Counter]) if kind == "memory" else System(path, actors=[Counter])

    async with open_system() as first:
        if kind == "sqlite":
            with pytest.raises(FileInUse, match=rf"is owned by process {os.getpid()}: stop it"):
                await open_system().__aenter__()
        else:
            second = MemoryStore()
            second.__dict__ = {**memory.__dict__}
            with pytest.raises(FileInUse, match=r"^the store is owned by node"):
                await System(store=second, actors=[Counter]).__aenter__()

        assert await first.ref(Counter, "a").ask(Get()) == 1


def test_trio_is_refused_with_a_sentence() -> None:
    """Trio need not be installed: its loop is one that asyncio does not know of."""
    entering = System().__aenter__()

    with pytest.raises(RuntimeError, match=r"^choragus runs on asyncio, not on trio: use anyio\.run\(main, backend="):
        entering.send(None)


async def test_a_system_is_entered_once() -> None:
    async with System() as system:
        with pytest.raises(RuntimeError, match=r"^a System is entered once: make another$"):
            await system.__aenter__()


async def test_a_spawn_after_the_stop_is_refused() -> None:
    async with System() as system:
        pass

    with pytest.raises(SystemStopped, match=r"^the system has stopped; Plain cannot be spawned$"):
        await system.spawn(Plain)


async def test_an_actor_built_by_something_without_a_name_is_called_after_its_class() -> None:
    build: type[Plain] = functools.partial(Plain)  # type: ignore[assignment]  # whatever can be called will do
    async with System() as system:
        ref = await system.spawn(build)

    assert ref.path == "partial-1"
    with pytest.raises(SystemStopped, match=r"^the system has stopped; partial cannot be spawned$"):
        await system.spawn(build)


async def test_find_says_when_there_is_no_such_actor() -> None:
    async with System(tree=Child(Plain, name="plain")) as system:
        for actor, path in ((Plain, "nobody"), (Plain, "plain/below"), (Other, "plain")):
            with pytest.raises(ActorStopped):
                system.find(actor, path)


class Other(Actor[Get]):
    @handle
    def get(self, message: Get) -> int:
        return 2


# Starts that fail.


@pytest.mark.parametrize("how", ["raise", "cancel"])
async def test_a_start_that_fails_leaves_nothing_behind(
    how: str, tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    tree = [Child(Plain, name="good"), Child(Plain, name="bad", kwargs={"on_start": how})]

    with pytest.raises(StartFailed, match=r"^bad did not start$"):
        async with System(tmp_path / "one.db", tree, actors=[Counter]):
            raise AssertionError

    assert Plain.stopped == ["good"]
    nothing_left()
    async with System(tmp_path / "one.db", actors=[Counter]) as system:
        assert not system.kernel.cautious


# On a real loop: the file is opened in a thread, and these are moments of it.
@pytest.mark.parametrize("after", [0.0, 0.0005, 0.002, 0.005, 0.01, 0.02])
async def test_an_entering_that_is_cancelled_leaves_nothing_behind(
    after: float, tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    tree = [Child(Plain, name="good"), Child(Plain, name="slow", kwargs={"on_start": "hang"})]

    async def enter() -> None:
        async with System(tmp_path / "one.db", tree, actors=[Counter]):
            raise AssertionError

    entering = asyncio.create_task(enter())
    await asyncio.sleep(after)
    entering.cancel()
    await asyncio.wait({entering})

    assert entering.cancelled()
    nothing_left()


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
@simulated(seeds=range(3))
async def test_a_host_that_is_cancelled_at_any_step_leaves_nothing_behind(
    after: int, nothing_left: Callable[[], None]
) -> None:
    Plain.stopped.clear()
    store = MemoryStore()

    async def host() -> None:
        async with System(store=store, tree=Child(Plain, name="plain"), actors=[Counter], clock=clock) as system:
            await system.ref(Counter, "a").ask(Get())

    hosting = asyncio.create_task(host())
    for _ in range(after):
        await asyncio.sleep(0)
    hosting.cancel()
    await asyncio.wait({hosting})

    assert Plain.stopped in ([], ["plain"])
    nothing_left()
    async with System(store=store, actors=[Counter], clock=clock) as system:
        assert not system.kernel.cautious


@simulated(seeds=range(5))
async def test_a_kernel_that_dies_while_the_tree_starts_is_reported_as_such(nothing_left: Callable[[], None]) -> None:
    system = System(tree=Child(Plain, name="slow", kwargs={"on_start": "hang"}), actors=[Counter])
    asyncio.get_running_loop().call_later(5, lambda: system.kernel.fail(CommitUnknown("gone")))

    with pytest.raises(SystemFailed, match=r"^the system ended: kernel"):
        await system.__aenter__()
    nothing_left()


# Orderly ends.


async def test_leaving_the_block_leaves_nothing_behind(tmp_path: Path, nothing_left: Callable[[], None]) -> None:
    async with System(tmp_path / "one.db", Child(Plain, name="plain"), actors=[Counter]) as system:
        assert await system.ref(Counter, "a").ask(Get()) == 1

    assert Plain.stopped == ["plain"]
    nothing_left()


# On a real loop: the file is closed in a thread, and these are moments of it.
@pytest.mark.parametrize("after", [0.0, 0.001, 0.003, 0.01])
async def test_a_host_that_is_cancelled_while_it_leaves_still_gets_an_orderly_end(
    after: float, tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    left = asyncio.Event()

    async def host() -> None:
        async with System(tmp_path / "one.db", Child(Plain, name="plain"), actors=[Counter]) as system:
            await system.ref(Counter, "a").ask(Get())
            left.set()

    hosting = asyncio.create_task(host())
    await left.wait()
    await asyncio.sleep(after)
    hosting.cancel()
    await asyncio.wait({hosting})

    assert Plain.stopped == ["plain"]
    nothing_left()
    async with System(tmp_path / "one.db", actors=[Counter]) as system:
        assert not system.kernel.cautious


@simulated(seeds=range(5))
async def test_r35_a_cancellation_from_outside_is_an_orderly_end() -> None:
    Plain.stopped.clear()
    events: list[Event] = []

    async def host() -> None:
        async with System(tree=Child(Plain, name="plain"), actors=[Counter]) as system:
            system.events.subscribe(events.append)
            scope.cancel()
            await asyncio.sleep(60)

    with anyio.CancelScope() as scope:
        await host()

    assert (Plain.stopped, events) == (["plain"], [])


@simulated(seeds=range(5))
async def test_an_error_in_the_body_passes_through_an_orderly_end() -> None:
    Plain.stopped.clear()
    with pytest.raises(ValueError, match=r"^mine$"):
        async with System(tree=Child(Plain, name="plain")):
            raise ValueError("mine")

    assert Plain.stopped == ["plain"]


@pytest.mark.parametrize(
    ("how", "reports"), [("raise", Failed), ("cancel", Failed), ("hang", Failed), ("resist", Zombie)]
)
@simulated(seeds=range(5))
async def test_r32_and_r33_an_on_stop_that_fails_is_reported_and_the_others_still_stop(
    how: str, reports: type[Event], watch: Watch
) -> None:
    Plain.stopped.clear()
    bad = Child(Plain, name="bad", kwargs={"on_stop": how}, shutdown=2.0)
    async with System(tree=[Child(Plain, name="first"), bad, Child(Plain, name="last")]) as system:
        events = watch(system)

    assert Plain.stopped[:2] == ["last", "first"]
    assert [type(event) for event in events] == [reports]
    await asyncio.sleep(10)  # the zombie's end


@simulated(seeds=range(3), steps=50_000)
async def test_durable_actors_that_talk_to_each_other_for_ever_do_not_hold_up_the_end() -> None:
    class Talker(DurableActor[State, Get], name="test.system.talker"):
        @handle
        def get(self, message: Get) -> int:
            self.state.count += 1
            self.ref(Talker, f"{self.key[0]}{self.state.count % 7}").tell(Get())
            self.ref(Talker, f"new{self.key}{self.state.count}").tell(Get())
            return 1

    async with System(actors=[Talker], clock=clock) as system:
        for number in range(10):
            system.ref(Talker, f"{number}a").tell(Get())
        for _ in range(10):
            await asyncio.sleep(0)
        began = running().time()

    assert running().time() - began < 1.0


# On a real loop: it measures what processor time is spent.
async def test_stopping_many_children_costs_little_each() -> None:
    async def spent(children: int) -> float:
        began = time.process_time()
        async with System() as system:
            for _ in range(children):
                await system.spawn(Other)
        return time.process_time() - began

    few, many = await spent(200), await spent(2000)

    assert many < 30 * few + 0.5


# Ends that nobody asked for.


class Failing(MemoryStore):
    """A store whose commits fail from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: Exception | None = None
        self.released = 0
        self.closed = 0

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        return await super().commit(batch)

    async def release(self, node: str) -> None:
        self.released += 1
        await super().release(node)

    async def close(self) -> None:
        self.closed += 1
        await super().close()


@simulated(seeds=range(5))
async def test_a_damaged_file_ends_the_system_and_everybody_who_waits_is_told(
    nothing_left: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choragus.actors.writer.BACKLOG", 2)
    store = Failing()
    asking: list[asyncio.Future[object]] = []

    with pytest.raises(SystemFailed, match=r"^the system ended: kernel$") as ended:  # noqa: PT012  # the system ends within
        async with asyncio.timeout(2):
            async with System(store=store, actors=[Counter]) as system:
                counter = system.ref(Counter, "a")
                assert await counter.ask(Get()) == 1
                store.broken = CorruptRecord("the file is damaged")
                asking += [asyncio.ensure_future(counter.ask(Get()))]
                asking += [asyncio.ensure_future(counter.send(Get())) for _ in range(3)]
                await asyncio.sleep(60)

    assert ended.value.exceptions == (store.broken,)
    for one in asking:
        with pytest.raises((SystemStopped, MailboxFull)):
            await one
    assert (store.released, store.closed) == (0, 1)
    nothing_left()


@simulated(seeds=range(5))
async def test_a_store_that_fails_while_the_system_stops_does_not_hang_it(nothing_left: Callable[[], None]) -> None:
    store = Failing()

    with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
        async with asyncio.timeout(2):
            async with System(store=store, actors=[Counter]) as system:
                await system.ref(Counter, "a").ask(Get())
                store.broken = CorruptRecord("the file is damaged")
                system.ref(Counter, "a").tell(Get())

    assert (store.released, store.closed) == (0, 1)
    nothing_left()


@simulated(seeds=range(5))
async def test_a_disk_that_stays_full_holds_the_end_up_for_a_while_and_is_named(
    nothing_left: Callable[[], None],
) -> None:
    store = Failing()
    began = clock()

    with pytest.raises(SystemFailed) as ended:  # noqa: PT012  # the system ends within
        async with System(store=store, actors=[Counter]) as system:
            await system.ref(Counter, "a").ask(Get())
            store.broken = CommitUnknown("the disk is full")
            system.ref(Counter, "a").tell(Get())

    (error,) = ended.value.exceptions
    assert re.fullmatch(r"\d writes did not reach the disk within 10 s: the disk is full", str(error))
    assert clock() - began <= 16.0
    assert (store.released, store.closed) == (0, 1)
    nothing_left()


@simulated(seeds=range(5))
async def test_a_release_that_fails_still_closes_the_store(nothing_left: Callable[[], None]) -> None:
    class Stuck(Failing):
        async def release(self, node: str) -> None:
            raise StoreError("read-only now")

    store = Stuck()
    with pytest.raises(SystemFailed, match="kernel"):
        async with System(store=store, actors=[Counter]):
            pass

    assert store.closed == 1
    nothing_left()


@simulated(seeds=range(5))
async def test_a_claim_that_fails_closes_the_store(nothing_left: Callable[[], None]) -> None:
    class Unclaimable(Failing):
        async def claim(self, node: str, ttl: float, now: float) -> Claim:
            raise StoreError("no")

    store = Unclaimable()
    with pytest.raises(StoreError, match=r"^no$"):
        async with System(store=store, actors=[Counter]):
            raise AssertionError

    assert (store.released, store.closed) == (0, 1)
    nothing_left()


@simulated(seeds=range(5))
async def test_an_opening_that_is_cancelled_is_finished_and_then_given_up_in_order() -> None:
    """A claim that is under way takes the store all the same: it must be released again."""

    class SlowClaim(Failing):
        async def claim(self, node: str, ttl: float, now: float) -> Claim:
            claiming.set()
            await gate.wait()
            return await super().claim(node, ttl, now)

    claiming, gate, store = asyncio.Event(), asyncio.Event(), SlowClaim()
    entering = asyncio.ensure_future(System(store=store, actors=[Counter]).__aenter__())
    await claiming.wait()
    entering.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait({entering})

    assert entering.cancelled()
    assert (store.released, store.closed) == (1, 1)


@simulated(seeds=range(5))
async def test_a_lost_lease_ends_the_system() -> None:
    store = MemoryStore()

    with pytest.raises(SystemFailed) as ended:  # noqa: PT012  # the system ends within
        async with System(store=store, actors=[Counter], clock=clock) as system:
            await store.claim("another", 10.0, clock() + 3600)
            with pytest.raises(SystemStopped):
                await system.ref(Counter, "a").ask(Get())
            await asyncio.sleep(60)

    assert isinstance(ended.value.exceptions[0], LeaseLost)


@simulated(seeds=range(5))
async def test_a_lease_that_cannot_be_renewed_ends_the_system() -> None:
    store = MemoryStore()

    with pytest.raises(SystemFailed) as ended:  # noqa: PT012  # the system ends within
        async with System(store=store, actors=[Counter], clock=clock):
            await store.claim("another", 10.0, clock() + 3600)
            await asyncio.sleep(60)

    assert isinstance(ended.value.exceptions[0], LeaseLost)


@simulated(seeds=range(5))
async def test_a_dead_kernel_cancels_the_handlers_that_run(nothing_left: Callable[[], None]) -> None:
    with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
        async with asyncio.timeout(3):
            async with System(actors=[Counter]) as system:
                asking = asyncio.ensure_future(system.ref(Counter, "a").ask(Wait()))
                await settled()
                system.kernel.fail(CommitUnknown("gone"))

    with pytest.raises(SystemStopped):
        await asking
    nothing_left()


@simulated(seeds=range(5))
async def test_a_supervisors_own_fault_ends_the_system_rather_than_stall_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **keywords: object) -> object:
        raise LookupError("a fault of ours")

    monkeypatch.setattr("choragus.supervision.mender.judge", broken)

    class Fails(Actor[Get]):
        @handle
        def get(self, message: Get) -> int:
            raise RuntimeError("no")

    with pytest.raises(SystemFailed, match="kernel"):  # noqa: PT012  # the system ends within
        async with System(tree=Supervisor(name="top", children=[Child(Fails, name="a")])) as system:
            system.find(Fails, "top/a").tell(Get())
            await asyncio.sleep(60)


async def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path, nothing_left: Callable[[], None]) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        async with System(tmp_path / "missing" / "one.db", actors=[Counter]):
            raise AssertionError
    nothing_left()


async def test_the_store_of_a_path_is_one_file(tmp_path: Path) -> None:
    async with System(tmp_path / "one.db", actors=[Counter]) as system:
        assert isinstance(system.kernel.store, SqliteStore)
    async with System(actors=[Counter]) as system:
        assert isinstance(system.kernel.store, MemoryStore)


# Signals, in processes of their own.

PROGRAM = """
import asyncio, signal, sys, time
from attrs import frozen
from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.supervision.spec import Child
from choragus.supervision.system import System

@frozen
class Ping:
    pass

class Slow(Actor[Ping]):
    async def on_stop(self):
        print("stopping", flush=True)
        await asyncio.sleep(float(sys.argv[2]))
        print("stopped", flush=True)

    @handle
    def ping(self, message: Ping) -> None: ...

async def main():
    async with System(tree=Child(Slow, name="slow"), signals=sys.argv[1] == "yes"):
        print("running", flush=True)
        await asyncio.sleep(30)

before = signal.getsignal(signal.SIGTERM)
try:
    asyncio.run(main())
finally:
    print("restored", signal.getsignal(signal.SIGTERM) is before, flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")

    def start(signals: str, stop_takes: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), signals, str(stop_takes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        return process

    return start


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_first_signal_ends_the_system_in_order(
    number: signal.Signals, code: int, program: Callable[..., subprocess.Popen[str]]
) -> None:
    process = program("yes", 0.05)

    process.send_signal(number)
    out, _ = process.communicate(timeout=10)

    assert out.splitlines() == ["stopping", "stopped", "restored True"]
    assert process.returncode in (code, 128 + number)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_at_once(
    second: signal.Signals, program: Callable[..., subprocess.Popen[str]]
) -> None:
    process = program("yes", 20)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"

    process.send_signal(second)

    assert process.wait(timeout=5) == 128 + second
    process.communicate()


def test_without_signals_the_process_keeps_its_own_handlers(program: Callable[..., subprocess.Popen[str]]) -> None:
    process = program("no", 0.0)

    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)

    assert (out, process.returncode) == ("", -signal.SIGTERM)
