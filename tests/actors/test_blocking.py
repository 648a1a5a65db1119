"""Handlers that block run in a thread or process of their own, and the event loop runs on. Real time: they are real."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from attrs import define, field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorFailed, ActorStopped, HandlerFault, NotPicklable, ProcessDied, SystemStopped
from choragus.actors.event import DeadLetter, Event, Failed, Zombie
from choragus.actors.message import Request
from choragus.actors.process import Processes
from choragus.actors.testing.simulation import simulated
from choragus.actors.thread import in_thread
from choragus.mailbox.codec import stored
from choragus.supervision.spec import Child
from choragus.supervision.system import System

Until = Callable[[Callable[[], object]], Awaitable[None]]
Watch = Callable[[System], list[Event]]

HERE: contextvars.ContextVar[str] = contextvars.ContextVar("HERE", default="nowhere")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own imports this very module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


@define(eq=False)
class Gate:
    """Where a thread waits: `opened` by the test, and `reached` by the thread."""

    opened: threading.Event = field(factory=threading.Event)
    reached: threading.Event = field(factory=threading.Event)
    inside: int = 0
    most: int = 0

    def pass_through(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.reached.set()
        assert self.opened.wait(20)
        self.inside -= 1


@frozen
class Wait(Request[str]):
    gate: Gate


@frozen
class Total(Request[int]):
    pass


@frozen
class Raise(Request[None]):
    error: BaseException


@frozen
class Where(Request[str]):
    pass


class Sleeper(Actor[Wait | Total | Raise | Where]):
    def __init__(self) -> None:
        self.total = 0

    @handle(blocking="thread")
    def wait(self, message: Wait) -> str:
        message.gate.pass_through()
        self.total += 1
        return threading.current_thread().name

    @handle
    def count(self, message: Total) -> int:
        return self.total

    @handle(blocking="thread")
    def fail(self, message: Raise) -> None:
        raise message.error

    @handle(blocking="thread")
    def where(self, message: Where) -> str:
        return HERE.get()


@stored("test.blocking.ping")
@frozen
class Ping(Request[int]):
    number: int = 0


@stored("test.blocking.state")
@define
class State:
    pass


@frozen
class Work(Request[object]):
    """Say what the process is to do, and with what."""

    what: str
    given: object = None


class CarriesNoArguments(Exception):
    """Pickles, and does not unpickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("two numbers")


class Cruncher(Actor[Work | Total]):
    @handle(blocking="process")
    @staticmethod
    def work(message: Work) -> object:
        match message.what:
            case "square":
                assert isinstance(message.given, int)
                return message.given**2
            case "pid":
                return os.getpid()
            case "raise":
                assert isinstance(message.given, str)
                raise ValueError(message.given)
            case "exit":
                sys.exit(3)
            case "die":
                os._exit(7)
            case "strange":
                raise CarriesNoArguments(1, 2)
            case "lambda":
                return lambda: 1
            case "print":
                print("not an answer")
                return "printed"
            case "sleep":
                assert isinstance(message.given, str)
                Path(message.given).write_text(str(os.getpid()), encoding="utf-8")
                time.sleep(60)
        return None

    @handle
    def count(self, message: Total) -> int:
        return 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def noted(note: Path) -> int:
    """The process id, once it has been written down; a process may take seconds to start on a busy machine."""
    async with asyncio.timeout(25):
        while not note.exists() or not note.read_text(encoding="utf-8"):  # noqa: ASYNC110, ASYNC240  # nothing tells
            await asyncio.sleep(0.01)
    return int(note.read_text(encoding="utf-8"))  # noqa: ASYNC240  # the same


# In a thread.


async def test_the_loop_and_the_other_actors_run_on_while_a_thread_blocks(until: Until) -> None:
    gate = Gate()
    async with System() as system:
        sleeper, other = await system.spawn(Sleeper), await system.spawn(Sleeper)
        waits = asyncio.create_task(sleeper.ask(Wait(gate)))
        await until(gate.reached.is_set)

        assert await other.ask(Total()) == 0

        gate.opened.set()
        assert (await waits).startswith("choragus:Sleeper.wait")


