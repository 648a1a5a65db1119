"""Workloads that are killed at the sharpest instants: two that break a promise there, and one that must not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from attrs import define, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import EffectFailed, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger

from .acknowledged import Acknowledged, Add, Till, pay_in
from .interposer import Interposer, Mode, Shot
from .shipment import Outside, shipments


@stored("faults.write")
@frozen
class Write(Request[None]):
    pass


@stored("faults.is_written")
@frozen
class IsWritten(Request[bool]):
    pass


@stored("faults.desk")
@define
class DeskState:
    is_written: bool = False


class Desk(DurableActor[DeskState, Write | IsWritten], name="faults.desk"):
    """Declares a letter as something that may be run again, and gives it no key."""

    @handle
    def write(self, message: Write) -> None:
        self.effect("post", message, then=self.written, on_interrupt=OnInterrupt.RERUN)

    @reply
    def written(self, result: str | EffectFailed) -> None:
        self.state.is_written = True

    @handle
    def is_written(self, message: IsWritten) -> bool:
        return self.state.is_written


NEVER = Shot(1_000_000_000, Mode.KILL)
"""Arms the life that is to be killed; where, the workload itself says."""


def _die_at_the_next_call_if_armed() -> None:
    interposer = Interposer()
    if interposer.is_armed:
        interposer.arm(Shot(interposer.calls() + 1, Mode.KILL))


class Dying(Outside):
    """The post, where a letter is out and nothing on disk says so."""

    async def post(self, request: object, context: EffectContext) -> str:
        """A letter, and the end."""
        sent = await super().post(request, context)
        _die_at_the_next_call_if_armed()
        return sent


async def letter_that_cannot_be_undone(path: Path, ledger: Ledger) -> dict[str, object]:
    """Killed once the first letter is out, as its result is written."""
    return await shipments(path, ledger, outside=Dying)


async def letter_without_a_key(path: Path, ledger: Ledger) -> None:
    """Killed once the letter is out, as its result is written."""

    async def post(request: object, context: EffectContext) -> str:
        ledger.note("letter")
        _die_at_the_next_call_if_armed()
        return "sent"

    async with System(path, actors=[Desk], runners={"post": post}) as system:
        desk = system.ref(Desk, "desk")
        await desk.ask(Write(), key="write")
        while not await desk.ask(IsWritten()):  # noqa: ASYNC110  # the host has no other way
            await asyncio.sleep(0.001)


async def answer_before_the_commit(path: Path, ledger: Ledger) -> int:
    """Tells its host of a payment that is not on disk yet, and is killed as it is written."""
    host = Acknowledged(path)
    async with System(path, actors=[Till]) as system:
        if host.total == 0:
            host.tell(1)
            _die_at_the_next_call_if_armed()
            await system.ref(Till, "till").ask(Add(1))
        else:
            await pay_in(system, host, 1)
    return 1
