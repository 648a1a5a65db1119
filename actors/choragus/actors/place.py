"""What an actor can do with its own place in the system: its ref, timers, watches, links, and results piped to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Never, Protocol, TypeVar

from .annex import Annex
from .errors import ActorStopped
from .notice import Notice
from .pipe import drop, outcome
from .ref import Ref, check_ref
from .status import Exit, Status
from .timer import Timers
from .watch import Linked, Watches, unlink

T = TypeVar("T")
V = TypeVar("V")


class Around(Protocol):
    """The system around a volatile actor."""

    loop: asyncio.AbstractEventLoop

    def ref_to(self, seat: Seat) -> Ref[Never]:
        """The ref of the actor in that cell."""
        ...

    def adapter(self, seat: Seat, translate: Callable[[T], object]) -> Ref[T]:
        """A ref whose messages are translated."""
        ...

    def seat_of(self, ref: Ref[Never]) -> Seat:
        """The cell behind a ref; TypeError when it has none."""
        ...

    def beside(self, seat: Seat, work: Coroutine[object, None, V], name: str) -> asyncio.Task[V]:
        """Run this in a task of its own, on behalf of that actor."""
        ...


class Seat(Linked, Protocol):
    """The cell of a volatile actor, as far as the actor needs it."""

    status: Status

    @property
    def annex(self) -> Annex:
        """The rarely used parts."""
        ...

    @property
    def around(self) -> Around:
        """The system."""
        ...

    def leave(self) -> None:
        """End after the message in hand."""
        ...

    def become(self, behaviour: object) -> None:
        """Handle messages by another actor object."""
        ...

    def stash(self) -> None:
        """Set the message in hand aside."""
        ...

    def unstash_all(self) -> None:
        """Handle what was set aside next."""
        ...

    def run_beside(self, work: Coroutine[object, None, object]) -> None:
        """Go on with the next message while this runs."""
        ...

    def handles(self, kind: type) -> bool:
        """Whether the actor has a handler for messages of that type."""
        ...

    def put_notice(self, notice: Notice) -> None:
        """Put a notice behind the messages."""
        ...

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        """Do this when the actor has ended."""
        ...


def set_timer(seat: Seat, name: str, message: object, after: float, every: float | None) -> None:
    """Set a timer in place of the one of that name."""
    annex = seat.annex
    annex.timers = annex.timers or Timers(seat, seat.around.loop)
    annex.timers.set(name, message, after, every)


def cancel_timer(seat: Seat, name: str) -> None:
    """Take a timer back."""
    if seat.annex.timers is not None:
        seat.annex.timers.cancel(name)


def watch(seat: Seat, ref: Ref[Never]) -> None:
    """Be told of that actor's end."""
    check_ref(ref)
    annex = seat.annex
    annex.watches = annex.watches or Watches(seat)
    annex.watches.watch(ref)


def unwatch(seat: Seat, ref: Ref[Never]) -> None:
    """Be told no more."""
    if seat.annex.watches is not None:
        seat.annex.watches.unwatch(ref)


def link(seat: Seat, ref: Ref[Never]) -> None:
    """Fail together with that actor."""
    check_ref(ref)
    other = seat.around.seat_of(ref)
    if other.status not in (Status.STARTING, Status.RUNNING):
        raise ActorStopped(other.path)
    if other is not seat:
        seat.links.add(other)
        other.links.add(seat)


def separate(seat: Seat, ref: Ref[Never]) -> None:
    """Fail apart."""
    unlink(seat, seat.around.seat_of(ref))


def pipe(
    seat: Seat,
    awaitable: Awaitable[V],
    message: Callable[[V], object],
    failed: Callable[[Exception], object] | None,
) -> asyncio.Task[None]:
    """Put what comes of it into the mailbox."""

    incarnation = seat.incarnation

    async def wait() -> None:
        result = await outcome(awaitable, message, failed)
        result.is_wanted = lambda: seat.incarnation == incarnation
        seat.put_notice(result)

    def done(task: asyncio.Task[None]) -> None:
        piped.discard(task)
        drop(awaitable)  # cancelled before it began, the task has not even looked at it

    task = seat.around.beside(seat, wait(), f"choragus:{seat.path}:pipe")
    annex = seat.annex
    annex.asking = [reply for reply in annex.asking if reply is not awaitable]  # the handler does not wait for it
    piped = annex.piped
    piped.add(task)
    task.add_done_callback(done)
    return task
