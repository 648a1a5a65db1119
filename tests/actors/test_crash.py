"""Killed for real: whatever was answered or sent is there when the same file is opened again, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, os, signal, sys
from attrs import define, frozen, field
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.mailbox.codec import stored
from choragus.supervision.system import System

@stored("crash.step")
@frozen
class Step(Request[int]):
    number: int

@stored("crash.get")
@frozen
class Get(Request[list[int]]):
    pass

@stored("crash.steps")
@define
class Steps:
    numbers: list[int] = field(factory=list)

class First(DurableActor[Steps, Step | Get], name="crash.first"):
    @handle
    def step(self, message: Step) -> int:
        self.state.numbers.append(message.number)
        self.ref(Second, "s").tell(message)
        self.log("crash.stepped", number=message.number)
        return message.number

    @handle
    def get(self, message: Get) -> list[int]:
        return self.state.numbers

class Second(DurableActor[Steps, Step | Get], name="crash.second"):
    @handle
    def step(self, message: Step) -> int:
        self.state.numbers.append(message.number)
        if message.number == KILL_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return message.number

    @handle
    def get(self, message: Get) -> list[int]:
        return self.state.numbers

KILL_AT = int(sys.argv[2])

async def main():
    async with System(sys.argv[1], actors=[First, Second]) as system:
        first, second = system.ref(First, "f"), system.ref(Second, "s")
        for number in range(int(sys.argv[3]), 40):
            await first.ask(Step(number), key=str(number))
            print("answered", number, flush=True)
        async with asyncio.timeout(10):
            while len(await second.ask(Get())) < 40:
                await asyncio.sleep(0.002)
        print("first", await first.ask(Get()))
        print("second", await second.ask(Get()))
        print("verified", (await system.kernel.store.verify()).problems)

asyncio.run(main())
"""


def run(script: Path, database: Path, kill_at: int, begin: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), str(database), str(kill_at), str(begin)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("kill_at", [0, 17, 39])
def test_a_killed_process_resumes_without_losing_or_repeating(kill_at: int, tmp_path: Path) -> None:
    script, database = tmp_path / "program.py", tmp_path / "crash.db"
    script.write_text(PROGRAM, encoding="utf-8")

    killed = run(script, database, kill_at, 0)
    answered = [int(line.split()[1]) for line in killed.stdout.splitlines()]
    again = run(script, database, -1, max(0, len(answered) - 1))

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert again.returncode == 0, again.stderr
    everything = list(range(40))
    assert again.stdout.splitlines()[-3:] == [f"first {everything}", f"second {everything}", "verified ()"]
    assert os.path.exists(f"{database}.lock")
