"""A pipeline with a pool of workers: one of them crashes, is started again, and the rest goes on.

Lines are read, parsed by three workers, and added up. One line cannot be parsed. Watch what the failure costs: that
line, and nothing else. The tree that is printed is the live one.
"""

from __future__ import annotations

import asyncio
import sys

import anyio
from attrs import frozen

from choragus.actors import Actor, ActorFailed, Failed, LeastLoaded, Ref, Request, Restarted, handle
from choragus.supervision import Child, OneForOne, Pool, Supervisor, System

LINES = ("Bergen 7.5", "Oslo 3", "Narvik -2", "Bergen cold", *(f"Oslo {degrees}" for degrees in range(12)))


@frozen
class Reading:
    city: str
    degrees: float


@frozen
class Summary(Request[dict[str, float]]):
    """Gives back the warmest reading of each city."""


@frozen
class Parse(Request[None]):
    line: str
    to: Ref[Reading]


@frozen
class Read(Request[int]):
    """Gives back how many lines could not be parsed."""

    lines: tuple[str, ...]


class Warmest(Actor[Reading | Summary]):
    """The end of the pipeline."""

    def __init__(self) -> None:
        self.warmest: dict[str, float] = {}

    @handle
    def note(self, message: Reading) -> None:
        self.warmest[message.city] = max(message.degrees, self.warmest.get(message.city, message.degrees))

    @handle
    def summary(self, message: Summary) -> dict[str, float]:
        return dict(sorted(self.warmest.items()))


class Parser(Actor[Parse]):
    """One of the workers. It does not look after bad lines: it fails, and is started again."""

    @handle
    async def parse(self, message: Parse) -> None:
        await asyncio.sleep(0.02)  # so that there is something to see
        city, degrees = message.line.split()
        message.to.tell(Reading(city, float(degrees)))


class Reader(Actor[Read]):
    """The beginning of the pipeline. It knows its workers by one ref, which chooses among them."""

    def __init__(self, parsers: Ref[Parse], to: Ref[Reading]) -> None:
        self.parsers = parsers
        self.to = to

    @handle
    async def read(self, message: Read) -> int:
        asks = [self.parsers.ask(Parse(line, self.to)) for line in message.lines]  # all are on their way now
        done = await asyncio.gather(*asks, return_exceptions=True)
        return sum(isinstance(one, ActorFailed) for one in done)


TREE = Supervisor(
    name="pipeline",
    children=[
        Child(Warmest, name="warmest"),
        Pool(
            Child(Parser, name="parser", mailbox=100),
            name="parsers",
            size=3,
            routing=LeastLoaded(),
            strategy=OneForOne(max_restarts=5, within=60),
        ),
    ],
)


async def main() -> None:
    async with System(tree=TREE) as system:
        system.events.subscribe(lambda event: print(f"-- {event.actor} failed: {event.error}"), Failed)
        system.events.subscribe(lambda event: print(f"-- {event.actor} runs again"), Restarted)
        warmest = system.find(Warmest, "pipeline/warmest")
        parsers = system.pool(Parser, "pipeline/parsers")
        reader = await system.spawn(Reader, parsers, warmest, name="reader")

        reading = asyncio.create_task(reader.ask(Read(LINES)))
        await asyncio.sleep(0.07)
        print(system.tree())
        print(f"{len(LINES)} lines read, {await reading} of them lost")
        print(await warmest.ask(Summary()))


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
