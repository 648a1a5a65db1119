"""What is kept of a failure: the user's frames as text, and nothing that was in memory."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from traceback import TracebackException

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Failed
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import EPOCH, clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.ledger import ACTORS, Ledger
from choragus.supervision.report import FRAMES, LINKS, FailureReport, gist, report
from choragus.supervision.spec import Child
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System

OFTEN = OneForOne(max_restarts=100, within=60.0)


@frozen
class Do(Request[None]):
    what: Callable[[], object]


class Large:
    pass


class Part(Actor[Do]):
    other: Ref[Do] | None = None

    @handle
    async def do(self, message: Do) -> None:
        result = message.what()
        if asyncio.iscoroutine(result):
            await result

    async def on_stop(self) -> None:
        raise OSError("no stop")


def wrong() -> None:
    raise ValueError("wrong")


def chained() -> None:
    try:
        wrong()
    except ValueError as error:
        raise KeyError("outer") from error


def grouped() -> None:
    try:
        wrong()
    except ValueError as error:
        raise ExceptionGroup("both", [error, OSError("two")]) from None


async def timed_out() -> None:
    async with asyncio.timeout(1):
        await asyncio.sleep(10)


def functions(text: str) -> list[str]:
    """The functions of a traceback's frames, in order."""
    return [line.rpartition(" in ")[2] for line in text.splitlines() if line.lstrip(" |").startswith("File ")]


def files(text: str) -> set[str]:
    """The names of the files of a traceback's frames."""
    return {Path(path).name for path in re.findall(r'File "(.*?)"', text)}


async def failed(what: Callable[[], object]) -> FailureReport:
    """The report of an actor that did this."""
    async with System(tree=Child(Part, name="a"), strategy=OFTEN, clock=clock) as system:
        system.find(Part, "a").tell(Do(what))
        await asyncio.sleep(2)
        return system.failures("a")[0]


