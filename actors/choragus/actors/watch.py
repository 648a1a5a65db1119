"""Death watch and links: who is told of whose end, and who fails with whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, Protocol

import attrs

from .errors import DeathPact, LinkBroken
from .notice import Notice
from .ref import Ref
from .status import Exit, Reason


@attrs.frozen
class Terminated:
    """An actor that is watched has ended, for good: a restart is none. An actor that watches handles this message, or
    fails with DeathPact."""

    ref: Ref[Never]
    exit: Exit


class Owner(Protocol):
    """The cell of the actor that watches."""

    path: str

    def handles(self, kind: type) -> bool:
        """Whether the actor has a handler for messages of that type."""
        ...

    def put_first(self, notice: Notice) -> None:
        """Put a notice before every message that waits."""
        ...


class Termination(Notice):
    """The news of an end, on its way to who watched."""

    __slots__ = ("_message", "_watches")

    is_urgent = True
    name = "Terminated"

    def __init__(self, watches: Watches, message: Terminated) -> None:
        self._watches = watches
        self._message = message

    def open(self) -> object | None:
        if not self._watches.settle(self):
            return None
        owner, message = self._watches.owner, self._message
        if not owner.handles(Terminated):
            raise DeathPact(owner.path, message.ref.path, message.exit.reason.value) from message.exit.error
        return message


class Watches:
    """Whom one actor watches. They outlive its restarts: watching again is watching once."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._open: dict[Ref[Never], Callable[[], None]] = {}
        self._told: dict[Ref[Never], Termination] = {}

    def watch(self, ref: Ref[Never]) -> None:
        """Be told once of that actor's end; at once when it has ended."""
        if ref in self._open or ref in self._told:
            return
        forget = ref.when_ended(lambda exit: self._ended(ref, exit))
        if ref not in self._told:
            self._open[ref] = forget

    def unwatch(self, ref: Ref[Never]) -> None:
        """Never mind, also when the news waits in the mailbox."""
        self._open.pop(ref, _nothing)()
        self._told.pop(ref, None)

    def settle(self, news: Termination) -> bool:
        """The news is about to be handled; whether it is still wanted."""
        ref = news._message.ref
        wanted = self._told.get(ref) is news
        if wanted:
            del self._told[ref]
        return wanted

    def end(self) -> None:
        """Who watched has ended."""
        for ref in tuple(self._open):
            self.unwatch(ref)
        self._told.clear()

    def _ended(self, ref: Ref[Never], exit: Exit) -> None:
        self._open.pop(ref, None)
        news = self._told[ref] = Termination(self, Terminated(ref, exit))
        self.owner.put_first(news)


def _nothing() -> None:
    """There is nothing to forget."""


class Breach(Notice):
    """A linked actor has failed: so does this one, unless a new incarnation has come between."""

    __slots__ = ("_cell", "_error", "_incarnation")

    is_urgent = True
    name = "link"

    def __init__(self, cell: Linked, error: LinkBroken) -> None:
        self._cell = cell
        self._incarnation = cell.incarnation
        self._error = error

    def open(self) -> object | None:
        if self._cell.incarnation != self._incarnation:  # another failure was first: this one was not linked
            return None
        raise self._error


class Linked(Protocol):
    """The cell of an actor that may be linked."""

    path: str
    incarnation: int

    @property
    def links(self) -> set[Linked]:
        """Whom it is linked to."""
        ...

    def put_first(self, notice: Notice) -> None:
        """Put a notice before every message that waits."""
        ...


def unlink(one: Linked, other: Linked) -> None:
    """They are linked no more."""
    one.links.discard(other)
    other.links.discard(one)


def break_links(cell: Linked, exit: Exit) -> None:
    """The incarnation is over: its links are gone, and who was linked fails with it when it failed."""
    linked = tuple(cell.links)
    for other in linked:
        unlink(cell, other)
    if exit.reason in (Reason.FAILED, Reason.KILLED):
        for other in linked:
            broken = LinkBroken(other.path, cell.path)
            broken.__cause__ = exit.error
            other.put_first(Breach(other, broken))
