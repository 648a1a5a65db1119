"""What composed refs need to know about the refs that they are made of: the one place that looks behind a ref."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, Protocol, runtime_checkable

from .cell import Cell
from .durable_ref import DurableRef
from .event import DeadLetter, Events, logger
from .local_ref import AdapterRef, LocalRef
from .ref import Ref
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
        return ref.cell.handles(message)
    if isinstance(ref, DurableRef):
        return message in ref._table
    return ref.takes(message) if isinstance(ref, Composed) else True


def is_open(ref: Ref[Never]) -> bool:
    """Whether its actor takes mail: it has been started and has not ended. One that restarts takes mail."""
    cell = _cell_of(ref)
    return cell is None or (cell.status is not Status.STOPPED and bool(cell.table))


def is_leaving(ref: LocalRef[Never]) -> bool:
    """Whether what is put into its mailbox now is never handled."""
    return ref.cell.status in (Status.STOPPING, Status.STOPPED)


def is_idle(ref: Ref[Never]) -> bool:
    """Whether its actor runs and has nothing to do, also nothing that it has set aside or waits for."""
    cell = _cell_of(ref)
    if cell is None or cell.status is not Status.RUNNING or load(ref):
        return False
    annex = cell._annex
    return annex is None or not (annex.stash or annex.piped)


def load(ref: Ref[Never]) -> int:
    """How many messages wait, and the one in hand; 0 for refs whose mailbox is not in this process's memory."""
    cell = _cell_of(ref)
    return 0 if cell is None else cell.depth + cell.is_at_work


def when_ended(ref: Ref[Never], action: Callable[[Exit], None]) -> Callable[[], None]:
    """Do this when its actor has ended, once; now, if it has. Durable and composed refs never end.

    The function returned takes it back.
    """
    cell = _cell_of(ref)
    return _nothing if cell is None else cell.when_ended(action)


def lost(ref: Ref[Never], message: object) -> None:
    """Publish that the message did not get there, in the actor's own system; where there is none, it is logged."""
    events = events_of(ref)
    if events is None:
        logger.warning("%r, which is of no system, did not get %r", ref, message)
    else:
        events.publish(DeadLetter(ref.path, message))


def events_of(ref: Ref[Never]) -> Events | None:
    """The event stream of its system; None for refs of no system."""
    cell = _cell_of(ref)
    if cell is not None:
        return cell.host.events
    if isinstance(ref, DurableRef):
        return ref._post.events
    return ref.events if isinstance(ref, Composed) else None


def _cell_of(ref: Ref[Never]) -> Cell | None:
    """The cell of a volatile actor."""
    if isinstance(ref, LocalRef):
        return ref.cell
    return ref._cell if isinstance(ref, AdapterRef) else None


def _nothing() -> None:
    """There is nothing to take back."""
