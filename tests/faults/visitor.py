"""A file with an owner, to which other processes post messages: the calls of a visitor go wrong, not the owner's."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from contextlib import closing
from pathlib import Path

from anyio import to_thread

from choragus.mailbox.address import actor_id
from choragus.mailbox.batch import append
from choragus.mailbox.codec import encode
from choragus.mailbox.errors import ChoragusError
from choragus.mailbox.file import open_file
from choragus.mailbox.turn import Envelope
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger
from choragus.supervision.testing.order import KILLED

from .acknowledged import LOST, Acknowledged, Add, Till
from .interposer import Interposer

POSTS = 4
PATIENCE = 5.0
"""Seconds in which the owner must have noticed a message; it looks every 0.05 s."""
REFUSED = 3
"""With which a visitor ends that got an error of ours."""


async def visited(path: Path, ledger: Ledger) -> int:
    """One visitor whose calls go wrong posts some messages, and a second one posts them all, as a person would."""
    host, interposer = Acknowledged(path), Interposer()
    first = _Visitor(path, host)
    interposer.begin("")
    second = _Visitor(path, host)  # both are forked while this process has one thread
    async with System(path, actors=[Till]) as system:
        await system.ref(Till, "till").ask(Add(0))  # there is a file
        assert await first.visits() in (0, KILLED, REFUSED), "a visitor failed otherwise than by an error of ours"
        await _reaches(system, host.total)
        assert await second.visits() == 0, "a visitor failed whom nothing was done to"
        return await _reaches(system, POSTS)


async def _reaches(system: System, told: int) -> int:
    total = 0
    begun = time.monotonic()
    while total < told:
        assert time.monotonic() < begun + PATIENCE, f"{LOST}: {told} was told, and {total} is there"
        await asyncio.sleep(0.005)
        view = await system.kernel.store.view("till", "till")
        total = int((view.body or b"").split(b":")[1].rstrip(b"}")) if view is not None else 0
    return total


class _Visitor:
    """A process of its own, forked at once, that waits until it may begin."""

    def __init__(self, path: Path, host: Acknowledged) -> None:
        reads, self._go = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._go)
            os.read(reads, 1)
            os._exit(_visit(path, host))
        os.close(reads)

    async def visits(self) -> int:
        """Let it begin; gives how it ended."""
        os.write(self._go, b"!")
        os.close(self._go)
        _, status = await to_thread.run_sync(os.waitpid, self._process, 0)
        return os.waitstatus_to_exitcode(status)


def _visit(path: Path, host: Acknowledged) -> int:
    """In the visitor: plain functions over a connection, for the fork took a running event loop along."""
    try:
        with closing(open_file(path, visitor=True, synchronous="FULL")) as connection:
            for number in range(1, POSTS + 1):
                append(connection, [_post(number)], time.time())
                host.tell(number)
        if counted := Interposer().calls():  # the second visitor's are not
            path.with_name("calls").write_text(str(counted))
        return 0
    except ChoragusError:
        return REFUSED
    except BaseException:
        traceback.print_exc()
        return 1


def _post(number: int) -> Envelope:
    receiver = actor_id("faults.till", "till")
    post = f"post {number}"
    return Envelope(id=post, receiver=receiver, sender="visitor", record=encode(Add(1)), key=post)