async def test_an_actor_whose_thread_blocks_still_handles_one_message_at_a_time(until: Until) -> None:
    gate = Gate()
    async with System() as system:
        sleeper = await system.spawn(Sleeper)
        waits = [asyncio.create_task(sleeper.ask(Wait(gate))) for _ in range(3)]
        counts = asyncio.create_task(sleeper.ask(Total()))
        await until(gate.reached.is_set)
        gate.opened.set()

        await asyncio.gather(*waits)

        assert (gate.most, await counts) == (1, 3)


async def test_a_thread_that_outlasts_the_stop_is_left_behind_and_its_result_refused(
    until: Until, watch: Watch
) -> None:
    gate = Gate()
    async with System() as system:
        events = watch(system)
        sleeper = await system.supervisor().start_child(Child(Sleeper, name="sleeper", shutdown=0.0))
        waits = asyncio.create_task(sleeper.ask(Wait(gate)))
        await until(gate.reached.is_set)

        await system.supervisor().stop_child("sleeper")

        with pytest.raises(ActorStopped):
            await waits
        anew = await system.supervisor().restart_child(sleeper)
        gate.opened.set()
        await until(lambda: gate.inside == 0)
        assert await anew.ask(Total()) == 0
        assert not [event for event in events if isinstance(event, DeadLetter | Zombie)]


async def test_a_thread_that_blocks_does_not_hold_up_the_systems_end(until: Until) -> None:
    gate = Gate()
    async with System() as system:
        sleeper = await system.spawn(Sleeper, shutdown=0.0)
        waits = asyncio.create_task(sleeper.ask(Wait(gate)))
        await until(gate.reached.is_set)

    with pytest.raises(ActorStopped):
        await waits
    gate.opened.set()


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), StopIteration(), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
async def test_what_a_thread_raises_fails_the_actor_and_nothing_more(error: BaseException, watch: Watch) -> None:
    async with System() as system:
        events = watch(system)
        sleeper = await system.spawn(Sleeper)

        with pytest.raises(ActorFailed) as failed:
            await sleeper.ask(Raise(error))

        assert error in (failed.value.__cause__, getattr(failed.value.__cause__, "__cause__", None))
        assert [type(event.error) for event in events if isinstance(event, Failed)] == [type(failed.value.__cause__)]
        assert await sleeper.ask(Total()) == 0


async def test_a_thread_sees_the_context_of_its_caller() -> None:
    HERE.set("the caller's")

    assert await in_thread("where", HERE.get) == "the caller's"


async def test_a_handler_in_a_thread_does_not_see_the_context_of_the_asker() -> None:
    async with System() as system:
        sleeper = await system.spawn(Sleeper)
        HERE.set("the asker's")

        assert await sleeper.ask(Where()) == "nowhere"


@simulated()
async def test_in_a_simulation_a_blocking_handler_runs_on_the_loop() -> None:
    async with System() as system:
        sleeper, cruncher = await system.spawn(Sleeper), await system.spawn(Cruncher)

        assert await sleeper.ask(Where()) == "nowhere"
        assert await cruncher.ask(Work("pid")) == os.getpid()


def test_a_blocking_method_called_directly_is_as_it_was_written() -> None:
    gate = Gate()
    gate.opened.set()

    assert Sleeper().wait(Wait(gate)) == threading.current_thread().name
    assert Cruncher().work(Work("square", 3)) == Cruncher.work(Work("square", 3)) == 9


# In a process.


async def test_a_process_gives_its_result_and_is_used_again() -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)

        pids = [await cruncher.ask(Work("pid")) for _ in range(2)]

        assert await cruncher.ask(Work("square", 12)) == 144
        assert pids[0] == pids[1] != os.getpid()


async def test_what_is_printed_in_a_process_is_no_answer() -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)

        assert await cruncher.ask(Work("print")) == "printed"


