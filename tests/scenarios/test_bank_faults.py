"""A bank keeps its sum: under SIGKILL, failing handlers and restarts, and when two processes take the file by turns."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from choragus.supervision import System

from . import vault
from .vault import ACCOUNTS, START, Peek, Place, Vault

pytestmark = pytest.mark.timeout(180)
LEASE = 0.8
"""Seconds, in place of the 10 of a real system, so that a takeover does not take long."""
TYPED = {"SystemStopped", "LeaseLost", "AskTimeout"}


@attrs.define
class Process:
    """One process of the bank, and what it has said."""

    label: str
    process: subprocess.Popen[bytes]
    output: Path

    def said(self, what: str) -> list[dict[str, object]]:
        """Its lines of that kind; the last may have been cut off by a kill."""
        lines = self.output.read_text().split("\n")[:-1]
        return [line for line in map(json.loads, lines) if line["what"] == what]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    """Starts a process of the bank under a label."""
    started: list[Process] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begin(label: str) -> Process:
        output = tmp_path / f"{label}.out"
        seed = str(len(started))
        command = [sys.executable, vault.__file__, str(tmp_path / "bank.db"), label, str(LEASE), seed]
        with output.open("wb") as out, (tmp_path / f"{label}.err").open("wb") as err:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        started.append(Process(label, process, output))
        return started[-1]

    yield begin
    for one in started:
        one.end()


def wait(holds: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)


async def check(path: Path, processes: list[Process]) -> int:
    """Mend what failed, let everything come to rest, and look: the sum, each move once, each turn by its owner."""
    place = Place("auditor", is_mended=True, chance=0.0)
    async with vault.system(path, place) as bank:
        store = bank.kernel.store
        for parked in await store.parked():
            assert await store.requeue(parked.envelope.receiver, parked.envelope.id)
        async with asyncio.timeout(60):
            while await store.waiting(time.time()):  # noqa: ASYNC110  # no event tells it to a host
                await asyncio.sleep(0.02)
        total = sum([await bank.ref(Vault, str(number)).ask(Peek()) for number in range(ACCOUNTS)])
        moved = await check_owners(bank, processes)

        assert total == ACCOUNTS * START
        assert await store.parked() == []
        assert (await store.verify()).problems == ()
    done = {line["key"] for process in processes for line in process.said("done")}
    assert [name for name, times in moved.items() if times > 1] == [], "moved twice"
    assert done <= set(moved), "a move that was reported as done is lost"
    return len(done)


async def check_owners(bank: System, processes: list[Process]) -> Counter[object]:
    """How often each move was made; every turn was committed by the process that owned the file then."""
    owners = {line["fence"]: process.label for process in processes for line in process.said("owns")}
    moved: Counter[object] = Counter()
    seen, owner = 0, ""
    while entries := await bank.kernel.store.log(after=seen, limit=5000):
        seen = entries[-1].seq
        for entry in entries:
            body = json.loads(entry.body)
            if entry.kind == "system.opened":
                owner = owners.get(body["fence"], "")
            elif "by" in body and body["by"] != "auditor":
                assert not owner or body["by"] == owner, f"{body} under the fence of {owner}"
            if entry.kind == "moved":
                moved[body["name"]] += 1
    return moved


async def killed(path: Path, start: Callable[[str], Process], times: int, seed: int) -> int:
    """Kill the bank so often, each time after a random while; gives how many moves were done."""
    chance = random.Random(seed)
    processes = []
    for number in range(times):
        process = start(f"p{number}")
        processes.append(process)
        wait(lambda process=process: process.said("done"), "a first move")  # type: ignore[misc]  # bound early
        time.sleep(chance.uniform(0.0, 0.3))  # noqa: ASYNC251  # the test's own process has nothing else to do
        process.end()
    return await check(path, processes)


async def by_turns(path: Path, start: Callable[[str], Process], rounds: int) -> int:
    """Two processes: whoever owns the file is stopped for longer than its lease, and goes on after the other has it."""
    one, two = start("one"), start("two")
    wait(lambda: one.said("done") or two.said("done"), "a first move")
    chance = random.Random(rounds)
    for _ in range(rounds):
        while not change_hands(one, two):  # stopped in the middle of a commit it keeps SQLite's lock, and the file
            time.sleep(chance.uniform(0.0, 0.1))  # noqa: ASYNC251  # the test's own process has nothing else to do
    for process in (one, two):
        process.end()
    time.sleep(LEASE)  # noqa: ASYNC251  # an owner that took the file by its fence alone has no lock to lose
    for process in (one, two):
        for line in process.said("lost"):
            assert line["errors"] == ["LeaseLost"], line
            assert line["hanging"] == 0, "a caller was left without an answer"
        assert {line["error"] for line in process.said("refused")} <= TYPED
    return await check(path, [one, two])


def change_hands(one: Process, two: Process) -> bool:
    """Stop whoever owns the file until the other has it; False when it kept it."""
    owner, other = sorted((one, two), key=lambda process: -max([0, *map(fence_of, process.said("owns"))]))
    times = len(other.said("owns"))
    owner.signal(signal.SIGSTOP)
    heard = len(owner.said("done"))
    stopped = time.monotonic()
    while len(other.said("owns")) == times and time.monotonic() < stopped + 3 * LEASE:
        time.sleep(0.01)
    taken = len(other.said("owns")) > times
    if taken:
        wait(lambda: other.said("done"), "a move of the new owner")
    owner.signal(signal.SIGCONT)
    if taken:
        wait(lambda: len(owner.said("lost")) == len(owner.said("owns")), f"{owner.label} notices that it lost the file")
        late = owner.said("done")[heard:]
        assert len(late) <= vault.CALLERS, f"{owner.label} told its callers of moves after it lost the file: {late}"
    return taken


def fence_of(line: dict[str, object]) -> int:
    fence = line["fence"]
    assert isinstance(fence, int)
    return fence


async def test_a_bank_keeps_its_sum_over_kills_at_any_instant(tmp_path: Path, start: Callable[[str], Process]) -> None:
    assert await killed(tmp_path / "bank.db", start, times=2, seed=1) > 0


async def test_an_owner_that_was_stopped_too_long_commits_nothing_more(
    tmp_path: Path, start: Callable[[str], Process]
) -> None:
    assert await by_turns(tmp_path / "bank.db", start, rounds=1) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_bank_keeps_its_sum_over_many_kills(tmp_path: Path, start: Callable[[str], Process]) -> None:
    assert await killed(tmp_path / "bank.db", start, times=100, seed=2) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_two_owners_by_turns_keep_the_sum(tmp_path: Path, start: Callable[[str], Process]) -> None:
    assert await by_turns(tmp_path / "bank.db", start, rounds=30) > 0
