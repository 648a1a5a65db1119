"""What goes wrong on purpose: at the kernel's fault points, and to messages on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

import choragus.actors.fault as fault
from choragus.actors.cell import Cell
from choragus.actors.delivery import Delivery
from choragus.actors.fault import Crashed, Point
from choragus.mailbox.turn import Batch, Effect

Which = Callable[[str, object], bool]
"""Given the receiver's path and the message: whether this one is meant."""


@attrs.frozen
class Disturbance:
    """At a point, so often, after letting so many pass: wait, then raise.

    Args:
        point: where.
        error: makes what is raised; None raises nothing.
        seconds: waited first.
        skip: how often nothing happens before it begins.
        times: how often it happens; None without end.
    """

    point: Point
    error: Callable[[], BaseException] | None = attrs.field(kw_only=True, default=None)
    seconds: float = attrs.field(kw_only=True, default=0.0)
    skip: int = attrs.field(kw_only=True, default=0)
    times: int | None = attrs.field(kw_only=True, default=None)


@attrs.frozen
class Loss:
    """Messages to volatile actors that come late, or never.

    Args:
        which: of the receiver's path and the message.
        seconds: how late; None never.
    """

    which: Which
    seconds: float | None = attrs.field(kw_only=True, default=None)


def fail(point: Point, error: Exception, *, skip: int = 0, times: int | None = 1) -> Disturbance:
    """Raise `error` at the point. At a commit this ends the system; before an effect, the effect fails."""
    return Disturbance(point, error=lambda: error, skip=skip, times=times)


def crash(point: Point, *, skip: int = 0) -> Disturbance:
    """End the system there as `kill -9` would: nothing more is written or released; it raises SystemFailed."""
    return Disturbance(point, error=lambda: Crashed(f"crashed {point}"), skip=skip, times=1)


def delay(point: Point, seconds: float, *, skip: int = 0, times: int | None = None) -> Disturbance:
    """Wait so many seconds at the point."""
    return Disturbance(point, seconds=seconds, skip=skip, times=times)


def drop(which: Which) -> Loss:
    """Lose these messages without a trace; whoever asks one waits until the timeout."""
    return Loss(which)


def late(which: Which, seconds: float) -> Loss:
    """Deliver these messages so many seconds late, behind what was sent after them."""
    return Loss(which, seconds=seconds)


@contextmanager
def faults(*wanted: Disturbance | Loss) -> Iterator[list[str]]:
    """Let this happen, to every system of the process, while inside; gives the list of what has happened so far.

    Messages to durable actors are on disk and cannot be lost: disturb their commits instead.

    Raises:
        RuntimeError: when used inside itself.
    """
    if fault.hook is not None:
        raise RuntimeError("faults() is on already: give all that is wanted in one call")
    happened: list[str] = []
    points = [_Counted(one) for one in wanted if isinstance(one, Disturbance)]
    losses = [one for one in wanted if isinstance(one, Loss)]
    put = Cell.put

    async def hook(point: Point, what: Batch | Effect) -> None:
        subject = what.runner if isinstance(what, Effect) else what.node
        for one in points:
            if one.what.point == point and one.is_due():
                happened.append(f"{point} {subject}")
                await one.happen()

    def lossy(cell: Cell, delivery: Delivery) -> None:
        loss = next((one for one in losses if one.which(cell.path, delivery[0])), None)
        if loss is None:
            put(cell, delivery)
            return
        happened.append(f"{'dropped' if loss.seconds is None else 'late'} {cell.path} {delivery[0]!r}")
        if loss.seconds is not None:
            asyncio.get_running_loop().call_later(loss.seconds, put, cell, delivery)

    fault.hook = hook
    if losses:
        setattr(Cell, "put", lossy)  # noqa: B010  # only while inside, so that a tell costs nothing in production
    try:
        yield happened
    finally:
        fault.hook = None
        setattr(Cell, "put", put)  # noqa: B010


class _Counted:
    """A disturbance and how often its point was reached."""

    def __init__(self, what: Disturbance) -> None:
        self.what = what
        self._reached = 0

    def is_due(self) -> bool:
        """Count this time; whether it is one of those meant."""
        self._reached += 1
        number = self._reached - self.what.skip
        return number > 0 and (self.what.times is None or number <= self.what.times)

    async def happen(self) -> None:
        if self.what.seconds > 0:
            await asyncio.sleep(self.what.seconds)
        if self.what.error is not None:
            raise self.what.error()