async def test_what_a_process_raises_comes_with_its_traceback() -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)

        with pytest.raises(ActorFailed) as failed:
            await cruncher.ask(Work("raise", "odd"))

    cause = failed.value.__cause__
    assert (type(cause), str(cause)) == (ValueError, "odd")
    assert cause is not None
    assert "raise ValueError(message.given)" in "".join(cause.__notes__)


@pytest.mark.parametrize(
    ("work", "kind", "says"),
    [
        (
            Work("square", lambda: 1),
            NotPicklable,
            r"^Cruncher\.work runs in a process .* its message cannot be pickled: Work: ",
        ),
        (
            Work("lambda"),
            NotPicklable,
            r"^Cruncher\.work runs in a process .* its result cannot be pickled: function: ",
        ),
        (
            Work("strange"),
            NotPicklable,
            r"^Cruncher\.work .* its exception cannot be pickled: CarriesNoArguments: two num",
        ),
        (Work("die"), ProcessDied, r"^the process of Cruncher\.work ended in the middle of it \(exit code 7\)$"),
        (Work("exit"), RuntimeError, r"^it raised SystemExit: 3$"),
    ],
    ids=["message", "result", "exception", "dies", "exits"],
)
async def test_what_goes_wrong_between_processes_is_one_clear_error(
    work: Work, kind: type[Exception], says: str
) -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)

        with pytest.raises(ActorFailed) as failed:
            await cruncher.ask(work)

        with pytest.raises(kind, match=says):
            raise failed.value.__cause__ or failed.value
        assert await cruncher.ask(Work("square", 2)) == 4


async def test_a_process_is_killed_when_its_actor_has_to_stop(tmp_path: Path, until: Until) -> None:
    note = tmp_path / "pid"
    async with System() as system:
        cruncher = await system.supervisor().start_child(Child(Cruncher, name="cruncher", shutdown=0.0))
        waits = asyncio.create_task(cruncher.ask(Work("sleep", str(note))))
        pid = await noted(note)

        await system.supervisor().stop_child("cruncher")

        with pytest.raises(ActorStopped):
            await waits
        await until(lambda: not is_alive(pid))


async def test_a_process_that_died_between_two_calls_is_replaced() -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)
        pid = await cruncher.ask(Work("pid"))
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # dead, and not yet found to be so

        assert await cruncher.ask(Work("square", 3)) == 9


async def test_processes_that_have_been_closed_start_no_more() -> None:
    processes = Processes()
    await processes.close()

    with pytest.raises(SystemStopped, match=r"^the system has stopped; pid gets no process$"):
        await processes.run("pid", os.getppid, Work("pid"))  # type: ignore[arg-type]  # is not called


async def test_no_process_is_left_when_the_system_has_ended() -> None:
    async with System() as system:
        cruncher = await system.spawn(Cruncher)
        pid = await cruncher.ask(Work("pid"))

    assert isinstance(pid, int)
    assert not is_alive(pid)


async def test_no_more_processes_run_than_are_allowed() -> None:
    processes = Processes(most=1)

    first, second = await asyncio.gather(*(processes.run("pid", Cruncher.work, Work("pid")) for _ in range(2)))  # type: ignore[arg-type]  # takes Work only

    assert first == second
    await processes.close()


# Scripts.

SCRIPT = """
import os, signal, sys, time
import anyio
from attrs import frozen
from choragus.actors import Actor, Request, handle
from choragus.supervision import System

print("top level")


@frozen
class Square(Request["Result"]):
    number: int
    seconds: float = 0.0


@frozen
class Result:
    number: int
    pid: int


class Cruncher(Actor[Square]):
    @handle(blocking="process")
    @staticmethod
    def square(message: Square) -> Result:
        time.sleep(message.seconds)
        return Result(message.number**2, os.getpid())


async def main() -> None:
    async with System(signals=True) as system:
        cruncher = await system.spawn(Cruncher, shutdown=0.5)
        result = await cruncher.ask(Square(12))
        print(isinstance(result, Result), result.number, result.pid, flush=True)
        if "wait" in sys.argv:
            await cruncher.ask(Square(1, 60.0))
"""
UNGUARDED = SCRIPT + "\n\nanyio.run(main)\n"
GUARDED = SCRIPT + '\n\nif __name__ == "__main__":\n    anyio.run(main)\n'


