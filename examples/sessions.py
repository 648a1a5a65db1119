"""One actor for each visitor: made by the first message, put away when nobody writes, made anew when somebody does.

A session remembers what was said, and asks whether anybody is there after a while of silence. Watch the two clocks: the
session's own timer, which each message sets again, and the time after which an idle session leaves memory.
"""

from __future__ import annotations

import asyncio
import sys

import anyio
from attrs import frozen

from choragus.actors import Actor, Request, handle
from choragus.supervision import System

SILENCE = 0.15
"""Seconds until a session asks; a day in real life."""

IDLE = 0.4
"""Seconds until it is put away."""


@frozen
class Say(Request[str]):
    text: str


@frozen
class Silence:
    """Nobody has said anything for a while."""


class Session(Actor[Say | Silence]):
    """What one visitor said; gone with the session."""

    def __init__(self, visitor: str) -> None:
        self.visitor = visitor
        self.said: list[str] = []

    async def on_start(self) -> None:
        print(f"   (a session for {self.visitor} begins)")

    async def on_stop(self) -> None:
        print(f"   (the session of {self.visitor} is put away: {' '.join(self.said)})")

    @handle
    def say(self, message: Say) -> str:
        self.said.append(message.text)
        self.timer("silence", Silence(), after=SILENCE)  # takes the place of the one before
        return f"{self.visitor} has said {len(self.said)}: {', '.join(self.said)}"

    @handle
    def silence(self, message: Silence) -> None:
        print(f"   (is {self.visitor} still there?)")


async def main() -> None:
    async with System() as system:
        sessions = await system.keyed(Session, idle=IDLE)
        ann, ben = sessions.ref("ann"), sessions.ref("ben")  # nobody is there yet

        print(await ann.ask(Say("hello")))
        print(await ann.ask(Say("anybody?")))
        print(await ben.ask(Say("hi")))
        print("in memory:", *sessions.active)

        await asyncio.sleep(2 * SILENCE)
        print(await ben.ask(Say("bye")))  # ben goes on where he was
        await asyncio.sleep(2.5 * IDLE)
        print("in memory:", *sessions.active or ["nobody"])

        print(await ann.ask(Say("hello")))  # the same ref, a new session
        print("the end of the system puts away who is left")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