@pytest.mark.parametrize(
    ("what", "last"),
    [
        (wrong, ["do", "wrong"]),
        (chained, ["chained", "wrong", "do", "chained"]),
        (grouped, ["do", "grouped", "grouped", "wrong"]),
        (timed_out, ["timed_out", "do", "timed_out"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@simulated(seeds=[0, 1])
async def test_a_traceback_begins_and_ends_in_the_users_code(what: Callable[[], object], last: list[str]) -> None:
    text = (await failed(what)).traceback

    assert files(text) == {Path(__file__).name}
    assert functions(text) == last


@simulated(seeds=[0])
async def test_a_failure_of_a_call_into_choragus_ends_where_the_user_called() -> None:
    async with System(tree=[Child(Part, name="a"), Child(Part, name="b", mailbox=1)], strategy=OFTEN) as system:
        b = system.find(Part, "b")

        def flood() -> None:
            for _ in range(3):
                b.tell(Do(wrong))

        system.find(Part, "a").tell(Do(flood))
        await settled()

        (failure,) = system.failures("a")
        assert failure.error.startswith("MailboxFull: b has 1 messages waiting")
        assert functions(failure.traceback) == ["do", "flood"]


def test_an_error_without_a_frame_of_the_users_keeps_all() -> None:
    with pytest.raises(ValueError, match="inside") as raised:
        exec(compile("def inside(): raise ValueError('inside')\ninside()", asyncio.__file__, "exec"))
    trace = raised.value.__traceback__
    assert trace is not None
    error = raised.value.with_traceback(trace.tb_next)

    assert functions(report(gist("a", 0.0, error, "")).traceback) == ["<module>", "inside"]


@simulated(seeds=[0])
async def test_a_report_tells_who_when_on_what_and_why() -> None:
    failure = await failed(wrong)

    assert (failure.path, failure.at, failure.message, failure.error) == ("a", EPOCH, "Do", "ValueError: wrong")
    assert str(failure).startswith("2020-09-13 12:26:40 UTC a failed on Do\nTraceback (most recent call last):\n")
    assert str(failure).endswith("\nValueError: wrong")


@simulated(seeds=[0])
async def test_the_last_five_failures_of_each_are_kept_the_latest_first() -> None:
    async with System(tree=[Child(Part, name="a"), Child(Part, name="b")], strategy=OFTEN, clock=clock) as system:
        for number in range(7):

            def what(number: int = number) -> None:
                raise ValueError(number)

            system.find(Part, "a").tell(Do(what))
            await settled()

        assert [failure.error for failure in system.failures("a")] == [f"ValueError: {n}" for n in (6, 5, 4, 3, 2)]
        assert system.failures("b") == ()
        assert system.failures("nobody") == ()


@simulated(seeds=[0])
async def test_the_failures_of_one_that_is_gone_or_that_failed_in_its_stop_can_be_read() -> None:
    async with System(clock=clock) as system:
        one = await system.spawn(Part, name="one", restart=Restart.TEMPORARY)
        two = await system.spawn(Part, name="two", restart=Restart.TEMPORARY)
        one.tell(Do(wrong))
        await settled()
        await system.supervisor().stop_child(two)

        assert [failure.message for failure in system.failures("one")] == ["Do"]
        assert [(failure.message, failure.error) for failure in system.failures("two")] == [
            ("on_stop", "OSError: no stop")
        ]


def test_nothing_that_was_in_memory_is_held() -> None:
    def fail() -> None:
        large = Large()
        seen.append(weakref.ref(large))
        error = ValueError(large)
        error.args = ("text",)
        raise error

    seen: list[weakref.ref[Large]] = []
    try:
        fail()
    except ValueError as error:
        kept = report(gist("a", 0.0, error, ""))
    gc.collect()

    assert seen[0]() is None
    assert functions(kept.traceback)[-1] == "fail"


def test_the_ledger_forgets_those_that_failed_longest_ago() -> None:
    ledger = Ledger(lambda: 1.0)
    for number in range(ACTORS):
        ledger.note(Failed(str(number), ValueError(number)))
    ledger.note(Failed("0", ValueError("again")))

    ledger.note(Failed("new", ValueError("new")))

    assert [len(ledger.of(path)) for path in ("0", "1", "2", "new")] == [2, 0, 1, 1]


class Endless(Exception):
    def __str__(self) -> str:
        return "E" * 1_000_000


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def long_chain() -> Exception:
    error: Exception = ValueError(0)
    for number in range(1, 200):
        outer = ValueError(number)
        outer.__cause__ = error
        error = outer
    return error


def deep(number: int) -> None:
    if number:
        deep(number - 1)
    raise ValueError("deep")


def deep_error() -> BaseException:
    try:
        deep(500)
    except ValueError as error:
        return error
    raise AssertionError


def chain_of(trace: TracebackException) -> Iterator[TracebackException]:
    """All errors that are kept with one."""
    yield trace
    for link in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if link is not None:
            yield from chain_of(link)


@pytest.mark.parametrize(
    "error",
    [
        Endless(),
        Mute(),
        long_chain(),
        deep_error(),
        ExceptionGroup("many", [Endless() for _ in range(500)]),
        ExceptionGroup("nested", [ExceptionGroup("inner", [long_chain() for _ in range(50)])] * 50),
    ],
    ids=["long text", "no text", "long chain", "deep", "wide group", "nested groups"],
)
def test_what_is_kept_of_an_error_is_bounded(error: BaseException) -> None:
    error.add_note("N" * 1_000_000)

    kept = report(gist("a", 0.0, error, ""))

    assert len(kept.error) <= 2000
    assert len(kept.traceback) < 2000 * LINKS * 2
    assert isinstance(kept._trace, TracebackException)
    links = list(chain_of(kept._trace))
    assert len(links) <= LINKS
    assert max(len(link.stack) for link in links) <= FRAMES
    assert str(kept)
