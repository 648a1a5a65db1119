"""Every side does the whole work, and the hand-written opponent is what it is said to be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from benchmarks import crowd, workload
from benchmarks.actor_rate import run
from benchmarks.crew import roomy, spawned, started
from benchmarks.handwritten import LeanMailbox, Mailbox, handwritten, leanest
from benchmarks.workload import CROWD, Add, Crash, Crashed, Get, Hire

from choragus.actors.message import Request

SIDES = [spawned, roomy, started, handwritten, leanest]
WORKS: dict[Callable[[Hire, int], Awaitable[float]], int] = {
    workload.tell: 20,
    workload.ask: 20,
    workload.ping_pong: 20,
    workload.ring: CROWD + 1,
    workload.spawn: 20,
    workload.fan: CROWD,
    workload.ask_median: 20,
}


class Fail(Request[int]):
    """Nobody handles it."""


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
@pytest.mark.parametrize("hire", SIDES, ids=lambda hire: hire.__name__)
def test_a_side_does_the_work(hire: Hire, work: Callable[[Hire, int], Awaitable[float]]) -> None:
    assert run(work, hire, WORKS[work]) > 0


@pytest.mark.parametrize("hire", [started, handwritten], ids=lambda hire: hire.__name__)
def test_the_next_incarnation_answers_after_each_of_many_crashes(hire: Hire) -> None:
    assert run(workload.restart, hire, 20) > 0


@pytest.mark.parametrize("hire", SIDES, ids=lambda hire: hire.__name__)
async def test_every_worker_that_was_told_has_handled_it(hire: Hire) -> None:
    async with hire(30) as workers:
        for worker in workers:
            worker.tell(Add(1))

        assert await workers[-1].ask(Get()) == 1
        assert [await worker.ask(Get()) for worker in workers] == [1] * 30


async def test_the_handwritten_mailbox_fails_an_asker_and_begins_anew() -> None:
    async with handwritten(1) as (mailbox,):
        mailbox.tell(Add(5))
        with pytest.raises(KeyError):
            await mailbox.ask(Fail())

        assert await mailbox.ask(Get()) == 0


async def test_the_leanest_loop_ends_with_a_failure() -> None:
    async with leanest(1) as (mailbox,):
        mailbox.tell(Crash())

        with pytest.raises(Crashed):
            await mailbox.task


@pytest.mark.parametrize("kind", [Mailbox, LeanMailbox], ids=lambda kind: kind.__name__)
async def test_leaving_ends_every_task(kind: type[Mailbox]) -> None:
    async with handwritten(3, kind) as mailboxes:
        await asyncio.sleep(0)

    assert all(mailbox.task.cancelled() for mailbox in mailboxes)


@pytest.mark.parametrize("what", ["tell", "spawn"])
@pytest.mark.parametrize("whose", ["choragus", "handwritten"])
def test_a_crowd_prints_seconds_and_peak(
    what: str, whose: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "SETTLED", 1)

    crowd.main(what, whose, 10)

    seconds, peak = map(float, capsys.readouterr().out.split())
    assert 0 < seconds < peak


@pytest.mark.skipif(not crowd.SMAPS.exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("whose", ["choragus", "handwritten"])
def test_an_idle_crowd_prints_bytes(whose: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So few may fit into memory that the process had before, or that others gave back: only the form is checked."""
    crowd.main("idle", whose, 10)

    assert math.isfinite(float(capsys.readouterr().out))
