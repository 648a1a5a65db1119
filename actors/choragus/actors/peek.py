"""What composed refs need to know about the refs that they are made of: the one place that looks behind a ref."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, Protocol, runtime_checkable

from .durable_ref import DurableRef
from .event import DeadLetter, Events, logger
from .ref import LocalRef, Ref
from .status import Exit, Status


@runtime_checkable
class Composed(Protocol):
    """A ref that stands for several actors, or for one that comes and goes."""

    def takes(self, message: type) -> bool:
        """Whether it takes messages of that type."""
        ...

    @property
    def events(self) -> Events | None:
        """The event stream of its system, if it knows one."""
        ...


def takes(ref: Ref[Never], message: type) -> bool:
    """Whether its actor handles messages of that type; a ref of a kind that is not known here takes all."""
    if isinstance(ref, LocalRef):
        return message in ref._cell.table
    if isinstance(ref, DurableRef):
        return message in ref._table
    return ref.takes(message) if isinstance(ref, Composed) else True


def is_open(ref: Ref[Never]) -> bool:
    """Whether its actor takes mail: it has been started and has not ended. One that restarts takes mail."""
    return not isinstance(ref, LocalRef) or (ref._cell.status is not Status.STOPPED and bool(ref._cell.table))


def is_leaving(ref: LocalRef[Never]) -> bool:
    """Whether what is put into its mailbox now is never handled."""
    return ref._cell.status in (Status.STOPPING, Status.STOPPED)


def is_idle(ref: Ref[Never]) -> bool:
    """Whether its actor runs and has nothing to do."""
    return isinstance(ref, LocalRef) and ref._cell.status is Status.RUNNING and not load(ref)


def load(ref: Ref[Never]) -> int:
    """How many messages wait, and the one in hand; 0 for refs whose mailbox is not in this process's memory."""
    return ref._cell.depth + (ref._cell.current is not None) if isinstance(ref, LocalRef) else 0


def when_ended(ref: Ref[Never], action: Callable[[Exit], None]) -> Callable[[], None]:
    """Do this when its actor has ended, once; now, if it has. Durable and composed refs never end.

    The function returned takes it back.
    """
    return ref._cell.when_ended(action) if isinstance(ref, LocalRef) else _nothing


def lost(ref: Ref[Never], message: object) -> None:
    """Publish that the message did not get there, in the actor's own system; where there is none, it is logged."""
    events = events_of(ref)
    if events is None:
        logger.warning("%r, which is of no system, did not get %r", ref, message)
    else:
        events.publish(DeadLetter(ref.path, message))


def events_of(ref: Ref[Never]) -> Events | None:
    """The event stream of its system; None for refs of no system."""
    if isinstance(ref, LocalRef):
        return ref._host.events
    if isinstance(ref, DurableRef):
        return ref._post.events
    return ref.events if isinstance(ref, Composed) else None


def _nothing() -> None:
    """There is nothing to take back."""
