"""Who is killed in the chaos tests, by whom it is seen, and what is done to it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Event, Zombie
from choragus.actors.message import Request
from choragus.actors.testing.loop import running
from choragus.supervision.strategy import Decision, Restart


class Kill(Exception):
    """What killed handlers raise."""


@attrs.frozen
class Step:
    """The sender's next message, to be handled in order."""

    sender: int
    number: int


@attrs.frozen
class Question(Request[str]):
    """Who are you?"""


@attrs.frozen
class Do:
    """Do your worker harm: raise, cancel, cancel later, swallow, nap."""

    what: str
    seconds: float = 0.0


@attrs.define
class World:
    """What has been seen so far."""

    wrong: list[str] = attrs.field(factory=list)
    calm: bool = False
    bad_starts: float = 0.0
    inside: Counter[str] = attrs.field(factory=Counter)
    last: dict[tuple[str, int], int] = attrs.field(factory=dict)
    asks: Counter[str] = attrs.field(factory=Counter)
    decided: dict[int, list[tuple[float, Restart, Decision | None] | None]] = attrs.field(factory=dict)
    zombies: int = 0
    story: list[str] = attrs.field(factory=list)

    def note(self, event: Event) -> None:
        """Take an event down; from a zombie's incarnation on, another one may be inside."""
        self.story.append(f"{running().time():.6f} {event}")
        if isinstance(event, Zombie):
            self.zombies += 1
            self.inside[event.actor] = -1000

    @contextmanager
    def alone(self, path: str) -> Iterator[None]:
        """One instance of a name does something at a time."""
        self.inside[path] += 1
        if self.inside[path] > 1:
            self.wrong.append(f"two instances of {path} at once")
        try:
            yield
        finally:
            self.inside[path] -= 1


class Victim(Actor[Step | Question | Do]):
    def __init__(self, world: World) -> None:
        self.world = world

    async def on_start(self) -> None:
        with self.world.alone(self.path):
            if random.random() < 0.2:
                await asyncio.sleep(random.random())
            if not self.world.calm and random.random() < self.world.bad_starts:
                raise Kill("on_start")

    async def on_stop(self) -> None:
        with self.world.alone(self.path):
            if random.random() < 0.3:
                await asyncio.sleep(random.random() * 4)
            if random.random() < 0.2:
                raise Kill("on_stop")

    @handle
    def step(self, message: Step) -> None:
        with self.world.alone(self.path):
            before = self.world.last.get((self.path, message.sender), -1)
            if message.number <= before:
                self.world.wrong.append(f"{self.path} had {message} after number {before}")
            self.world.last[self.path, message.sender] = message.number

    @handle
    async def question(self, message: Question) -> str:
        with self.world.alone(self.path):
            if random.random() < 0.5:
                await asyncio.sleep(random.random() * 3)
            return self.path

    @handle
    async def do(self, message: Do) -> None:
        me = asyncio.current_task()
        assert me is not None
        with self.world.alone(self.path):
            match message.what:
                case "raise":
                    raise Kill("handler")
                case "cancel":
                    me.cancel()
                    await asyncio.sleep(1)
                case "raise cancelled":
                    raise asyncio.CancelledError
                case "cancel later":
                    asyncio.get_running_loop().call_later(message.seconds, me.cancel)
                case "swallow":
                    await resist(message.seconds)
                case _:
                    await asyncio.sleep(message.seconds)


HARM = ("raise", "raise", "cancel", "raise cancelled", "cancel later", "swallow", "nap")


async def resist(seconds: float) -> None:
    """Stay for so long, whatever cancels."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        try:
            await asyncio.sleep(end - loop.time())
        except asyncio.CancelledError:
            continue