@pytest.mark.parametrize("text", [GUARDED, UNGUARDED], ids=["guarded", "unguarded"])
def test_a_script_may_define_actors_with_processes(text: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(text, encoding="utf-8")

    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, check=False)

    first, said = ended.stdout.splitlines()
    assert (first, said.split()[:2], ended.returncode) == ("top level", ["True", "144"], 0), ended.stderr
    assert not is_alive(int(said.split()[2]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_neither_ctrl_c_nor_a_kill_leaves_a_process_behind(number: int, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED, encoding="utf-8")
    command: list[str | Path] = [sys.executable, script, "wait"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline() for _ in range(2)]
        pid = int(lines[1].split()[2])
        assert is_alive(pid)

        os.killpg(parent.pid, number)  # as a terminal does: the whole foreground group
        _, errors = parent.communicate(timeout=20)

    end = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(pid)
    assert errors.count("Traceback") <= 1, errors
    assert "child.py" not in errors


# What is refused when the class is defined.


def unknown_place() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="fork")  # type: ignore[call-overload, untyped-decorator]  # that is the fault
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def place_by_position() -> object:
    class Counter(Actor[Ping]):
        @handle("thread")  # type: ignore[call-overload, untyped-decorator]  # that is the fault
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def coroutine() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="thread")
        async def ping(self, message: Ping) -> int:
            return 1

    return Counter


def method_in_a_process() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="process")
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def class_method_in_a_process() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="process")
        @classmethod
        def ping(cls, message: Ping) -> int:
            return 1

    return Counter


def static_in_a_thread() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="thread")
        @staticmethod
        def ping(message: Ping) -> int:
            return 1

    return Counter


def static_on_the_loop() -> object:
    class Counter(Actor[Ping]):
        @staticmethod
        @handle
        def ping(message: Ping) -> int:
            return 1

    return Counter


def local_in_a_process() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="process")
        @staticmethod
        def ping(message: Ping) -> int:
            return 1

    return Counter


def wrong_reply() -> object:
    class Counter(Actor[Ping]):
        @handle(blocking="thread")
        def ping(self, message: Ping) -> str:
            return "one"

    return Counter


def generator() -> object:
    class Counter(Actor[Total]):
        @handle(blocking="thread")
        def count(self, message: Total):  # type: ignore[no-untyped-def]  # a generator has no type that would do
            yield 1

    return Counter


def durable() -> object:
    class Counter(DurableActor[State, Ping], name="test.blocking.counter"):
        @handle(blocking="thread")
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


@pytest.mark.parametrize(
    ("define_class", "says"),
    [
        (unknown_place, r"^blocking='fork' is none of 'thread', 'process': use one of them$"),
        (place_by_position, r"^handle\('thread'\) marks no method: say @handle or @handle\(blocking='thread'\)$"),
        (coroutine, r"^Counter\.ping is async def and waits without blocking: drop blocking='thread', or write def$"),
        (
            method_in_a_process,
            r"^Counter\.ping runs in a process of its own, which has no actor: put .* above @staticmeth",
        ),
        (class_method_in_a_process, r"^Counter\.ping runs in a process of its own, which has no actor"),
        (static_in_a_thread, r"^Counter\.ping takes no actor: write def ping\(self, message: SomeMessage\)$"),
        (static_on_the_loop, r"^Counter\.ping takes no actor"),
        (
            local_in_a_process,
            r"^Counter\.ping is defined inside a function, where no other process finds it: move it out$",
        ),
        (wrong_reply, r"^Counter\.ping returns str, but Ping is a Request\[int\]: make them agree$"),
        (generator, r"^Counter\.count yields: a handler returns its one reply$"),
        (durable, r"^Counter\.ping: a handler of a durable actor is one turn, .* use effects, as in self\.effect\("),
    ],
)
def test_a_wrong_blocking_handler_is_refused_when_it_is_defined(define_class: Callable[[], object], says: str) -> None:
    with pytest.raises(HandlerFault, match=says):
        define_class()
