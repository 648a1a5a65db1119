"""An actor that can be told to end, in each of its ways; for tests of what others hear of that."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.message import Request
from choragus.supervision.strategy import OneForOne

M = TypeVar("M", contravariant=True)

MANY = OneForOne(max_restarts=100, within=60.0)


@frozen
class Break(Request[None]):
    """Fail."""


@frozen
class Leave:
    """End normally."""


@frozen
class Hold:
    """Be busy until the gate opens, whatever happens."""

    gate: asyncio.Event


class Mortal(Actor[M]):
    """Handles Break, Leave and Hold; its subclasses name those beside their own."""

    @handle
    def fail(self, message: Break) -> None:
        raise RuntimeError("no")

    @handle
    def leave(self, message: Leave) -> None:
        self.stop()

    @handle
    async def hold(self, message: Hold) -> None:
        while not message.gate.is_set():
            try:
                await message.gate.wait()
            except asyncio.CancelledError:
                continue
