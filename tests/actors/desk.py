"""An actor that writes down what it handles and can be held, for tests of its mailbox."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Event
from choragus.actors.local_ref import LocalRef
from choragus.actors.mailbox import Mailbox
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.supervision.backoff import Backoff
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

BACKOFF = OneForOne(max_restarts=9, within=3600.0, backoff=Backoff(first=10.0, most=10.0))


@frozen
class Note:
    text: str
    urgency: float = 0.0


@frozen
class Ask(Request[str]):
    text: str
    urgency: float = 0.0


@frozen
class Hold:
    """Waits until the gate is open."""

    urgency: float = math.inf


@frozen
class Fail:
    """Waits until the gate is open, and fails."""

    urgency: float = math.inf


Said = Note | Ask | Hold | Fail


class Desk(Actor[Note | Ask | Hold | Fail]):
    """The log and the gate outlive its restarts."""

    def __init__(self, log: list[str], gate: asyncio.Event) -> None:
        self.log = log
        self.gate = gate

    @handle
    def note(self, message: Note) -> None:
        self.log.append(message.text)

    @handle
    def ask(self, message: Ask) -> str:
        self.log.append(message.text)
        return message.text.upper()

    @handle
    async def hold(self, message: Hold) -> None:
        await self.gate.wait()

    @handle
    async def fail(self, message: Fail) -> None:
        await self.gate.wait()
        raise RuntimeError("as told")


@attrs.define(eq=False)
class Held:
    """A desk with a message in hand, so that all that comes waits."""

    system: System
    ref: Ref[Said]
    log: list[str]
    gate: asyncio.Event
    events: list[Event]

    async def release(self) -> None:
        """Let it handle all that waits."""
        self.gate.set()
        await settled()

    def told(self, kind: type[Event]) -> list[Event]:
        """The events of that class so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def depth(self) -> int:
        """How many messages wait."""
        return depth_of(self.ref)


@asynccontextmanager
async def held(mailbox: int | Mailbox, by: Said | None = None) -> AsyncIterator[Held]:
    """A system with a desk that is held, by a message that fails if so wanted; restarts take 10 s."""
    log: list[str] = []
    gate = asyncio.Event()
    events: list[Event] = []
    async with System(clock=clock, strategy=BACKOFF) as system:
        system.events.subscribe(events.append)
        ref: Ref[Said] = await system.spawn(Desk, log, gate, name="desk", mailbox=mailbox)
        ref.tell(by or Hold())
        await settled()
        yield Held(system, ref, log, gate, events)
        gate.set()


def depth_of(ref: object) -> int:
    """How many messages wait for that actor."""
    assert isinstance(ref, LocalRef)
    return ref.cell.depth
