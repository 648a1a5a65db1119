"""A till in a process of its own: `python till.py PATH [LIMIT VALUE]` takes money in until it ends.

It says `total N` for each amount that it was told is on disk, and `error NAME: TEXT` for what it was told instead.
LIMIT is the name of a limit of the `resource` module, lowered to VALUE once the file is open.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

import attrs
from attrs import define, frozen

from choragus.actors import DurableActor, Request, handle
from choragus.mailbox import ChoragusError, stored
from choragus.supervision import Backoff, Region, System, SystemFailed


@stored("till.add")
@frozen
class Add(Request[int]):
    amount: int
    ballast: str = ""


@stored("till.waste")
@frozen
class Waste(Request[int]):
    """Handling it takes so many bytes of memory."""

    size: int


@stored("till.arm")
@frozen
class Arm(Request[None]):
    """Ring in so many seconds."""

    after: float


@stored("till.ring")
@frozen
class Ring:
    pass


@stored("till.sum")
@define
class Sum:
    total: int = 0
    rings: list[float] = attrs.field(factory=list)


class Till(DurableActor[Sum, Add | Waste | Arm | Ring], name="till.till"):
    """Every turn writes the total to its logbook and its view too: all three must say the same."""

    @property
    def stream(self) -> str:
        return f"till/{self.key}"

    @handle
    def add(self, message: Add) -> int:
        self.state.total += message.amount
        self.log("added", total=self.state.total)
        self.view("till", self.key, {"total": self.state.total})
        return self.state.total

    @handle
    def waste(self, message: Waste) -> int:
        self.state.total = -1
        return len(bytes(message.size))

    @handle
    def arm(self, message: Arm) -> None:
        self.timer("ring", Ring(), after=message.after)

    @handle
    def ring(self, message: Ring) -> None:
        self.state.rings.append(self.now)


REGION = Region(Till, attempts=2, backoff=Backoff(first=0.01, most=0.01))


async def main(path: Path, limit: str, value: str) -> None:
    """Take in 1 after 1, now and then with a heavy message."""
    async with System(path, actors=[REGION]) as system:
        till = system.ref(Till, "a")
        say(f"total {await till.ask(Add(0))}")
        if limit:
            kind = getattr(resource, limit)
            base = 0 if limit != "RLIMIT_AS" else _size()
            resource.setrlimit(kind, (base + int(value),) * 2)
        for number in range(100_000):
            try:
                if limit == "RLIMIT_AS" and number % 10 == 5:
                    await till.ask(Waste(int(value) * 2), timeout=10.0)
                if limit == "RLIMIT_AS" and number % 10 == 7:
                    heavy = "x" * (int(value) // 8)
                    await asyncio.gather(*(till.ask(Add(0, heavy), timeout=10.0) for _ in range(number % 7 + 1)))
                ballast = "x" * 2000 if limit == "RLIMIT_FSIZE" else ""
                say(f"total {await till.ask(Add(1, ballast), timeout=1.0)}")
            except (ChoragusError, MemoryError) as error:
                say(f"error {type(error).__name__}: {error}")
                await asyncio.sleep(0.001)


def _size() -> int:
    """Bytes of address space in use."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def say(line: str) -> None:
    """One line, at once."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), *(sys.argv[2:4] or ("", ""))))
    except SystemFailed as failed:
        for one in failed.exceptions:
            say(f"ended {type(one).__name__}: {one}")
