"""The end of a file's owner in good order: what runs comes to its end or to where it waits, and nothing new begins.

A visitor asks for it by a message to the doorkeeper; the process that has the file open takes note by an effect, behind
the commit. It is about that process alone: the next one to open the file begins runs again.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import EffectFailed, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import SYSTEM_STREAM, OnInterrupt

DOORKEEPER = "choragus.doorkeeper"
MAIN = "main"
"""The key of the one doorkeeper."""


@stored("choragus.drain")
@attrs.frozen(kw_only=True)
class Drain(Request[str]):
    """The process `pid`, which owns the file, is to begin nothing new. The reply is why not, or empty."""

    by: str
    pid: int
    reason: str = ""


@stored("choragus.door_state")
@attrs.define
class DoorState:
    """Nothing is kept."""


class Doorkeeper(DurableActor[DoorState, Drain], name=DOORKEEPER):
    """Hears that the owner of the file is to drain; one for a file."""

    @handle
    def drain(self, message: Drain) -> str:
        """Have this process close its door; another one, later, does not."""
        if message.pid != os.getpid():
            return f"process {message.pid}, which owned the file, has ended: nothing is left to drain"
        self.append(SYSTEM_STREAM, "system.draining", {"by": message.by, "reason": message.reason, "pid": message.pid})
        self.effect("door", message, then=self.was_closed, on_interrupt=OnInterrupt.RERUN)
        return ""

    @reply
    def was_closed(self, done: bool | EffectFailed) -> None:
        """It has taken note."""


@attrs.frozen
class Door:
    """Runs the doorkeeper's effects. `close` is told by whom, and why, as a text."""

    close: Callable[[str], None]

    async def shut(self, request: object, context: EffectContext) -> object:
        """Close the door, unless another process was meant."""
        assert isinstance(request, Drain)
        if request.pid == os.getpid():
            self.close(closed(request.by, request.reason))
        return True


def closed(by: str, reason: str) -> str:
    """What the runtime says of itself."""
    return f"draining, as {by} has asked" + (f": {reason}" if reason else "")
