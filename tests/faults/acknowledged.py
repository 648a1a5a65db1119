"""A till, and what its host has been told: the host's memory outlives the process and is compared with the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from attrs import define, frozen

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.mailbox.codec import stored
from choragus.supervision.system import System

LOST = "acknowledged and lost"
"""In the error of a life that finds less than its host had been told."""


@stored("faults.add")
@frozen
class Add(Request[int]):
    amount: int
    filling: str = ""


@stored("faults.till")
@define
class TillState:
    total: int = 0
    filling: str = ""


class Till(DurableActor[TillState, Add], name="faults.till"):
    """A total, which stands three times in the file: in the state, in a view, and as the number of lines."""

    @property
    def stream(self) -> str:
        return f"till/{self.key}"

    @handle
    def add(self, message: Add) -> int:
        if message.amount:
            self.state.total += message.amount
            self.state.filling = message.filling
            self.log("added", total=self.state.total)
            self.view("till", self.key, {"total": self.state.total})
        return self.state.total


class Acknowledged:
    """The highest total that the host was told, in a file beside the database's; each line is one `write`."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name("acknowledged")

    def tell(self, total: int) -> None:
        """The host knows it from now on."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, b"%d\n" % total)
        os.close(descriptor)

    @property
    def total(self) -> int:
        """What it was told last; 0 for nothing."""
        return int(self._path.read_text().split()[-1]) if self._path.exists() else 0


async def pay_in(
    system: System, host: Acknowledged, most: int, *, filling: str = "", told: Callable[[int], object] = lambda _: None
) -> None:
    """Ask one by one, without a key, until `most` is there: a repeated ask must not hide a loss.

    Raises:
        AssertionError: when there is less than the host was told.
    """
    till = system.ref(Till, "till")
    total = await till.ask(Add(0))
    assert total >= host.total, f"{LOST}: {host.total} was told, and {total} is there"
    while total < most:
        total = await till.ask(Add(1, filling))
        host.tell(total)
        told(total)
