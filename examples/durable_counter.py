"""A counter that survives `kill -9`: the script starts itself as a child process, kills it twice, and goes on.

The child counts to 50, one request at a time, and is killed in the middle of it. It remembers nothing: each time it
begins with request 1. But each request has a key, and a request that was answered before is answered from the disk and
not done again. So in the end the counter stands at 50: nothing is lost, and nothing is counted twice.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from attrs import define, frozen

from choragus.actors import DurableActor, Request, handle
from choragus.mailbox import stored
from choragus.supervision import System

GOAL = 50
KILLS = (10, 25)


@stored("example.count")  # the name on disk: the class may move or be renamed
@define
class Count:
    value: int = 0


@stored("example.add")
@frozen
class Add(Request[int]):
    amount: int


class Counter(DurableActor[Count, Add], name="example.counter"):
    """Its state, the message and the reply are one transaction."""

    @handle
    def add(self, message: Add) -> int:
        self.state.value += message.amount
        return self.state.value


async def count(path: Path) -> None:
    """What the child does."""
    async with System(path, actors=[Counter]) as system:
        counter = system.ref(Counter, "visits")
        for number in range(1, GOAL + 1):
            print(await counter.ask(Add(1), key=f"visit-{number}"), flush=True)  # it is on disk before it is printed


async def look(path: Path) -> int:
    """Where the counter stands."""
    async with System(path, actors=[Counter]) as system:
        return await system.ref(Counter, "visits").ask(Add(0))


def child(path: Path, kill_at: int) -> list[int]:
    """Run the child, and kill it once it has printed that number, or never; give back all that it printed."""
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed: list[int] = []
        for line in process.stdout:
            printed.append(int(line))
            if printed[-1] == kill_at:
                process.kill()  # SIGKILL: nobody can prepare for it
    return printed


def main() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "counter.db"
        for kill_at in KILLS:
            printed = child(path, kill_at)
            print(f"the child was told {printed[0]} to {printed[-1]}, then kill -9; on disk: {anyio.run(look, path)}")
        printed = child(path, 0)
        print(f"the child was told {printed[0]} to {printed[-1]}, and ended; on disk: {anyio.run(look, path)}")


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            anyio.run(count, Path(sys.argv[1]))
        else:
            main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
